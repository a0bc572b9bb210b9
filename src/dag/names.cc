#include "dag/names.h"

#include <algorithm>
#include <array>
#include <span>

#include "dag/reader.h"
#include "slipway/base/diagnostics.h"
#include "slipway/dag/parse.h"

namespace slipway::dag {
namespace {

StaticType static_type(ValueType type) {
  switch (type) {
    case ValueType::Any: return StaticType::Any;
    case ValueType::Boolean: return StaticType::Boolean;
    case ValueType::Integer: return StaticType::Integer;
    case ValueType::Number: return StaticType::Number;
    case ValueType::String: return StaticType::String;
    case ValueType::Array: return StaticType::Array;
    case ValueType::Object: return StaticType::Object;
  }
  return StaticType::Any;
}

NameInfo of_type(StaticType type) { return {type, false, {}}; }

std::string listed(const std::vector<std::string>& names) {
  std::string out;
  for (std::size_t i = 0; i < std::min<std::size_t>(names.size(), 12); ++i) out += (i == 0 ? "" : ", ") + names[i];
  return names.size() > 12 ? out + ", …" : out;
}

// The cure for a misspelt name: the nearest, else all there are, else what to do where there are none.
std::string suggestion(const std::string& name, const std::vector<std::string>& known, const std::string& none) {
  if (const auto word = nearest(name, known)) return "did you mean `" + *word + "`?";
  return known.empty() ? none : "there are: " + listed(known);
}

Error unknown(std::string message, std::string help) {
  return {ErrorCode::NotFound, std::move(message), std::move(help)};
}
Error unreachable(std::string message, std::string help) {
  return {ErrorCode::Conflict, std::move(message), std::move(help)};
}

Result<NameInfo> one_of(std::span<const std::string_view> names, const std::string& root, const std::string& name,
                        StaticType type) {
  const std::vector<std::string> known(names.begin(), names.end());
  if (std::find(known.begin(), known.end(), name) != known.end()) return of_type(type);
  return unknown("`" + root + "." + name + "` does not exist",
                 suggestion(name, known, "there is nothing of that kind"));
}

constexpr std::array<std::string_view, 3> kDagNames{"id", "owner", "folder"};
constexpr std::array<std::string_view, 3> kServiceOutputs{"url", "external_url", "revision"};

constexpr std::array<std::string_view, 2> kSubRunOutputs{"run", "state"};
constexpr std::array<std::string_view, 2> kDatasetOutputs{"uri", "updated_at"};

std::span<const std::string_view> outputs_of_wait(const Task& task) {
  if (task.wait && task.wait->kind == WaitKind::Run) return kSubRunOutputs;
  if (task.wait && task.wait->kind == WaitKind::Dataset) return kDatasetOutputs;
  return {};
}

bool is_fanned_out(const TaskDraft& task) { return is_written(task.merged.find("for_each")); }

}  // namespace

TaskNames::TaskNames(Draft& draft, Reach& reach, int task) : draft_(draft), reach_(reach), task_(task) {}

Result<NameInfo> TaskNames::resolve(const std::vector<std::string>& path, Place place) const {
  const std::string& root = path.front();
  if (root == "item" || root == "index") return element(root, place);
  if (root == "secrets" && path.size() == 1) return secret("", place);
  if (root == "tasks" && path.size() > 1) return other_task(path);
  if (path.size() == 1) return of_type(StaticType::Object);
  if (root == "params") return param(path[1]);
  if (root == "secrets") return secret(path[1], place);
  if (root == "env") return environment(path[1], place);
  if (root == "run") return of_run(path[1]);
  if (root == "dag") return one_of(kDagNames, root, path[1], StaticType::String);
  if (root == "outputs") {
    const TaskDraft& own = draft_.tasks[static_cast<std::size_t>(task_)];
    if (place.outputs) return output(own, path[1]);
    return unreachable(
        "`outputs` are the task's own, known only after it succeeded",
        "of another task write `tasks.ID.outputs." + path[1] + "`; `outputs` itself stands in set_vars only");
  }
  return of_type(StaticType::Any);  // vars: their names are known only at run time
}

Result<NameInfo> TaskNames::param(const std::string& name) const {
  const auto found = draft_.param_index.find(name);
  if (found == draft_.param_index.end()) {
    const std::string declare = "declare it: params: {" + name + ": {type: string, default: …}}";
    if (!draft_.may_search()) return unknown("the DAG has no parameter `" + name + "`", declare);
    std::vector<std::string> known;
    for (const Param& param : draft_.dag.params) known.push_back(param.name);
    return unknown("the DAG has no parameter `" + name + "`", suggestion(name, known, declare));
  }
  const Param& param = draft_.dag.params[static_cast<std::size_t>(found->second)];
  NameInfo info = of_type(static_type(param.type));
  for (const Value& value : param.enum_values) {
    if (!value.is_string()) return of_type(info.type);
    info.enum_values.push_back(value.as_string());
  }
  if (!info.enum_values.empty()) info.type = StaticType::String;
  return info;
}

Result<NameInfo> TaskNames::environment(const std::string& name, Place place) const {
  if (!place.env)
    return unreachable("the environment is not made yet when this is read",
                       "write out what `env." + name + "` stands for");
  const auto& env = draft_.tasks[static_cast<std::size_t>(task_)].task.env;
  if (env.contains(name)) return NameInfo{StaticType::String, secret_env_.contains(name), {}};
  std::vector<std::string> known;
  for (const auto& [key, value] : env) known.push_back(key);
  return unknown("this task's `env` has no `" + name + "`", suggestion(name, known, "add it to `env`"));
}

Result<NameInfo> TaskNames::secret(const std::string& name, Place place) const {
  if (place.secrets) return NameInfo{name.empty() ? StaticType::Object : StaticType::String, true, {}};
  const std::string shown = name.empty() ? "NAME" : name;
  return Error{ErrorCode::Forbidden, "a secret may stand in `env` only",
               "write secrets: [" + shown + "], and the command reads $" + shown};
}

// What any element of a list as written may be.
NameInfo type_of_elements(const text::Node& list) {
  NameInfo info = of_type(StaticType::Any);
  if (list.kind != text::NodeKind::List || list.items.empty()) return info;
  const text::NodeKind kind = list.items.front().kind;
  for (const text::Node& item : list.items)
    if (item.kind != kind || item.scalar.find("${{") != std::string::npos) return info;
  if (kind == text::NodeKind::Integer) info.type = StaticType::Integer;
  if (kind == text::NodeKind::Number) info.type = StaticType::Number;
  if (kind == text::NodeKind::Boolean) info.type = StaticType::Boolean;
  if (kind != text::NodeKind::Text) return info;
  info.type = StaticType::String;
  for (const text::Node& item : list.items) info.enum_values.push_back(item.scalar);
  return info;
}

// How the run is going to end is known to the tasks that come after all others.
Result<NameInfo> TaskNames::of_run(const std::string& name) const {
  if (name != "result" && name != "failures") return one_of(kRunNames, "run", name, StaticType::String);
  const TaskRole role = self().task.role;
  if (role != TaskRole::OnFailure && role != TaskRole::OnSuccess)
    return unreachable("`run." + name + "` is known only when the other tasks are over",
                       "`on_failure` and `on_success` may read it");
  if (name == "failures") return of_type(StaticType::Array);
  return NameInfo{StaticType::String, false, {"success", "failed"}};
}

Result<NameInfo> TaskNames::element(const std::string& name, Place place) const {
  if (is_fanned_out(self())) {
    if (!place.item)
      return unreachable("`" + name + "` is not known yet: the rule comes first, then `when`, then the list",
                         "let the list hold only what is wanted, or the command decide: exit_codes: {skip: [99]}");
    if (name == "index") return of_type(StaticType::Integer);
    return type_of_elements(*self().merged.find("for_each"));
  }
  return unreachable("`" + name + "` exists only in a task with `for_each`", "add for_each: ${{ list }}");
}

Result<NameInfo> TaskNames::other_task(const std::vector<std::string>& path) const {
  const std::string& id = path[1];
  const auto found = draft_.index.find(id);
  const TaskDraft& self = this->self();
  const bool is_last = self.task.role == TaskRole::OnFailure || self.task.role == TaskRole::OnSuccess;
  if (found == draft_.index.end()) {
    if (!draft_.may_search()) return unknown("`" + id + "` is no task of this DAG", "check its spelling");
    std::vector<std::string> known;
    for (const TaskId& need : self.task.needs) known.push_back(need.str());
    if (!nearest(id, known))
      for (const auto& [name, at] : draft_.index) known.push_back(name);
    return unknown("`" + id + "` is no task of this DAG", suggestion(id, known, ""));
  }
  if (found->second == task_)
    return unreachable("task `" + id + "` reads its own result", "it is not known before the task ends");
  if (!is_last && !reach_.is_upstream(found->second, task_))
    return unreachable(
        "task `" + id + "` does not end before `" + self.task.id.str() + "`, so its result may not exist",
        "add `" + id + "` to the needs of `" + self.task.id.str() + "`");
  const TaskDraft& task = draft_.tasks[static_cast<std::size_t>(found->second)];
  if (path.size() == 2) return of_type(StaticType::Object);
  if (path[2] == "state") return of_type(StaticType::String);
  if (path[2] == "attempts") return of_type(StaticType::Integer);
  if (path[2] != "outputs")
    return unknown("`tasks." + id + "." + path[2] + "` does not exist",
                   suggestion(path[2], {"outputs", "state", "attempts"}, ""));
  if (path.size() == 3) return of_type(is_fanned_out(task) ? StaticType::Array : StaticType::Object);
  if (is_fanned_out(task))
    return unreachable("`tasks." + id + ".outputs` is a list, one element per instance",
                       "write pluck(tasks." + id + ".outputs, '" + path[3] + "')");
  return output(task, path[3]);
}

Result<NameInfo> TaskNames::output(const TaskDraft& task, const std::string& name) const {
  const std::string& id = task.task.id.str();
  if (task.task.kind == TaskKind::Service)
    return one_of(kServiceOutputs, "tasks." + id + ".outputs", name, StaticType::String);
  if (const auto declared = task.task.outputs.find(name); declared != task.task.outputs.end())
    return of_type(static_type(declared->second.type));
  if (task.task.kind == TaskKind::Approve) return answer(task, name);
  if (task.task.kind == TaskKind::Dag || task.task.kind == TaskKind::Wait)
    return one_of(task.task.kind == TaskKind::Dag ? kSubRunOutputs : outputs_of_wait(task.task),
                  "tasks." + id + ".outputs", name, StaticType::String);
  std::vector<std::string> known;
  for (const auto& [key, decl] : task.task.outputs) known.push_back(key);
  const std::string declare = "declare it in task `" + id + "` (line " + std::to_string(task.task.span.line) +
                              "): outputs: {" + name + ": string}";
  const auto word = nearest(name, known);
  return unknown("task `" + id + "` declares no output `" + name + "`",
                 word ? "did you mean `" + *word + "`?" : declare);
}

// What a person answered: the fields of the form.
Result<NameInfo> TaskNames::answer(const TaskDraft& task, const std::string& name) const {
  std::vector<std::string> known;
  for (const Param& field : task.task.approve ? task.task.approve->fields : std::vector<Param>()) {
    if (field.name == name) return of_type(static_type(field.type));
    known.push_back(field.name);
  }
  return unknown("task `" + task.task.id.str() + "` asks for no `" + name + "`",
                 suggestion(name, known, "add it to its form: approve: {fields: {" + name + ": {}}}"));
}

}  // namespace slipway::dag
