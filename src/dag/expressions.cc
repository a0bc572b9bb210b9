#include <algorithm>
#include <array>

#include "dag/draft.h"
#include "dag/expr_ast.h"
#include "dag/field_table.h"
#include "dag/names.h"
#include "dag/reader.h"
#include "dag/structure.h"

namespace slipway::dag {
namespace {

// The cure for a slip that says nothing about what was meant.
constexpr const char* kGrammar =
    "write names, values and operators: ${{ params.limit > 3 && run.trigger == 'manual' }}";

// The part of a one-line span in the file; empty for others.
std::string excerpt(const SourceText& source, const SourceSpan& span) {
  if (span.line != span.end_line || !span.known()) return {};
  std::size_t start = 0;
  for (int line = 1; line < span.line && start != std::string::npos; ++line) start = source.text.find('\n', start) + 1;
  return source.text.substr(start + static_cast<std::size_t>(span.column) - 1,
                            static_cast<std::size_t>(span.end_column - span.column));
}

// "params.base-model" -> "BASE_MODEL": the last word of an expression as the name of a variable.
std::string variable_for(std::string_view expression) {
  std::string name;
  for (std::size_t i = expression.size(); i-- > 0;) {
    const char c = expression[i];
    const bool word =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    if (!word && !name.empty()) break;
    if (word) name.insert(name.begin(), c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c == '-' ? '_' : c);
  }
  while (!name.empty() && (name.front() == '_' || (name.front() >= '0' && name.front() <= '9'))) name.erase(0, 1);
  return name.empty() ? "VALUE" : name;
}

bool is_shell(std::string_view program) {
  constexpr std::array<std::string_view, 7> kShells{"sh", "bash", "dash", "zsh", "ksh", "ash", "busybox"};
  const auto slash = program.rfind('/');
  if (slash != std::string_view::npos) program.remove_prefix(slash + 1);
  return std::find(kShells.begin(), kShells.end(), program) != kShells.end();
}

// -c, -ec, -lc …
bool is_command_option(std::string_view word) {
  return word.size() >= 2 && word[0] == '-' && word[1] != '-' && word.back() == 'c';
}

// The text that a shell would read as code: the whole of a text command, or the word behind -c of a list that starts a
// shell.
const text::Node* shell_text(const text::Node& run) {
  if (run.kind != text::NodeKind::List) return &run;
  if (run.items.empty() || !is_shell(run.items.front().scalar)) return nullptr;
  for (std::size_t i = 1; i + 1 < run.items.size(); ++i)
    if (is_command_option(run.items[i].scalar)) return &run.items[i + 1];
  return nullptr;
}

class TaskChecker {
 public:
  TaskChecker(Draft& draft, Reach& reach, int task)
      : draft_(draft), task_(draft.tasks[static_cast<std::size_t>(task)]), names_(draft, reach, task) {}

  void check() {
    const Field& fields = *language().child("defaults");
    // The environment first: what it holds decides which `env.NAME` is secret.
    if (const text::Entry* env = task_.merged.find_entry("env")) walk(env->value, *fields.child("env"));
    for (const text::Entry& entry : task_.merged.entries) {
      const Field* field = fields.child(entry.key);
      if (field != nullptr && entry.key != "env") walk(entry.value, *field);
    }
    for (const ManifestDraft& manifest : task_.manifests) check_manifest(manifest.object, *manifest.name);
  }

 private:
  void walk(const text::Node& node, const Field& field) {
    if (field.path == "tasks.*.run" || field.path == "tasks.*.service.run") shell_ = shell_text(node);
    if (field.path == "tasks.*.for_each") list_ = &node;
    if (is_written(&node)) walk(node, field, field.shapes);
  }

  void walk(const text::Node& node, const Field& field, const std::vector<Shape>& shapes) {
    const Shape* shape = fitting(node, shapes);
    if (shape == nullptr) return;
    if (shape->form == Shape::Form::List) {
      for (const text::Node& item : node.items) walk(item, field, shape->items);
    } else if (shape->form == Shape::Form::Map) {
      for (const text::Entry& entry : node.entries)
        if (const Field* child = field.child(entry.key)) {
          key_ = entry.key;
          walk(entry.value, *child);
        }
    } else {
      check_scalar(node, field, shape->scalar);
    }
  }

  void check_scalar(const text::Node& node, const Field& field, ScalarType type) {
    if (type == ScalarType::Json) {
      check_json(node, field);
    } else if (type == ScalarType::Template || type == ScalarType::Value) {
      check_text(node, field);
    } else if (type == ScalarType::Text && node.scalar.find("${{") != std::string::npos) {
      draft_.out.error("expression-not-allowed", node.span, "an expression cannot stand in `" + field.key + "`",
                       "it is read before any run exists: write the text itself");
    }
  }

  void check_json(const text::Node& node, const Field& field) {
    if (node.kind == text::NodeKind::Text) check_text(node, field);
    for (const text::Node& item : node.items) check_json(item, field);
    for (const text::Entry& entry : node.entries) check_json(entry.value, field);
  }

