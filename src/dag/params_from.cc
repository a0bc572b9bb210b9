// Defaults of parameters from a JSON file beside the DAG's. Its text is part of the version, so that a run means the
// same for ever.
#include <algorithm>

#include "dag/draft.h"
#include "dag/params.h"
#include "dag/reader.h"

namespace slipway::dag {
namespace {

class Taker {
 public:
  Taker(Draft& draft, const text::Node& node) : draft_(draft), node_(node) {}

  void take() {
    const std::string& name = node_.scalar;
    const std::string* const file = file_beside(draft_, node_);
    if (file == nullptr) return;
    const auto values = parse_json(*file, {.bytes_max = 1U << 20U, .depth_max = 64, .unique_keys = true});
    if (!values)
      return report("bad-params-from", "`" + name + "` is no JSON: " + values.error().message, "correct that file");
    if (!values->is_object())
      return report("bad-params-from", "`" + name + "` holds " + std::string(values->type_name()) + ", not an object",
                    "write {\"parameter\": value} in it");
    draft_.dag.params_from = name;
    for (const auto& [param, value] : values->as_object()) set(param, value);
  }

 private:
  void report(const char* code, std::string message, std::string help) {
    draft_.out.error(code, node_.span, std::move(message), std::move(help));
  }

  void set(const std::string& name, const Value& value) {
    const auto found = draft_.param_index.find(name);
    if (found == draft_.param_index.end()) {
      std::vector<std::string> known;
      for (const Param& param : draft_.dag.params) known.push_back(param.name);
      const auto word = nearest(name, known);
      return report("unknown-param", "`" + node_.scalar + "` sets `" + name + "`, which is no parameter of this DAG",
                    word ? "did you mean `" + *word + "`?" : "declare it: params: {" + name + ": {}}");
    }
    Param& param = draft_.dag.params[static_cast<std::size_t>(found->second)];
    auto checked = check_param(param, value);
    if (!checked)
      return report("bad-default", "`" + node_.scalar + "` does not fit: " + checked.error().message,
                    checked.error().help);
    param.schema["default"] = *checked;
    param.default_value = *std::move(checked);
    param.required = false;
  }

  Draft& draft_;
  const text::Node& node_;
};

}  // namespace

const std::string* file_beside(Draft& draft, const text::Node& name) {
  const auto report = [&](const char* code, const char* what, const char* help) {
    draft.out.error(code, name.span, "`" + name.scalar + what, help);
    return nullptr;
  };
  if (!is_beside(name.scalar))
    return report("bad-path", "` leads away from this file", "name a file in this folder or below it");
  const auto file = draft.beside.find(name.scalar);
  if (file == draft.beside.end())
    return report("missing-file", "` cannot be read",
                  "put it beside this file, or correct the name; it is relative to this file");
  return &file->second;
}

bool is_beside(std::string_view name) {
  if (name.empty() || name.front() == '/' || name.find('\0') != std::string_view::npos) return false;
  for (std::string_view rest = name; !rest.empty();) {
    const std::string_view part = rest.substr(0, rest.find('/'));
    if (part == "..") return false;
    rest.remove_prefix(std::min(rest.size(), part.size() + 1));
  }
  return true;
}

void take_params_from(Draft& draft) {
  const text::Node* node = draft.root.find("params_from");
  if (node != nullptr && node->kind == text::NodeKind::Text) Taker(draft, *node).take();
}

}  // namespace slipway::dag
