#include "slipway/engine/preview.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <set>

#include "engine/render.h"
#include "engine/render_wait.h"
#include "slipway/dag/expr.h"
#include "slipway/sched/scope.h"

namespace slipway::engine {
namespace {

using Path = std::vector<std::string>;

struct Text {
  std::string path;
  dag::Template text;
  bool shell = false;
};

std::set<Path> names_in(const dag::Template& text) {
  if (!text.has_expression()) return {};
  Diagnostics ignored;
  const auto any = [](const Path&) { return Result<dag::NameInfo>(dag::NameInfo{}); };
  return dag::check_template(text, any, ignored).names;
}

std::string dotted(const Path& path) {
  std::string text;
  for (const std::string& word : path) text += (text.empty() ? "" : ".") + word;
  return text;
}

// Every text below `value`, "smoke.json.prompts[0]".
void add_value(const std::string& path, const Value& value, std::vector<Text>& texts) {
  if (value.is_string()) texts.push_back({path, {value.as_string(), {}}});
  if (value.is_array())
    for (std::size_t i = 0; i < value.as_array().size(); ++i)
      add_value(path + "[" + std::to_string(i) + "]", value.as_array()[i], texts);
  if (value.is_object())
    for (const auto& [name, member] : value.as_object()) add_value(path + "." + name, member, texts);
}

void add_list(const std::string& path, const std::vector<dag::Template>& list, std::vector<Text>& texts) {
  for (std::size_t i = 0; i < list.size(); ++i) texts.push_back({path + "[" + std::to_string(i) + "]", list[i]});
}

void add_command(const std::string& path, const dag::Command& command, std::vector<Text>& texts) {
  if (command.shell)
    texts.push_back({path, command.words.front(), true});
  else
    add_list(path, command.words, texts);
}

// The same, of those alone that hold an expression: a manifest is long.
void add_expressions(const std::string& path, const Value& value, std::vector<Text>& texts) {
  std::vector<Text> all;
  add_value(path, value, all);
  for (Text& text : all)
    if (text.text.has_expression()) texts.push_back(std::move(text));
}

void add_service(const dag::Service& service, std::vector<Text>& texts) {
  add_command("service.run", service.run, texts);
  if (service.smoke) add_value("service.smoke.json", service.smoke->json, texts);
}

// The texts of a task in the order in which they are made when it runs; its environment is a matter of its own.
std::vector<Text> texts_of(const dag::Task& task) {
  std::vector<Text> texts;
  if (task.when) texts.push_back({"when", *task.when});
  if (task.for_each && task.for_each->list) texts.push_back({"for_each", *task.for_each->list});
  if (task.for_each && !task.for_each->list) add_value("for_each", task.for_each->items, texts);
  if (task.image) texts.push_back({"image", *task.image});
  add_command("run", task.run, texts);
  if (task.service) add_service(*task.service, texts);
  for (const dag::Manifest& manifest : task.manifests) add_expressions(manifest.file, manifest.object, texts);
  add_list("args", task.pod.args, texts);
  for (const auto& [name, text] : task.pod.labels) texts.push_back({"labels." + name, text});
  for (const auto& [name, text] : task.pod.annotations) texts.push_back({"annotations." + name, text});
  if (task.workdir) texts.push_back({"workdir", *task.workdir});
  for (const auto& [name, uri] : task.inputs) texts.push_back({"inputs." + name, uri});
  if (task.wait && !task.wait->target.text.empty())
    texts.push_back({"wait." + std::string(dag::kWaitKinds.text(task.wait->kind)), task.wait->target});
  if (task.approve) texts.push_back({"approve.message", task.approve->message});
  if (task.sub_dag) add_value("dag.params", task.sub_dag->params, texts);
  add_list("produces", task.produces, texts);
  add_list("consumes", task.consumes, texts);
  if (task.cache) add_list("cache.key", task.cache->key, texts);
  add_value("set_vars", task.set_vars, texts);
  return texts;
}

class Previewer {
 public:
  explicit Previewer(const PreviewInput& input) : in_(input) {
    run_.dag = std::shared_ptr<const dag::Dag>(std::shared_ptr<const dag::Dag>(), &input.dag);
    run_.state.header.dag = input.dag.id;
    run_.state.header.params = input.params;
    run_.state.header.logical_date = input.logical_date;
    run_.state.header.interval_start = run_.state.header.interval_end = input.logical_date;
    snapshot_.vars = input.vars;
    snapshot_.dags[input.dag.id].folder = input.folder;
  }

