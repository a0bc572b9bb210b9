// Runs that go on with another version of their DAG: a clear with the current one, and the run that resumes another.
#include <algorithm>
#include <set>

#include "engine/core.h"
#include "engine/selection.h"
#include "slipway/dag/parse.h"

namespace slipway::engine {
namespace {

using run::TaskState;

std::string list_of(const std::vector<TaskId>& ids) {
  std::string text;
  for (const TaskId& id : ids) text += (text.empty() ? "`" : ", `") + id.str() + "`";
  return text.empty() ? "none" : text;
}

// "tasks removed: `a`; added: `b`"
std::string difference(const dag::Dag& from, const dag::Dag& to) {
  std::vector<TaskId> removed, added;
  for (const dag::Task& task : from.tasks)
    if (to.find(task.id) == nullptr) removed.push_back(task.id);
  for (const dag::Task& task : to.tasks)
    if (from.find(task.id) == nullptr) added.push_back(task.id);
  return "tasks removed: " + list_of(removed) + "; added: " + list_of(added);
}

// What the version declares of the run's parameters; defaults for what is new.
Value known_params(const dag::Dag& dag, const Value& params) {
  Value::Object known;
  for (const dag::Param& param : dag.params)
    if (const Value* value = params.find(param.name)) known.emplace(param.name, *value);
  return known;
}

// Teardowns and hooks belong to their own run, and what a setup made is torn down by then.
bool is_always_run(const dag::Dag& dag, const dag::Task& task) {
  return task.role != dag::TaskRole::Body ||
         std::any_of(dag.tasks.begin(), dag.tasks.end(), [&](const dag::Task& other) {
           return std::count(other.setups.begin(), other.setups.end(), task.id) != 0;
         });
}

// What the new run need not do: it was done in the old one, and so was everything that it depends on. The placeholder
// of a task that expanded is no result: such tasks run again.
std::vector<bool> done_before(const dag::Dag& dag, const run::Run& old, const std::set<TaskId>& from) {
  std::vector<bool> done(dag.tasks.size(), false);
  for (const int index : dag.order) {
    const dag::Task& task = dag.tasks[static_cast<std::size_t>(index)];
    const auto instance = old.tasks.find({task.id, TaskKey::kUnmapped});
    if (instance == old.tasks.end() || from.count(task.id) != 0 || is_always_run(dag, task)) continue;
    const TaskState state = instance->second.state;
    if (state != TaskState::Success && state != TaskState::Skipped) continue;
    done[static_cast<std::size_t>(index)] =
        task.enclosing_setups.empty() && std::all_of(task.needs.begin(), task.needs.end(), [&](const TaskId& need) {
          return done[static_cast<std::size_t>(dag.index_of(need))];
        });
  }
  return done;
}

}  // namespace

// How the run would go on with the newest version. Refused where that version lacks a task that is named, or one with
// an attempt under way.
Result<run::RunReversioned> Core::newest_version_for(const run::ActiveRun& run, const ClearRun& command) {
  const run::DagEntry& entry = snapshot_.dags.at(run.state.header.dag);
  const dag::Dag& dag = *entry.dag;
  std::vector<TaskId> missing;
  for (const TaskKey& key : command.tasks)
    if (dag.find(key.task) == nullptr) missing.push_back(key.task);
  for (const AttemptId& id : run.open_attempts)
    if (dag.find(id.key.task) == nullptr) missing.push_back(id.key.task);
  if (!missing.empty())
    return Error{ErrorCode::Conflict,
                 "version " + entry.version.str().substr(0, 12) + " of DAG `" + dag.id.str() + "` has no task " +
                     list_of(missing) + ", which run " + run.state.header.id.str() + " would run again",
                 difference(*run.dag, dag)};
  run::RunReversioned event{entry.version, {}, {}, {}};
  SLIPWAY_TRY_ASSIGN(event.params, params_for(dag, known_params(dag, run.state.header.params)));
  for (const dag::Task& task : dag.tasks) {
    const auto known = run.state.tasks.find({task.id, TaskKey::kUnmapped});
    if (known == run.state.tasks.end() || run.task(task.id) == nullptr)
      event.added.push_back({task.id, TaskKey::kUnmapped});
  }
  for (const auto& [key, instance] : run.state.tasks)
    if (dag.find(key.task) == nullptr && instance.state != TaskState::Removed) event.removed.push_back(key);
  return event;
}

Result<Reply> Core::run_command(const ResumeRun& command) {
  SLIPWAY_TRY_ASSIGN(const run::ActiveRun* source, active_or_loaded(command.run));
  const run::Run& old = source->state;
  if (!run::is_terminal(old.state))
    return Error{ErrorCode::Conflict, "run " + command.run.str() + " is not over",
                 "slipway run cancel stops it, slipway run clear runs tasks of it again"};
  run::DagEntry& entry = snapshot_.dags.at(old.header.dag);
  if (!entry.present) return Error{ErrorCode::NotFound, "there is no DAG `" + old.header.dag.str() + "` any more", {}};
  SLIPWAY_TRY_ASSIGN(const auto earlier, run_of_key(old.header.dag, command.idempotency_key));
  if (earlier) return Reply{*earlier, true};
  const dag::Dag& dag = *entry.dag;
  for (const TaskId& id : command.from)
    if (dag.find(id) == nullptr)
      return Error{ErrorCode::NotFound, "DAG `" + dag.id.str() + "` has no task `" + id.str() + "`",
                   difference(*source->dag, dag)};
  Value given = known_params(dag, old.header.params);
  if (command.params.is_object())
    for (const auto& [name, value] : command.params.as_object()) given[name] = value;
  run::RunHeader header = old.header;
  SLIPWAY_TRY_ASSIGN(header.params, params_for(dag, given));
  const auto done = done_before(dag, old, {command.from.begin(), command.from.end()});
  bool anything_left = false;
  for (std::size_t i = 0; i < done.size(); ++i)
    anything_left = anything_left || (!done[i] && dag.tasks[i].role == dag::TaskRole::Body);
  if (!anything_left)
    return Error{ErrorCode::Conflict, "every task of run " + command.run.str() + " is done",
                 "name the task to begin with: --from TASK"};
  header.trigger = command.kind;
  header.idempotency_key = command.idempotency_key;
  header.resumed_from = command.run;
  header.previous = RunId();
  header.parent.reset();  // nobody waits for it
  Reply reply{create_run(entry, std::move(header))};
  for (const int index : dag.order) {
    if (!done[static_cast<std::size_t>(index)]) continue;
    const TaskKey key{dag.tasks[static_cast<std::size_t>(index)].id, TaskKey::kUnmapped};
    const run::TaskInstance& taken = old.tasks.at(key);
    emit(reply.run, run::TaskMoved{key, taken.state, "taken over from run " + command.run.str(),
                                   run::FailureClass::None, taken.outputs});
    reply.changes.push_back({reply.run, key, taken.state, Action::TakeOver});
  }
  return reply;
}

}  // namespace slipway::engine
