// Kubernetes manifests beside the DAG's file: `apply`, and `manifest` of a service. Their texts are part of the
// version.
#include "dag/manifests.h"

#include <algorithm>
#include <array>
#include <set>

#include "dag/expr_ast.h"
#include "dag/params.h"
#include "dag/reader.h"

namespace slipway::dag {
namespace {

using text::Node;
using text::NodeKind;

// What may be applied: docs/dag-format.md, "Manifests".
constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kKinds{{
    {"apps/v1", "Deployment"},
    {"v1", "Service"},
    {"v1", "ConfigMap"},
    {"batch/v1", "Job"},
    {"autoscaling/v2", "HorizontalPodAutoscaler"},
}};

std::string kinds_in_words() {
  std::string text;
  for (const auto& [version, kind] : kKinds)
    text += (text.empty() ? "" : ", ") + std::string(kind) + " (" + std::string(version) + ")";
  return text;
}

// A line that begins with `---` ends the document before it, whatever stands there.
bool is_border(std::string_view line) {
  return line.starts_with("---") && (line.size() == 3 || line[3] == ' ' || line[3] == '\t' || line[3] == '\r');
}

// The documents of a file, each behind as many empty lines as stand before it, so that places stay right.
std::vector<std::string> documents_of(const std::string& text) {
  std::vector<std::string> documents(1);
  std::size_t lines = 0;
  for (std::string_view rest = text; !rest.empty(); ++lines) {
    const auto end = rest.find('\n');
    const std::string_view line = rest.substr(0, end);
    if (is_border(line))
      documents.emplace_back(lines + 1, '\n');
    else
      documents.back().append(line).append("\n");
    rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
  }
  return documents;
}

// What stands in quotes stays text, whatever it is an expression for.
void keep_texts(Node& node) {
  for (Node& item : node.items) keep_texts(item);
  for (text::Entry& entry : node.entries) keep_texts(entry.value);
  const bool quoted = node.kind == NodeKind::Text && node.span.column != node.content.column;
  if (!quoted || node.scalar.find("${{") == std::string::npos) return;
  const auto parsed = parse_template(node.scalar);
  if (!parsed.is_one_expression()) return;
  const auto begin = node.scalar.find("${{") + 3;
  const auto end = node.scalar.rfind("}}");
  node.scalar = "${{ string(" + node.scalar.substr(begin, end - begin) + ") }}";
}

class Taker {
 public:
  Taker(Draft& draft, TaskDraft& task) : draft_(draft), task_(task) {}

  void take(const Node* names) {
    if (!is_written(names)) return;
    for (const Node* name : read_many(names)) {
      name_ = name;
      if (name->kind == NodeKind::Text) take_file();
    }
    check_twice();
  }

  // A service is a Deployment that a Service leads to.
  void check_service(const Node& place) {
    if (task_.task.manifests.empty()) return;
    for (const char* kind : {"Deployment", "Service"})
      if (std::none_of(task_.task.manifests.begin(), task_.task.manifests.end(),
                       [&](const Manifest& one) { return one.object.get_string("kind") == kind; }))
        draft_.out.error("bad-manifest", place.span, "the manifests of a service hold no " + std::string(kind),
                         "give it a Deployment and the Service that leads to it, or use `apply:`");
  }

 private:
  void report(const char* code, std::string message, std::string help) {
    draft_.out.error(code, name_->span, std::move(message), std::move(help));
  }
  [[nodiscard]] std::string at(const SourceSpan& span) const {
    return name_->scalar + ":" + std::to_string(span.line) + ":" + std::to_string(span.column);
  }