  PreviewTask task(const dag::Task& task) {
    PreviewTask out{task.id, {}};
    env_ = Value::Object{};
    std::vector<PreviewField> env;
    for (const auto& [name, text] : task.env) {
      env.push_back(render({"env." + name, text}));
      const PreviewField& made = env.back();
      if (made.unknown.empty() && made.error.empty()) env_[name] = made.text;
    }
    for (const Text& text : texts_of(task)) out.fields.push_back(render(text));
    out.fields.insert(out.fields.end(), std::make_move_iterator(env.begin()), std::make_move_iterator(env.end()));
    for (const dag::Manifest& manifest : task.manifests) out.manifests.push_back(object_of(manifest.object));
    return out;
  }

 private:
  [[nodiscard]] bool is_known(const Path& path) const {
    static const std::set<std::string> kOfTheDate{"logical_date", "scheduled_at", "interval_start", "interval_end",
                                                  "ts",           "ds",           "ts_nodash",      "ds_nodash"};
    const std::string& root = path.front();
    if (root == "params") return true;
    if (path.size() < 2) return false;
    if (root == "dag") return path[1] != "folder" || !in_.folder.empty();
    if (root == "secrets") return true;
    if (root == "run") return kOfTheDate.contains(path[1]);
    if (root == "env") return env_.count(path[1]) > 0;
    return root == "vars" && (in_.vars.find(path[1]) != nullptr || in_.dag.vars.contains(path[1]));
  }

  // What is known only in a run stays the expression that it is.
  [[nodiscard]] Value object_of(const Value& value) const {
    Value out = value;
    if (value.is_array())
      for (Value& element : out.as_array()) element = object_of(element);
    if (value.is_object())
      for (auto& [name, member] : out.as_object()) member = object_of(member);
    const dag::Template text{value.is_string() ? value.as_string() : "", {}};
    const std::set<Path> names = names_in(text);
    if (!text.has_expression() || !std::all_of(names.begin(), names.end(), [&](const Path& p) { return is_known(p); }))
      return out;
    dag::Scope scope{sched::names_for(snapshot_, run_, {&text}), nullptr};
    scope.names["env"] = env_;
    auto made = render_json(value, scope, "");
    return made ? *std::move(made) : value;
  }

  PreviewField render(const Text& text) {
    PreviewField field{text.path, text.text.text, {}, {}};
    std::map<std::string, Secret> secrets;
    for (const Path& path : names_in(text.text)) {
      if (!is_known(path)) field.unknown.push_back(dotted(path));
      if (path.size() > 1 && path.front() == "secrets") secrets.emplace(path[1], Secret("***"));
    }
    if (!field.unknown.empty()) return field;
    dag::Scope scope{sched::names_for(snapshot_, run_, {&text.text}), &secrets};
    scope.names["env"] = env_;
    make(text, scope, field);
    return field;
  }

  // A whole expression may be a list; it is shown as JSON.
  static void make(const Text& text, const dag::Scope& scope, PreviewField& field) {
    const auto rendered = dag::render(text.text, scope, text.shell ? dag::TextUse::Shell : dag::TextUse::Plain);
    if (rendered) {
      field.text = rendered->text;
      return;
    }
    const auto value = dag::evaluate(text.text, scope);
    const bool shown = value && !text.shell && (value->is_array() || value->is_object());
    if (shown && takes_values(text.path))
      field.text = value->dump();
    else
      field.error = rendered.error().message;
  }
  static bool takes_values(const std::string& path) {
    return path == "for_each" || path.rfind("dag.params", 0) == 0 || path.rfind("set_vars", 0) == 0 ||
           path.rfind("service.smoke.json", 0) == 0;
  }

