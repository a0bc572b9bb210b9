#include "slipway/sched/scope.h"

#include <algorithm>

#include "slipway/dag/expr.h"

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

Value task_names(const run::ActiveRun& run, const TaskId& id) {
  const auto found = run.state.tasks.find({id, TaskKey::kUnmapped});
  if (found == run.state.tasks.end()) return {};
  const run::TaskInstance& instance = found->second;
  return Value::Object{{"outputs", instance.state == run::TaskState::Success ? instance.outputs : Value()},
                       {"state", run::kTaskStates.text(instance.state)},
                       {"attempts", instance.attempts}};
}

// Null for a DAG that the folder no longer holds and nobody remembers.
Value folder_of(const run::Snapshot& snapshot, const run::ActiveRun& run) {
  const auto entry = snapshot.dags.find(run.dag->id);
  return entry == snapshot.dags.end() || entry->second.folder.empty() ? Value() : Value(entry->second.folder);
}

}  // namespace

Value names_for(const run::Snapshot& snapshot, const run::ActiveRun& run,
                const std::vector<const dag::Template*>& templates) {
  Value::Object vars;
  Value::Object tasks;
  for (const auto& path : names_in(templates)) {
    if (path.size() < 2) {
      if (path[0] == "vars" && snapshot.vars.is_object()) vars = snapshot.vars.as_object();
      continue;
    }
    if (path[0] == "tasks") tasks.try_emplace(path[1], task_names(run, TaskId(path[1])));
    const Value* var = path[0] == "vars" ? snapshot.vars.find(path[1]) : nullptr;
    if (var != nullptr) vars.try_emplace(path[1], *var);
  }
  return Value::Object{
      {"params", run.state.header.params},
      {"vars", std::move(vars)},
      {"run", run_names(run)},
      {"dag",
       Value::Object{{"id", run.dag->id.str()}, {"owner", run.dag->owner}, {"folder", folder_of(snapshot, run)}}},
      {"tasks", std::move(tasks)}};
}

}  // namespace slipway::sched