  // Its places are those of another file, so each is told in words.
  void check_manifest(const text::Node& node, const text::Node& name) {
    for (const text::Node& item : node.items) check_manifest(item, name);
    for (const text::Entry& entry : node.entries) check_manifest(entry.value, name);
    if (node.kind != text::NodeKind::Text || node.scalar.find("${{") == std::string::npos) return;
    Diagnostics found;
    const auto resolve = [&](const std::vector<std::string>& path) { return names_.resolve(path, {}); };
    const TemplateInfo info = check_template({node.scalar, node.content, node.by_lines}, resolve, found);
    const auto place = name.scalar + ":" + std::to_string(node.span.line) + ": ";
    for (const Diagnostic& problem : found.items())
      draft_.out.error(problem.code, name.span, place + problem.message,
                       problem.help.empty() ? kGrammar : problem.help);
    note_params(info);
    if (found.empty() && info.secret)
      draft_.out.error("forbidden-name", name.span, place + "a secret flows into a manifest",
                       "refer to the Secret there: valueFrom: {secretKeyRef: {name: …, key: …}}");
  }

  void check_text(const text::Node& node, const Field& field) {
    const bool in_env = field.path == "tasks.*.env.*";
    const bool early = field.path == "tasks.*.when" || field.path == "tasks.*.for_each";
    const TaskNames::Place place{in_env, !in_env && !early, field.path == "tasks.*.set_vars.*", !early};
    const Template text{node.scalar, node.content, node.by_lines};
    Diagnostics found;
    const auto resolve = [&](const std::vector<std::string>& path) { return names_.resolve(path, place); };
    const TemplateInfo info = check_template(text, resolve, found);
    const bool sound = found.empty();
    for (const Diagnostic& problem : found.items())
      draft_.out.error(problem.code, problem.span, problem.message, problem.help.empty() ? kGrammar : problem.help);
    note_params(info);
    if (in_env && info.secret) names_.mark_secret(key_);
    if (!sound) return;
    if (!in_env && info.secret)
      draft_.out.error("forbidden-name", node.span, "a secret flows into `" + field.key + "`",
                       "let the command read it from its environment, where `env` or `secrets` put it");
    if (&node == shell_) check_shell(info);
    if (field.path == "tasks.*.when") check_when(node, info);
    if (&node == list_) check_list(node, info);
  }

  void note_params(const TemplateInfo& info) {
    for (const auto& path : info.names) {
      if (path.front() != "params") continue;
      if (path.size() == 1) {
        for (const auto& [name, at] : draft_.param_index) draft_.used_params.insert(name);
      } else if (draft_.param_index.contains(path[1])) {
        draft_.used_params.insert(path[1]);
      } else {
        note_meant_param(path[1]);
      }
    }
  }

  // A misspelt name was reported; the parameter that was meant is used.
  void note_meant_param(const std::string& misspelt) {
    if (!draft_.may_search()) return;
    std::vector<std::string> declared;
    for (const Param& param : draft_.dag.params) declared.push_back(param.name);
    if (const auto meant = nearest(misspelt, declared)) draft_.used_params.insert(*meant);
  }

  void check_shell(const TemplateInfo& info) {
    for (const SourceSpan& span : info.shell_unsafe) {
      const std::string written = excerpt(draft_.source, span);
      const std::string shown = written.empty() ? "${{ … }}" : written;
      const std::string inner = shown.substr(3, shown.find("}}") - 3);
      const std::string name = variable_for(inner);
      draft_.out.error(
          "expr-in-shell", span, "`" + shown + "` can be any text, and the shell would run what is in it",
          "write $" + name + " in double quotes here, and  env: {" + name + ": \"" + shown + "\"}  beside `run`");
    }
  }

  void check_when(const text::Node& node, const TemplateInfo& info) {
    if (!parse_template(node.scalar).is_one_expression()) {
      const bool bare = node.scalar.find("${{") == std::string::npos;
      draft_.out.error("bad-when", node.span, "`when` takes one expression and nothing else",
                       bare ? "write ${{ " + node.scalar + " }}" : "put everything inside one ${{ … }}");
    } else if (info.type != StaticType::Boolean && info.type != StaticType::Any) {
      draft_.out.error("bad-when", node.span,
                       "`when` takes a boolean, and this is " + std::string(kStaticTypes.text(info.type)),
                       "compare it: ${{ x == 'value' }}, ${{ x > 0 }}");
    } else if (info.constant) {
      draft_.out.warning("constant-when", node.span, "this condition is the same in every run",
                         "remove it, or the task");
    }
  }

  void check_list(const text::Node& node, const TemplateInfo& info) {
    if (parse_template(node.scalar).is_one_expression() &&
        (info.type == StaticType::Array || info.type == StaticType::Any))
      return;
    draft_.out.error("bad-for-each", node.span, "`for_each` takes a list, or one expression that gives one",
                     "write [a, b] or ${{ split(params.names, ',') }}");
  }

  Draft& draft_;
  const TaskDraft& task_;
  TaskNames names_;
  const text::Node* shell_ = nullptr;
  const text::Node* list_ = nullptr;  // for_each
  std::string key_;                   // of the map entry being walked
};

std::string upper(std::string text) {
  for (char& c : text)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return text;
}

// A program may read any parameter from its environment; what the file shows of that counts.
void warn_of_unused_params(Draft& draft) {
  for (const Param& param : draft.dag.params) {
    const std::string variable = "SLIPWAY_PARAM_" + upper(param.name);
    if (draft.used_params.contains(param.name) || draft.source.text.find(variable) != std::string::npos) continue;
    draft.out.warning("unused-param", param.span, "nothing in this file reads the parameter `" + param.name + "`",
                      "read it as ${{ params." + param.name + " }} or $" + variable + ", or remove it");
  }
}

}  // namespace

void check_expressions(Draft& draft) {
  Reach reach(draft.dag);
  for (std::size_t task = 0; task < draft.tasks.size(); ++task)
    TaskChecker(draft, reach, static_cast<int>(task)).check();
  warn_of_unused_params(draft);
}

}  // namespace slipway::dag
