#include "slipway/sched/scope.h"

#include <algorithm>

#include "sched/run_result.h"
#include "slipway/dag/expr.h"
#include "slipway/sched/outcome.h"

namespace slipway::sched {
namespace {

// Every dotted name that the templates read. What a file may name was checked when it was parsed.
std::set<std::vector<std::string>> names_in(const std::vector<const dag::Template*>& templates) {
  std::set<std::vector<std::string>> names;
  for (const dag::Template* text : templates) {
    if (!text->has_expression()) continue;
    Diagnostics ignored;
    const auto any = [](const std::vector<std::string>&) { return Result<dag::NameInfo>(dag::NameInfo{}); };
    names.merge(dag::check_template(*text, any, ignored).names);
  }
  return names;
}

dag::TimeZone zone_of(const run::ActiveRun& run) {
  const auto& schedules = run.dag->schedules;
  const auto own = std::find_if(schedules.begin(), schedules.end(),
                                [&](const auto& schedule) { return schedule.name == run.state.header.schedule; });
  if (own != schedules.end()) return own->zone;
  return schedules.empty() ? dag::TimeZone() : schedules.front().zone;
}

std::string without(std::string text, std::string_view dropped) {
  text.erase(std::remove_if(text.begin(), text.end(), [&](char c) { return dropped.find(c) != dropped.npos; }),
             text.end());
  return text;
}

Value run_names(const run::ActiveRun& run) {
  const run::RunHeader& header = run.state.header;
  const dag::TimeZone zone = zone_of(run);
  const std::string ts = dag::to_rfc3339(header.logical_date, zone);
  const std::string ds = ts.substr(0, 10);
  return Value::Object{{"id", header.id.str()},
                       {"trigger", run::kTriggerKinds.text(header.trigger)},
                       {"schedule", header.schedule},
                       {"logical_date", ts},
                       {"scheduled_at", ts},
                       {"interval_start", dag::to_rfc3339(header.interval_start, zone)},
                       {"interval_end", dag::to_rfc3339(header.interval_end, zone)},
                       {"ts", ts},
                       {"ds", ds},
                       {"ds_nodash", without(ds, "-")},
                       {"ts_nodash", without(ts.substr(0, 19), "-:")}};
}

void add_result(const run::ActiveRun& run, Value& names) {
  const RunMove end = conclude(run);
  Value::Array failures(end.failures.begin(), end.failures.end());
  names["result"] = run::kRunStates.text(end.to);
  names["failures"] = std::move(failures);
}

Value outputs_of(const run::TaskInstance& instance) {
  return instance.state == run::TaskState::Success ? instance.outputs : Value();
}

Value task_names(const run::ActiveRun& run, const TaskId& id) {
  const auto found = run.state.tasks.find({id, TaskKey::kUnmapped});
  const int index = run.dag->index_of(id);
  if (found == run.state.tasks.end() || index < 0) return {};
  Value outputs = outputs_of(found->second);
  int attempts = found->second.attempts;
  if (found->second.state == run::TaskState::Removed) outputs = Value::Array{};
  for (const auto& [key, instance] : run.state.mapped(id)) {
    if (instance.state == run::TaskState::Removed) continue;
    outputs.as_array().push_back(outputs_of(instance));
    attempts += instance.attempts;
  }
  return Value::Object{{"outputs", std::move(outputs)},
                       {"state", run::kTaskStates.text(outcome_of(run, index))},
                       {"attempts", attempts}};
}

// A variable that is set, else what the DAG says it is meanwhile.
const Value* find_var(const run::Snapshot& snapshot, const run::ActiveRun& run, const std::string& name) {
  if (const Value* set = snapshot.vars.find(name)) return set;
  const auto fallback = run.dag->vars.find(name);
  return fallback == run.dag->vars.end() ? nullptr : &fallback->second;
}

Value::Object all_vars(const run::Snapshot& snapshot, const run::ActiveRun& run) {
  Value::Object all(run.dag->vars.begin(), run.dag->vars.end());
  if (snapshot.vars.is_object())
    for (const auto& [name, value] : snapshot.vars.as_object()) all.insert_or_assign(name, value);
  return all;
}

// Null for a DAG that the folder no longer holds and nobody remembers.
Value folder_of(const run::Snapshot& snapshot, const run::ActiveRun& run) {
  const auto entry = snapshot.dags.find(run.dag->id);
  return entry == snapshot.dags.end() || entry->second.folder.empty() ? Value() : Value(entry->second.folder);
}

}  // namespace

Value names_for(const run::Snapshot& snapshot, const run::ActiveRun& run,
                const std::vector<const dag::Template*>& templates, const run::TaskInstance* instance) {
  Value::Object vars;
  Value own_run = run_names(run);
  Value::Object tasks;
  for (const auto& path : names_in(templates)) {
    if (path.size() < 2) {
      if (path[0] == "vars") vars = all_vars(snapshot, run);
      continue;
    }
    if (path[0] == "run" && (path[1] == "result" || path[1] == "failures")) add_result(run, own_run);
    if (path[0] == "tasks") tasks.try_emplace(path[1], task_names(run, TaskId(path[1])));
    const Value* var = path[0] == "vars" ? find_var(snapshot, run, path[1]) : nullptr;
    if (var != nullptr) vars.try_emplace(path[1], *var);
  }
  Value names = Value::Object{
      {"params", run.state.header.params},
      {"vars", std::move(vars)},
      {"run", std::move(own_run)},
      {"dag",
       Value::Object{{"id", run.dag->id.str()}, {"owner", run.dag->owner}, {"folder", folder_of(snapshot, run)}}},
      {"tasks", std::move(tasks)}};
  if (instance != nullptr && instance->key.map_index != TaskKey::kUnmapped) {
    names["item"] = instance->item;
    names["index"] = instance->key.map_index;
  }
  return names;
}

}  // namespace slipway::sched
