#include "slipway/run/snapshot.h"

#include <algorithm>

#include "run/affected.h"

namespace slipway::run {
namespace {

// A task that the run's version no longer has: its instances are Removed and count nowhere.
bool is_unknown(const ActiveRun& run, const TaskId& id) { return run.dag->index.count(id) == 0; }

std::size_t index_of(const ActiveRun& run, const TaskId& id) {
  const auto found = run.dag->index.find(id);
  SLIPWAY_ASSERT(found != run.dag->index.end());
  return static_cast<std::size_t>(found->second);
}

void touch_all(ActiveRun& run) {
  for (const auto& [key, instance] : run.state.tasks) run.touched.insert(run.touched.end(), key);
}

// For max_parallel: it has an attempt, or another run works for it.
bool is_active(const dag::Task& task, TaskState state) {
  return state == TaskState::Queued || state == TaskState::Active || state == TaskState::Stopping ||
         (state == TaskState::Waiting && task.kind == dag::TaskKind::Dag);
}

void count_active(ActiveRun& run, std::size_t index, int by) {
  run.active[index] += by;
  for (const int group : run.dag->tasks[index].groups) run.group_active[static_cast<std::size_t>(group)] += by;
}

void count_upstream(ActiveRun& run, std::size_t index, TaskState state, int by) {
  for (const int below : run.dag->downstream_of(static_cast<int>(index)))
    run.upstream[static_cast<std::size_t>(below)].add(state, by);
}

// The first instant at which time alone ends a wait.
std::optional<Instant> end_of(const WaitState& waiting) {
  if (!waiting.due || !waiting.deadline) return waiting.due ? waiting.due : waiting.deadline;
  return std::min(*waiting.due, *waiting.deadline);
}

void count_waiting(ActiveRun& run, const TaskInstance& instance, int by) {
  by > 0 ? void(run.waiting.insert(instance.key)) : void(run.waiting.erase(instance.key));
  const auto end = end_of(*instance.waiting);
  if (!end) return;
  auto& due = run.wait_due[*end];
  by > 0 ? void(due.insert(instance.key)) : void(due.erase(instance.key));
  if (due.empty()) run.wait_due.erase(*end);
}

// Takes an instance out of the derived sets (by = -1) or puts it in (by = +1), as its state says.
void count_instance(ActiveRun& run, const TaskInstance& instance, int by) {
  if (is_unknown(run, instance.key.task)) return SLIPWAY_ASSERT(instance.state == TaskState::Removed);
  const std::size_t index = index_of(run, instance.key.task);
  const dag::Task& task = run.dag->tasks[index];
  run.own[index].add(instance.state, by);
  if (!is_terminal(instance.state)) {
    run.unfinished += by;
    if (task.role == dag::TaskRole::OnFailure || task.role == dag::TaskRole::OnSuccess) run.unfinished_last += by;
  }
  if (is_active(task, instance.state)) count_active(run, index, by);
  if (instance.state == TaskState::None && instance.key.map_index != TaskKey::kUnmapped) run.undecided[index] += by;
  if (instance.state == TaskState::UpForRetry) {
    auto& due = run.retry_due[*instance.retry_at];
    by > 0 ? void(due.insert(instance.key)) : void(due.erase(instance.key));
    if (due.empty()) run.retry_due.erase(*instance.retry_at);
  }
  if (instance.state == TaskState::Waiting) count_waiting(run, instance, by);
}

// When time alone makes something of the attempt: a running one times out, a lost one is given up. An open attempt has
// an end only while nothing is known of it, also if it was asked to stop since.
std::optional<Instant> due_of(const ActiveRun& run, const Attempt& attempt) {
  if (is_terminal(attempt.state)) return std::nullopt;
  if (const auto& lost_after = run.task(attempt.id.key.task)->retry.lost_after; attempt.ended_at && lost_after)
    return *attempt.ended_at + *lost_after;
  return attempt.state == AttemptState::Running ? attempt.deadline : std::nullopt;
}

// Takes an attempt out of the derived sets (by = -1) or puts it in (by = +1), as its state says.
void count_attempt(ActiveRun& run, const AttemptId& id, int by) {
  const auto found = run.state.attempts.find(id);
  if (found == run.state.attempts.end() || is_terminal(found->second.state)) return;
  by > 0 ? void(run.open_attempts.insert(id)) : void(run.open_attempts.erase(id));
  if (const auto due = due_of(run, found->second))
    by > 0 ? void(run.attempt_due.insert({*due, id})) : void(run.attempt_due.erase({*due, id}));
}

// What the counts see of a state; downstream is touched only when this changes.
int outcome(TaskState state) { return is_terminal(state) ? static_cast<int>(state) : -1; }

// Whoever may be decided on once something about the task changed: its placeholder, and instances that were reset.
// Every instance of a mapped task has a key that begins with its id.
void touch_undecided(ActiveRun& run, int index) {
  const TaskId& id = run.dag->tasks[static_cast<std::size_t>(index)].id;
  const bool mapped = run.undecided[static_cast<std::size_t>(index)] > 0;
  for (auto it = run.state.tasks.lower_bound(TaskKey{id, TaskKey::kUnmapped});
       it != run.state.tasks.end() && it->first.task == id && (mapped || it->first.map_index == TaskKey::kUnmapped);
       ++it)
    run.touched.insert(it->first);
}

void touch_below(ActiveRun& run, std::size_t index) {
  for (const int below : run.dag->downstream_of(static_cast<int>(index))) touch_undecided(run, below);
  for (const int inside : run.dag->enclosed[index]) touch_undecided(run, inside);
}

// The instance changed; so did what is downstream of it, if it ended or was reset.
void spread(ActiveRun& run, const TaskKey& key, TaskState before, TaskState after) {
  run.touched.insert(key);
  if (outcome(before) == outcome(after)) return;
  const std::size_t index = index_of(run, key.task);
  count_upstream(run, index, before, -1);
  count_upstream(run, index, after, +1);
  touch_below(run, index);
}

// Expansion, and the reset of what was expanded, change every instance of the task.
void fold_whole_task(ActiveRun& run, const TaskId& task, const Event& event) {
  const std::size_t index = index_of(run, task);
  const auto count_all = [&](int by) {
    for (auto it = run.state.tasks.lower_bound({task, TaskKey::kUnmapped});
         it != run.state.tasks.end() && it->first.task == task; ++it) {
      count_instance(run, it->second, by);
      count_upstream(run, index, it->second.state, by);
      run.touched.insert(it->first);
    }
  };
  count_all(-1);
  apply(run.state, event);
  count_all(+1);
  touch_below(run, index);
}

std::vector<int> longest_paths(const dag::Dag& dag) {
  std::vector<int> path(dag.tasks.size(), 1);
  for (auto it = dag.order.rbegin(); it != dag.order.rend(); ++it)
    for (const int below : dag.downstream_of(*it))
      path[static_cast<std::size_t>(*it)] =
          std::max(path[static_cast<std::size_t>(*it)], path[static_cast<std::size_t>(below)] + 1);
  return path;
}

}  // namespace

void UpstreamCounts::add(TaskState state, int by) {
  switch (state) {
    case TaskState::Success: success += by; break;
    case TaskState::Failed:
    case TaskState::Cancelled: failed += by; break;
    case TaskState::UpstreamFailed: upstream_failed += by; break;
    case TaskState::Skipped: skipped += by; break;
    case TaskState::Removed: break;
    case TaskState::None:
    case TaskState::Scheduled:
    case TaskState::Waiting:
    case TaskState::Queued:
    case TaskState::Active:
    case TaskState::UpForRetry:
    case TaskState::Stopping: pending += by; break;
  }
}

const dag::Task* ActiveRun::task(const TaskId& id) const {
  const auto found = dag->index.find(id);
  return found == dag->index.end() ? nullptr : &dag->tasks[static_cast<std::size_t>(found->second)];
}

std::optional<TaskKey> key_of(const EventBody& body) { return affected_by(body).key; }

void fold(ActiveRun& run, const Event& event) {
  if (const auto task = whole_task_of(run.state, event.body)) return fold_whole_task(run, *task, event);
  const Affected affected = affected_by(event.body);
  if (!affected.key) {
    apply(run.state, event);
    // A clock that is set moves retries too; that is rare enough to derive everything anew.
    if (std::holds_alternative<RunCreated>(event.body) || std::holds_alternative<ClockMoved>(event.body) ||
        std::holds_alternative<RunReversioned>(event.body)) {
      ActiveRun derived = activate(std::move(run.state), std::move(run.dag));
      derived.due = run.due;
      derived.past = std::move(run.past);
      run = std::move(derived);
    }
    if (!is_terminal(run.state.state)) touch_all(run);
    return;
  }
  SLIPWAY_ASSERT(run.state.tasks.count(*affected.key) != 0);
  const TaskInstance& instance = run.state.tasks.at(*affected.key);
  const TaskState before = instance.state;
  count_instance(run, instance, -1);
  if (affected.attempt) count_attempt(run, *affected.attempt, -1);
  apply(run.state, event);
  count_instance(run, instance, +1);
  if (affected.attempt) count_attempt(run, *affected.attempt, +1);
  spread(run, *affected.key, before, instance.state);
}

ActiveRun activate(Run state, std::shared_ptr<const dag::Dag> dag) {
  ActiveRun run;
  run.state = std::move(state);
  run.dag = std::move(dag);
  run.path = longest_paths(*run.dag);
  const std::size_t tasks = run.dag->tasks.size();
  run.upstream.resize(tasks);
  run.own.resize(tasks);
  run.active.resize(tasks);
  run.undecided.resize(tasks);
  run.group_active.resize(run.dag->groups.size());
  for (const auto& [key, instance] : run.state.tasks) {
    count_instance(run, instance, +1);
    if (!is_unknown(run, key.task)) count_upstream(run, index_of(run, key.task), instance.state, +1);
  }
  for (const auto& [id, attempt] : run.state.attempts) count_attempt(run, id, +1);
  touch_all(run);
  return run;
}

bool outlives_cancel(const Run& run, const dag::Task& task) {
  if (run.cancel_now) return false;
  const bool timed_out = run.cancel_cause == FailureClass::Timeout;
  return task.role == dag::TaskRole::Teardown || (task.role == dag::TaskRole::OnFailure && timed_out);
}

std::optional<Instant> next_due(const ActiveRun& run) {
  std::optional<Instant> due;
  const auto by = [&](Instant instant) { due = due ? std::min(*due, instant) : instant; };
  const bool runs = run.state.state == RunState::Running;
  if (run.dag->deadline && !run.state.late && !is_terminal(run.state.state))
    by(run.state.header.logical_date + run.dag->deadline->after);
  if (!runs && run.state.state != RunState::Cancelling) return due;
  if (!run.attempt_due.empty()) by(run.attempt_due.begin()->first);
  if (!run.retry_due.empty()) by(run.retry_due.begin()->first);
  if (runs && !run.wait_due.empty()) by(run.wait_due.begin()->first);
  if (runs && run.dag->timeout != Duration(0)) by(*run.state.started_at + run.dag->timeout);
  return due;
}

}  // namespace slipway::run