  const PreviewInput& in_;
  run::ActiveRun run_;
  run::Snapshot snapshot_;
  Value::Object env_;
};

}  // namespace

std::vector<PreviewTask> preview(const PreviewInput& input) {
  Previewer previewer(input);
  std::vector<PreviewTask> tasks;
  for (const dag::Task& task : input.dag.tasks) tasks.push_back(previewer.task(task));
  return tasks;
}

namespace {

// The rendered fields below a list or map: "run[1]" of "run", "env.MODEL" of "env".
bool is_below(const std::string& path, std::string_view field, char separator) {
  return path.size() > field.size() + 1 && path.starts_with(field) && path[field.size()] == separator;
}

Value::Array list_of(const PreviewTask& shown, std::string_view field) {
  Value::Array list;
  for (const PreviewField& each : shown.fields)
    if (is_below(each.path, field, '[')) list.emplace_back(each.text);
  return list;
}

Value::Object map_of(const PreviewTask& shown, std::string_view field, bool known_only) {
  Value::Object map;
  for (const PreviewField& each : shown.fields)
    if (is_below(each.path, field, '.') && (!known_only || each.unknown.empty()))
      map[each.path.substr(field.size() + 1)] = each.text;
  return map;
}

std::string text_of(const PreviewTask& shown, std::string_view field) {
  for (const PreviewField& each : shown.fields)
    if (each.path == field) return each.text;
  return {};
}

}  // namespace

exec::LaunchSpec preview_pod(const PreviewInput& input, const dag::Task& task, const PreviewTask& shown) {
  exec::LaunchSpec spec;
  run::RunHeader header;
  header.id = RunId(std::string(26, '0'));
  header.dag = input.dag.id;
  header.params = input.params;
  header.logical_date = header.interval_start = header.interval_end = input.logical_date;
  spec.id = {header.id, {task.id, TaskKey::kUnmapped}, 1};
  spec.dag = input.dag.id;
  spec.executor = "kubernetes";
  const char* const command = task.service ? "service.run" : "run";
  const bool shell = task.service ? task.service->run.shell : task.run.shell;
  if (shell) spec.argv = {"/bin/sh", "-ec", text_of(shown, command)};
  for (const Value& word : list_of(shown, command)) spec.argv.push_back(word.as_string());
  for (const auto& [name, text] : map_of(shown, "env", false)) spec.env[name] = text.as_string();
  add_contract(header, spec.id, {}, spec.env);
  spec.grace = task.grace;
  spec.resources = {task.resources.cpu_milli, task.resources.memory_bytes};
  if (task.kind != dag::TaskKind::Image || task.workdir)
    spec.workdir = (std::filesystem::path(kPodWorkspace) / text_of(shown, "workdir")).lexically_normal().string();
  if (spec.workdir.ends_with('/')) spec.workdir.pop_back();
  spec.pod = pod_spec(task, Value(Value::Object{{"image", text_of(shown, "image")},
                                                {"args", list_of(shown, "args")},
                                                {"labels", map_of(shown, "labels", true)},
                                                {"annotations", map_of(shown, "annotations", true)}}));
  if (task.kind != dag::TaskKind::Service && task.kind != dag::TaskKind::Apply) return spec;
  spec.executor = exec::kRollouts;
  spec.rollout = exec::RolloutSpec{shown.manifests, task.service && task.service->recreate};
  if (task.service)
    spec.service = exec::ServiceSpec{task.service->name,   input.dag.id, task.service->port,
                                     task.service->health, {},           task.service->rollout_timeout};
  return spec;
}

}  // namespace slipway::engine
