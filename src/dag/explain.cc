#include <algorithm>

#include "dag/field_table.h"
#include "slipway/dag/parse.h"

namespace slipway::dag {
namespace {

// Whether `path` is `field`'s path or one of its parents; in the field's path `*` stands for any name.
bool covers(std::string_view path, std::string_view field) {
  while (!path.empty()) {
    const auto take = [](std::string_view& text) {
      const auto dot = text.find('.');
      const auto front = text.substr(0, dot);
      text.remove_prefix(dot == std::string_view::npos ? text.size() : dot + 1);
      return front;
    };
    const auto known = take(field);
    const auto asked = take(path);
    if (known.empty() || (known != asked && known != "*")) return false;
  }
  return true;
}

FieldDoc doc_of(const Field& field) {
  return {field.path, field.type, field.fallback, applies_to(field), std::string(kFieldStatuses.text(field.status)),
          field.doc};
}

std::vector<FieldDoc> below(const std::string& path) {
  std::vector<FieldDoc> docs;
  for (const Field* field : flatten(language()))
    if (covers(path, field->path)) docs.push_back(doc_of(*field));
  return docs;
}

std::string code(const std::string& text) { return text.empty() ? "" : "`" + text + "`"; }

void append_row(std::string& out, const FieldDoc& doc) {
  out += "| " + code(doc.path) + " | " + doc.type + " | " + doc.default_text + " | ";
  out += doc.applies_to + " | " + doc.status + " | " + doc.doc + " |\n";
}

}  // namespace

std::vector<FieldDoc> explain(const std::string& path) {
  auto docs = below(path);
  // `retry.limit` is asked for more often than `tasks.*.retry.limit`.
  return docs.empty() ? below("tasks.*." + path) : docs;
}

std::string explain_markdown() {
  std::string out = "| field | type | default | applies to | status | meaning |\n|---|---|---|---|---|---|\n";
  for (const FieldDoc& doc : explain("")) append_row(out, doc);
  return out;
}

}  // namespace slipway::dag