  void take_file() {
    const std::string& name = name_->scalar;
    const std::string* const file = file_beside(draft_, *name_);
    if (file == nullptr) return;
    const std::size_t before = task_.manifests.size();
    for (std::string& document : documents_of(*file)) {
      auto yaml = text::parse_yaml({name, std::move(document)});
      for (const Diagnostic& problem : yaml.diagnostics.items())
        report(problem.code.c_str(), at(problem.span) + ": " + problem.message, problem.help);
      if (!yaml.value || yaml.value->kind == NodeKind::Null) continue;
      if (yaml.value->kind == NodeKind::Map && yaml.value->entries.empty()) continue;
      take_object(*std::move(yaml.value));
    }
    if (task_.manifests.size() == before && !draft_.out.has_errors())
      draft_.out.warning("empty-manifest", name_->span, "`" + name + "` holds no object",
                         "write a manifest with apiVersion, kind and metadata.name");
  }

  void take_object(Node node) {
    const auto version = read_text(node.find("apiVersion")).value_or("");
    const auto kind = read_text(node.find("kind")).value_or("");
    const auto known =
        std::find(kKinds.begin(), kKinds.end(), std::pair(std::string_view(version), std::string_view(kind)));
    if (known == kKinds.end())
      return report("bad-manifest",
                    at(node.span) + ": " +
                        (kind.empty() ? "this is no manifest" : "`" + kind + "` of `" + version + "`") +
                        (kind.empty() ? "" : " is not among the kinds that tasks apply"),
                    "these are: " + kinds_in_words());
    const Node* metadata = node.find("metadata");
    const auto name = metadata == nullptr ? std::nullopt : read_text(metadata->find("name"));
    if (!name || name->empty())
      return report("bad-manifest", at(node.span) + ": this " + kind + " has no name", "write metadata: {name: NAME}");
    keep_texts(node);
    task_.task.manifests.push_back({name_->scalar, text::to_value(node)});
    task_.manifests.push_back({name_, std::move(node)});
  }

  void check_twice() {
    std::set<std::string> seen;
    for (const Manifest& one : task_.task.manifests) {
      const Value& metadata = *one.object.find("metadata");
      const std::string name = one.object.get_string("kind") + " " + metadata.get_string("name");
      if (!seen.insert(metadata.get_string("namespace") + "/" + name).second)
        report("bad-manifest", name + " stands in the manifests of task `" + task_.task.id.str() + "` twice",
               "keep one");
    }
  }

  Draft& draft_;
  TaskDraft& task_;
  const Node* name_ = nullptr;
};

void add_names(const Node* names, std::vector<std::string>& out) {
  if (!is_written(names)) return;
  for (const Node* name : read_many(names))
    if (name->kind == NodeKind::Text && is_beside(name->scalar)) out.push_back(name->scalar);
}

}  // namespace

void take_manifests(Draft& draft, TaskDraft& task) {
  Taker taker(draft, task);
  if (task.task.kind == TaskKind::Apply) {
    taker.take(task.merged.find("apply"));
    task.task.place = Place::Kubernetes;
  }
  const text::Node* service = task.merged.find("service");
  if (task.task.kind != TaskKind::Service || service == nullptr) return;
  if (const text::Node* names = service->find("manifest"); is_written(names)) {
    taker.take(names);
    taker.check_service(*names);
  }
  if (is_written(service->find("run"))) return;
  if (task.task.place == Place::Local)
    draft.out.error(
        "no-command", service->span,
        "the service of task `" + task.task.id.str() + "` has no command, so no process of this machine can be it",
        "write its command, run: [program, argument], or remove executor: local");
  task.task.place = Place::Kubernetes;
}

std::vector<std::string> manifest_names(const text::Node& root) {
  std::vector<std::string> names;
  const text::Node* tasks = root.find("tasks");
  if (tasks == nullptr || tasks->kind != text::NodeKind::Map) return names;
  for (const text::Entry& task : tasks->entries) {
    add_names(task.value.find("apply"), names);
    if (const text::Node* service = task.value.find("service"); service != nullptr)
      add_names(service->find("manifest"), names);
  }
  return names;
}

}  // namespace slipway::dag
