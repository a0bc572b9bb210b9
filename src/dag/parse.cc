#include "slipway/dag/parse.h"

#include <algorithm>
#include <set>
#include <tuple>

#include "dag/draft.h"
#include "dag/manifests.h"
#include "dag/params.h"
#include "dag/structure.h"
#include "slipway/base/sha256.h"
#include "slipway/text/node.h"

namespace slipway::dag {
namespace {

// A mistake in `defaults` is met once per task, and said once.
Diagnostics without_repetition(const Diagnostics& all) {
  Diagnostics unique;
  std::set<std::tuple<int, int, std::string, std::string>> seen;
  for (const Diagnostic& d : all.items()) {
    if (!seen.emplace(d.span.line, d.span.column, d.code, d.message).second) continue;
    if (d.severity == Severity::Error)
      unique.error(d.code, d.span, d.message, d.help);
    else
      unique.warning(d.code, d.span, d.message, d.help);
  }
  unique.sort();
  return unique;
}

Dag finish(Draft draft) {
  Dag dag = std::move(draft.dag);
  dag.tasks.reserve(draft.tasks.size());
  for (TaskDraft& task : draft.tasks) {
    dag.index.emplace(task.task.id, static_cast<int>(dag.tasks.size()));
    dag.tasks.push_back(std::move(task.task));
  }
  return dag;
}

}  // namespace

ParseResult<Dag> parse(const SourceText& source, const Companions& beside) {
  ParseResult<Dag> result;
  auto yaml = text::parse_yaml(source);
  result.diagnostics = std::move(yaml.diagnostics);
  if (!yaml.value) return result;
  if (yaml.value->kind != text::NodeKind::Map) {
    result.diagnostics.error("not-a-dag", yaml.value->kind == text::NodeKind::Null ? SourceSpan{} : yaml.value->span,
                             "the file holds no map of fields", "begin it with `dag: the-id` and `tasks:`");
    return result;
  }
  Diagnostics found;
  check_structure(*yaml.value, found);
  Draft draft{source, *yaml.value, found, beside, {}, {}, {}, {}, {}, {}, 0};
  read_top_level(draft);
  read_params(draft);
  take_params_from(draft);
  read_schedules(draft);
  read_tasks(draft);
  link_tasks(draft);
  check_expressions(draft);
  result.diagnostics = without_repetition(found);
  if (!result.diagnostics.has_errors()) result.value = finish(std::move(draft));
  return result;
}

std::vector<std::string> companion_names(const SourceText& source) {
  // Looking for the words first spares most files a second reading.
  const auto says = [&](const char* word) { return source.text.find(word) != std::string::npos; };
  if (!says("params_from") && !says("apply") && !says("manifest")) return {};
  const auto yaml = text::parse_yaml(source);
  if (!yaml.value || yaml.value->kind != text::NodeKind::Map) return {};
  std::vector<std::string> names = manifest_names(*yaml.value);
  const text::Node* params = yaml.value->find("params_from");
  if (params != nullptr && params->kind == text::NodeKind::Text && is_beside(params->scalar))
    names.push_back(params->scalar);
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

VersionId version_of(const SourceText& source, const Companions& beside) {
  if (beside.empty()) return VersionId(sha256_hex(source.text));
  std::string all = sha256_hex(source.text);
  for (const auto& [name, text] : beside) all += "\n" + name + "\n" + sha256_hex(text);
  return VersionId(sha256_hex(all));
}

bool is_manifest(const SourceText& source) {
  // Manifests may hold several documents and custom tags, which the strict reader refuses: look at the keys of the
  // first lines alone.
  bool api_version = false;
  bool kind = false;
  for (std::string_view rest = source.text; !rest.empty();) {
    const auto end = rest.find('\n');
    const std::string_view line = rest.substr(0, end);
    api_version = api_version || line.starts_with("apiVersion:");
    kind = kind || line.starts_with("kind:");
    rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
  }
  return api_version && kind;
}

}  // namespace slipway::dag
