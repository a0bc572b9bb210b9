// Clear, retry and mark: what people do to instances of runs, over or not. Each either changes nothing and returns an
// error, or opens next generations of everything it names in one step.
#include <algorithm>
#include <set>

#include "engine/core.h"
#include "engine/selection.h"

namespace slipway::engine {
namespace {

using run::RunState;
using run::TaskState;

constexpr std::size_t kRunsMax = 1'000;  // that one command clears
constexpr int kPage = 500;

std::string in_words(const std::string& state, const std::string& reason) {
  return "marked " + state + (reason.empty() ? " by hand" : ": " + reason);
}

Error not_marked(const std::string& what, std::string_view state) {
  return {ErrorCode::Conflict, what + " is " + std::string(state) + " already", {}};
}

}  // namespace

// A run that actions may change: not one that is about to end otherwise.
Result<run::ActiveRun*> Core::run_to_change(const RunId& id) {
  SLIPWAY_TRY_ASSIGN(run::ActiveRun * run, active_or_loaded(id));
  if (run->state.state == RunState::Cancelling)
    return Error{ErrorCode::Conflict, "run " + id.str() + " is being cancelled", "do it once the run is cancelled"};
  if (run->state.marked)
    return Error{ErrorCode::Conflict, "run " + id.str() + " was marked and ends with its last attempt",
                 "do it once the run is over"};
  return run;
}

void Core::stop_for_action(const run::ActiveRun& run, const TaskKey& key) {
  const run::Attempt* last = run.state.last_attempt(key);
  if (last == nullptr || run::is_terminal(last->state) || last->stop_cause != run::FailureClass::None) return;
  stop({last->id, run::FailureClass::External});
}

// A run stays with its backfill while that goes on.
void Core::reopen(const RunId& id) {
  const std::string& backfill = snapshot_.runs.at(id).state.backfill;
  const auto found = snapshot_.backfills.find(backfill);
  const bool goes_on = found != snapshot_.backfills.end() && found->second.state.state == run::BackfillState::Running;
  emit(id, run::RunReopened{goes_on ? backfill : std::string()});
}

void Core::reset(const RunId& id, const std::vector<Change>& changes) {
  const run::ActiveRun& run = snapshot_.runs.at(id);
  for (const Change& change : changes) {
    // What was expanded and has not run goes with its placeholder.
    std::vector<TaskKey> left;
    if (change.key.map_index == TaskKey::kUnmapped)
      for (const auto& [key, instance] : run.state.mapped(change.key.task))
        if (!run::is_terminal(instance.state)) left.push_back(key);
    for (const TaskKey& key : left) emit(id, run::TaskMoved{key, TaskState::Cancelled, "its task was cleared"});
    const run::Attempt* last = run.state.last_attempt(change.key);
    if (last == nullptr || run::is_terminal(last->state)) {
      emit(id, run::TaskReset{change.key});
    } else {
      stop_for_action(run, change.key);
      emit(id, run::TaskClearing{change.key});
    }
  }
}

Result<Reply> Core::run_command(const RetryRun& command) {
  SLIPWAY_TRY_ASSIGN(run::ActiveRun * run, run_to_change(command.run));
  SLIPWAY_TRY(check_keys(*run, command.tasks));
  std::vector<Change> changes = select_failed(*run, command.tasks);
  if (changes.empty())
    return Error{ErrorCode::Conflict,
                 "run " + command.run.str() + " has nothing that failed" +
                     (command.tasks.empty() ? "" : " among the tasks that were named"),
                 "slipway run clear runs tasks again whatever their state"};
  if (run::is_terminal(run->state.state)) reopen(command.run);
  reset(command.run, changes);
  return Reply{command.run, false, std::move(changes)};
}

// Runs of the same DAG with an earlier or later logical date, as the command asks.
Result<std::vector<RunId>> Core::runs_beside(const run::Run& run, const ClearRun& command) {
  std::vector<RunId> found;
  if (!command.past && !command.future) return found;
  SLIPWAY_TRY_ASSIGN(const auto reader, store_.read());
  store::RunFilter filter;
  filter.dag = run.header.dag;
  filter.limit = kPage;
  for (;;) {
    SLIPWAY_TRY_ASSIGN(const auto page, reader->list_runs(filter));
    for (const store::RunSummary& other : page) {
      const Instant date = other.header.logical_date;
      if ((command.past && date < run.header.logical_date) || (command.future && date > run.header.logical_date))
        found.push_back(other.header.id);
    }
    if (found.size() >= kRunsMax)
      return Error{ErrorCode::TooLarge, "more than " + std::to_string(kRunsMax) + " runs would be cleared at once",
                   "use slipway run backfill with --reprocess"};
    if (page.size() < static_cast<std::size_t>(kPage)) return found;
    filter.before = page.back().header.id;
  }
}

Result<Core::ClearPlan> Core::plan_clear(const run::ActiveRun& run, const ClearRun& command) {
  const auto entry = snapshot_.dags.find(run.state.header.dag);
  if (!command.current_version || entry->second.version == run.state.header.version)
    return ClearPlan{std::nullopt, select(run, command)};
  SLIPWAY_TRY_ASSIGN(run::RunReversioned version, newest_version_for(run, command));
  // Selected in the run as it will be: what is above and below is what the newer version says.
  run::ActiveRun after = run;
  const auto tell = [&](run::EventBody body) {
    run::fold(after, {after.state.header.id, after.state.last_seq + 1, now_, std::move(body)});
  };
  if (run::is_terminal(run.state.state)) tell(run::RunReopened{});
  after.dag = entry->second.dag;
  tell(version);
  ClearPlan plan{std::move(version), select(after, command)};
  for (Change& change : undecided(after))
    if (std::none_of(plan.resets.begin(), plan.resets.end(), [&](const Change& c) { return c.key == change.key; }))
      plan.resets.push_back(std::move(change));
  return plan;
}

Result<Reply> Core::run_command(const ClearRun& command) {
  SLIPWAY_TRY_ASSIGN(const run::ActiveRun* first, run_to_change(command.run));
  if (!command.current_version) SLIPWAY_TRY(check_keys(*first, command.tasks));
  SLIPWAY_TRY_ASSIGN(std::vector<RunId> ids, runs_beside(first->state, command));
  ids.insert(ids.begin(), command.run);
  Reply reply{command.run};
  std::map<RunId, ClearPlan> plans;
  for (const RunId& id : ids) {
    SLIPWAY_TRY_ASSIGN(const run::ActiveRun* run, run_to_change(id));
    SLIPWAY_TRY_ASSIGN(ClearPlan plan, plan_clear(*run, command));
    if (plan.version) {
      for (const TaskKey& key : plan.version->removed)
        reply.changes.push_back({id, key, run->state.tasks.at(key).state, Action::Remove});
      for (const TaskKey& key : plan.version->added) reply.changes.push_back({id, key, TaskState::None, Action::Add});
    }
    reply.changes.insert(reply.changes.end(), plan.resets.begin(), plan.resets.end());
    plans.emplace(id, std::move(plan));
  }
  if (command.preview) return reply;
  if (reply.changes.empty())
    return Error{ErrorCode::Conflict, "nothing of run " + command.run.str() + " that was named has begun", {}};
  for (auto& [id, plan] : plans) clear(id, std::move(plan));
  return reply;
}

void Core::clear(const RunId& id, ClearPlan plan) {
  if (plan.resets.empty() && !plan.version) return;
  run::ActiveRun& run = snapshot_.runs.at(id);
  if (run::is_terminal(run.state.state)) reopen(id);
  if (plan.version) {
    batch_.events.push_back({id, run.state.last_seq + 1, now_, *std::move(plan.version)});
    run::change_version(snapshot_, batch_.events.back(), snapshot_.dags.at(run.state.header.dag).dag);
    changed_.insert(id);
  }
  reset(id, plan.resets);
}

Result<Reply> Core::run_command(const MarkRun& command) {
  SLIPWAY_TRY_ASSIGN(run::ActiveRun * run, run_to_change(command.run));
  if (command.to != TaskState::Success && command.to != TaskState::Failed &&
      (command.to != TaskState::Skipped || !command.task))
    return Error{ErrorCode::InvalidArgument,
                 "`" + std::string(run::kTaskStates.text(command.to)) + "` cannot be marked",
                 command.task ? "a task is marked success, failed or skipped" : "a run is marked success or failed"};
  return command.task ? mark_task(*run, command) : mark_run(*run, command);
}

// What follows from the task and has not run is decided on again; a run that is over goes on for it.
Result<Reply> Core::mark_task(run::ActiveRun& run, const MarkRun& command) {
  SLIPWAY_TRY(check_keys(run, {*command.task}));
  Reply reply{command.run};
  for (const auto& [key, instance] : run.state.tasks) {
    const bool meant = key.task == command.task->task &&
                       (command.task->map_index == TaskKey::kUnmapped || command.task->map_index == key.map_index);
    if (meant && instance.state != TaskState::Removed && (instance.state != command.to || instance.clearing))
      reply.changes.push_back({command.run, key, instance.state, Action::Mark});
  }
  const std::string state(run::kTaskStates.text(command.to));
  if (reply.changes.empty()) return not_marked("`" + command.task->str() + "`", state);
  if (run::is_terminal(run.state.state)) reopen(command.run);
  std::vector<TaskKey> keys;
  for (const Change& change : reply.changes) {
    stop_for_action(run, change.key);
    emit(command.run, run::TaskMarked{change.key, command.to, in_words(state, command.reason)});
    keys.push_back(change.key);
  }
  const std::vector<Change> below = undecided_below(run, keys);
  reset(command.run, below);
  reply.changes.insert(reply.changes.end(), below.begin(), below.end());
  return reply;
}

// Of the run: what is under way is stopped and marked likewise, what has not begun is skipped. What its tasks say does
// not matter any more.
Result<Reply> Core::mark_run(run::ActiveRun& run, const MarkRun& command) {
  const RunState to = command.to == TaskState::Success ? RunState::Success : RunState::Failed;
  const std::string state(run::kRunStates.text(to));
  if (run.state.state == to) return not_marked("run " + command.run.str(), state);
  const std::string reason = in_words(state, command.reason);
  Reply reply{command.run};
  for (const auto& [key, instance] : run.state.tasks)
    if (!run::is_terminal(instance.state)) reply.changes.push_back({command.run, key, instance.state, Action::Mark});
  for (const Change& change : reply.changes) {
    const bool began = change.from != TaskState::None && change.from != TaskState::Scheduled;
    stop_for_action(run, change.key);
    if (run::is_terminal(run.state.state)) continue;
    emit(command.run, run::TaskMarked{change.key, began ? command.to : TaskState::Skipped, "the run was " + reason});
  }
  emit(command.run, run::RunMarked{to, reason});
  return reply;
}

}  // namespace slipway::engine
