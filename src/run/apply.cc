// The one door through which state changes: check() says whether an event is legal, apply() carries it out.
#include <algorithm>

#include "slipway/dag/dag.h"
#include "slipway/run/run.h"

namespace slipway::run {
namespace {

Error illegal(std::string message) { return {ErrorCode::Corrupt, std::move(message), {}}; }

template <class State, std::size_t N>
Result<void> check_step(const EnumTable<State, N>& names, std::string_view what, State from, State to) {
  if (is_legal(from, to)) return {};
  return illegal(std::string(what) + " cannot move from " + std::string(names.text(from)) + " to " +
                 std::string(names.text(to)));
}

// States that an instance enters because of an attempt's event, never by TaskMoved.
bool needs_attempt(TaskState state) {
  return state == TaskState::Queued || state == TaskState::Active || state == TaskState::Stopping ||
         state == TaskState::UpForRetry;
}

// An attempt of the current generation is open.
bool has_attempt(TaskState state) {
  return state == TaskState::Queued || state == TaskState::Active || state == TaskState::Stopping;
}

bool is_open_for_work(RunState state) { return state == RunState::Queued || state == RunState::Running; }

class Checker {
 public:
  explicit Checker(const Run& run) : run_(run) {}

  Result<void> operator()(const RunCreated& event) const {
    if (run_.last_seq != 0) return illegal("run is created twice");
    if (event.header.id.empty() || event.header.dag.empty()) return illegal("run without id or dag");
    return {};
  }
  Result<void> operator()(const RunMoved& event) const {
    if (run_.state == RunState::Cancelling && event.to == RunState::Cancelling && (run_.cancel_now || !event.now))
      return illegal("a run that is cancelling is cancelled again to be cancelled now");
    return check_step(kRunStates, "run", run_.state, event.to);
  }
  Result<void> operator()(const RunReopened&) const {
    return is_terminal(run_.state) ? Result<void>() : illegal("a run that is not over cannot be reopened");
  }
  Result<void> operator()(const DeadlinePassed&) const {
    return is_terminal(run_.state) || run_.late ? illegal("a deadline passes once, before the run is over")
                                                : Result<void>();
  }
  Result<void> operator()(const ClockMoved&) const {
    return is_terminal(run_.state) ? illegal("the clock moves nothing of a run that is over") : Result<void>();
  }
  Result<void> operator()(const TaskMoved& event) const {
    const TaskInstance* instance = find(event.key);
    if (instance == nullptr) return no_task(event.key);
    if (needs_attempt(event.to)) return illegal("task moves there with an attempt only");
    if (event.to == TaskState::Waiting) return illegal("a task waits for something: that is another event");
    return check_step(kTaskStates, event.key.str(), instance->state, event.to);
  }
  Result<void> operator()(const TaskWaiting& event) const {
    const TaskInstance* instance = find(event.key);
    if (instance == nullptr) return no_task(event.key);
    if (instance->state == TaskState::Waiting) return {};
    if (run_.state != RunState::Running) return illegal("a task begins to wait in a run that is not running");
    return check_step(kTaskStates, event.key.str(), instance->state, TaskState::Waiting);
  }
  Result<void> operator()(const TaskReset& event) const {
    const TaskInstance* instance = find(event.key);
    if (instance == nullptr) return no_task(event.key);
    if (!is_open_for_work(run_.state)) return illegal("tasks of a run that is over or cancelling cannot be reset");
    if (instance->state == TaskState::None || has_attempt(instance->state) || has_open_attempt(event.key))
      return illegal(event.key.str() + " cannot be reset: it is " + std::string(kTaskStates.text(instance->state)));
    return event.key.map_index == TaskKey::kUnmapped ? check_instances_over(event.key.task) : Result<void>();
  }
  Result<void> operator()(const TaskExpanded& event) const {
    const TaskInstance* placeholder = find({event.task, TaskKey::kUnmapped});
    if (placeholder == nullptr) return no_task({event.task, TaskKey::kUnmapped});
    if (run_.state != RunState::Running && run_.state != RunState::Cancelling)
      return illegal("a task expands in a run that is not running");
    if (!event.items.is_array() || event.items.as_array().empty() || event.items.as_array().size() > dag::kInstancesMax)
      return illegal("a task expands to a list that is not empty and not too long");
    SLIPWAY_TRY(check_step(kTaskStates, event.task.str(), placeholder->state, TaskState::Removed));
    return check_instances_over(event.task);
  }
  Result<void> operator()(const TaskClearing& event) const {
    if (find(event.key) == nullptr) return no_task(event.key);
    if (!is_open_for_work(run_.state)) return illegal("tasks of a run that is over or cancelling cannot be cleared");
    return has_open_attempt(event.key) ? Result<void>() : illegal(event.key.str() + " has no attempt to wait for");
  }
  Result<void> operator()(const TaskMarked& event) const {
    const TaskInstance* instance = find(event.key);
    if (instance == nullptr) return no_task(event.key);
    if (!is_open_for_work(run_.state)) return illegal("tasks of a run that is over or cancelling cannot be marked");
    if (event.to != TaskState::Success && event.to != TaskState::Failed && event.to != TaskState::Skipped)
      return illegal("a task is marked success, failed or skipped");
    const Attempt* last = run_.last_attempt(event.key);
    if (last != nullptr && !is_terminal(last->state) && last->stop_cause == FailureClass::None)
      return illegal(event.key.str() + " is marked before its attempt was asked to stop");
    return {};
  }
  Result<void> operator()(const RunMarked& event) const {
    if (event.to != RunState::Success && event.to != RunState::Failed)
      return illegal("a run is marked success or failed");
    return run_.state == RunState::Cancelling ? illegal("a run that is being cancelled cannot be marked")
                                              : Result<void>();
  }
  Result<void> operator()(const RunReversioned& event) const {
    if (!is_open_for_work(run_.state)) return illegal("a run that is over or cancelling keeps its version");
    for (const TaskKey& key : event.added)
      if (const TaskInstance* known = find(key); known != nullptr && known->state != TaskState::Removed)
        return illegal(key.str() + " is added twice");
    for (const TaskKey& key : event.removed) {
      if (find(key) == nullptr) return no_task(key);
      if (has_open_attempt(key)) return illegal(key.str() + " is removed while an attempt is open");
    }
    return {};
  }
  Result<void> operator()(const AttemptOpened& event) const {
    const TaskInstance* instance = find(event.id.key);
    if (instance == nullptr) return no_task(event.id.key);
    if (event.id.run != run_.header.id) return illegal("attempt of another run");
    if (event.id.number != instance->attempts + 1) return illegal("attempt numbers of a task have a gap");
    if (run_.state != RunState::Running && run_.state != RunState::Cancelling)
      return illegal("attempt opened in a run that is not running");
    if (has_open_attempt(event.id.key)) return illegal("attempt opened while the one before is open");
    return check_step(kTaskStates, event.id.key.str(), instance->state, TaskState::Queued);
  }
  Result<void> operator()(const AttemptStarted& event) const {
    if (event.to != AttemptState::Launched && event.to != AttemptState::Running)
      return illegal("an attempt starts as launched or running");
    const Attempt* attempt = find(event.id);
    if (attempt == nullptr) return no_attempt(event.id);
    if (attempt->state == AttemptState::Stopping || attempt->state == event.to) return {};
    return check_step(kAttemptStates, event.id.str(), attempt->state, event.to);
  }
  Result<void> operator()(const AttemptStopping& event) const {
    const Attempt* attempt = find(event.id);
    if (attempt == nullptr) return no_attempt(event.id);
    if (event.cause == FailureClass::None) return illegal("a stop needs a cause");
    return check_step(kAttemptStates, event.id.str(), attempt->state, AttemptState::Stopping);
  }
  Result<void> operator()(const AttemptEnded& event) const {
    const Attempt* attempt = find(event.id);
    if (attempt == nullptr) return no_attempt(event.id);
    SLIPWAY_TRY(check_step(kAttemptStates, event.id.str(), attempt->state, event.to));
    if (event.to == AttemptState::Lost) return {};
    if (!is_terminal(event.to)) return illegal("an attempt ends in a terminal state or lost");
    const TaskInstance* instance = find(event.id.key);
    if (attempt->generation != instance->generation) return {};
    if (event.task_to == TaskState::UpForRetry && !event.retry_at) return illegal("a retry needs its instant");
    return check_step(kTaskStates, event.id.key.str(), instance->state, event.task_to);
  }

 private:
  [[nodiscard]] const TaskInstance* find(const TaskKey& key) const {
    const auto found = run_.tasks.find(key);
    return found == run_.tasks.end() ? nullptr : &found->second;
  }
  [[nodiscard]] const Attempt* find(const AttemptId& id) const {
    const auto found = run_.attempts.find(id);
    return found == run_.attempts.end() ? nullptr : &found->second;
  }
  [[nodiscard]] Result<void> check_instances_over(const TaskId& task) const {
    for (const auto& [key, instance] : run_.mapped(task))
      if (!is_terminal(instance.state) || has_open_attempt(key))
        return illegal(task.str() + " is opened anew before " + key.str() + " ended");
    return {};
  }
  // Only the last attempt of an instance can be open, be it of the current generation or an older one.
  [[nodiscard]] bool has_open_attempt(const TaskKey& key) const {
    const Attempt* last = run_.last_attempt(key);
    return last != nullptr && !is_terminal(last->state);
  }
  static Result<void> no_task(const TaskKey& key) { return illegal("run has no task " + key.str()); }
  static Result<void> no_attempt(const AttemptId& id) { return illegal("run has no attempt " + id.str()); }

  const Run& run_;
};

// Carries out a checked event.
class Applier {
 public:
  Applier(Run& run, Instant at) : run_(run), at_(at) {}

  void operator()(const RunCreated& event) {
    run_.header = event.header;
    run_.backfill = event.backfill;
    for (const TaskKey& key : event.tasks) run_.tasks[key].key = key;
  }
  void operator()(const RunMoved& event) {
    run_.state = event.to;
    if (event.to == RunState::Running) run_.started_at = at_;
    if (event.to == RunState::Cancelling) {
      if (run_.cancel_cause == FailureClass::None) run_.cancel_cause = event.cause;
      run_.cancel_now = event.now;
    }
    if (!is_terminal(event.to)) return;
    run_.ended_at = at_;
    run_.failures = event.failures;
    run_.marked.reset();
    run_.mark_reason.clear();
  }
  void operator()(const RunMarked& event) {
    if (run_.state == RunState::Running) {
      run_.marked = event.to;
      run_.mark_reason = event.reason;
      return;
    }
    run_.state = event.to;
    if (!run_.ended_at) run_.ended_at = at_;
    run_.failures.clear();
    if (event.to == RunState::Failed) run_.failures.push_back(event.reason);
  }
  void operator()(const RunReversioned& event) {
    run_.header.version = event.version;
    run_.header.params = event.params;
    for (const TaskKey& key : event.added) {
      if (!run_.tasks.try_emplace(key, TaskInstance{key}).second) next_generation(run_.tasks.at(key));
    }
    for (const TaskKey& key : event.removed) {
      TaskInstance& instance = run_.tasks.at(key);
      next_generation(instance);
      instance.state = TaskState::Removed;
      instance.reason = "the version of the DAG has no such task";
      instance.ended_at = at_;
    }
  }
  void operator()(const RunReopened& event) {
    run_.state = RunState::Queued;
    run_.backfill = event.backfill;
    run_.started_at = run_.ended_at = std::nullopt;
    run_.failures.clear();
    run_.cancel_cause = FailureClass::None;
    run_.cancel_now = false;
  }
  void operator()(const DeadlinePassed&) { run_.late = true; }
  void operator()(const ClockMoved& event) {
    const auto move = [&](std::optional<Instant>& instant) {
      if (instant) *instant += event.by;
    };
    move(run_.started_at);
    for (auto& [key, instance] : run_.tasks) {
      if (is_terminal(instance.state)) continue;
      move(instance.started_at);
      move(instance.retry_at);
      move(instance.launch_since);
      if (!instance.waiting) continue;
      instance.waiting->since += event.by;
      move(instance.waiting->deadline);
      // `until` is an instant of the wall clock.
      if (instance.waiting->kind() == "for") move(instance.waiting->due);
    }
    for (auto& [id, attempt] : run_.attempts) {
      if (is_terminal(attempt.state)) continue;
      move(attempt.started_at);
      move(attempt.ended_at);
      move(attempt.deadline);
      move(attempt.stop_at);
    }
  }
  void operator()(const TaskMoved& event) {
    TaskInstance& instance = run_.tasks.at(event.key);
    instance.state = event.to;
    instance.reason = event.reason;
    instance.failure = event.failure;
    instance.retry_at.reset();
    instance.waiting.reset();
    if (event.to == TaskState::Scheduled) instance.scheduled_at = at_;
    if (is_terminal(event.to)) instance.ended_at = at_;
    if (event.to != TaskState::Success) return;
    if (!event.outputs.is_null()) instance.outputs = event.outputs;
    instance.cached = event.cached;
  }
  void operator()(const TaskWaiting& event) {
    TaskInstance& instance = run_.tasks.at(event.key);
    const Instant since = instance.waiting ? instance.waiting->since : at_;
    if (instance.state != TaskState::Waiting) instance.scheduled_at = instance.started_at = at_;
    instance.state = TaskState::Waiting;
    instance.waiting = WaitState{event.what, since, event.due, event.deadline};
    instance.reason = event.reason;
  }
  void operator()(const TaskReset& event) {
    TaskInstance& instance = run_.tasks.at(event.key);
    Value item = std::move(instance.item);
    next_generation(instance);
    instance.item = std::move(item);
    if (event.key.map_index != TaskKey::kUnmapped) return;
    for (const auto& [key, mapped] : run_.mapped(event.key.task))
      remove(run_.tasks.at(key), "its task is decided on anew");
  }
  void operator()(const TaskExpanded& event) {
    const Value::Array& items = event.items.as_array();
    remove(run_.tasks.at({event.task, TaskKey::kUnmapped}),
           "expanded to " + std::to_string(items.size()) + " instances");
    auto next = run_.tasks.lower_bound({event.task, 0});
    for (int i = 0; i < static_cast<int>(items.size()); ++i, ++next) {
      const TaskKey key{event.task, i};
      if (next == run_.tasks.end() || next->first != key) {
        next = run_.tasks.emplace_hint(next, key, TaskInstance{});
        next->second.key = key;
      } else {
        next_generation(next->second);
      }
      next->second.item = items[static_cast<std::size_t>(i)];
      next->second.state = TaskState::Scheduled;
      next->second.scheduled_at = at_;
    }
    for (; next != run_.tasks.end() && next->first.task == event.task; ++next)
      next->second.reason = "no longer an element of the list";
  }
  void operator()(const TaskClearing& event) { run_.tasks.at(event.key).clearing = true; }
  void operator()(const TaskMarked& event) {
    TaskInstance& instance = run_.tasks.at(event.key);
    Value item = std::move(instance.item);
    next_generation(instance);
    instance.item = std::move(item);
    instance.state = event.to;
    instance.marked = true;
    instance.reason = event.reason;
    instance.ended_at = at_;
    if (event.to == TaskState::Failed) instance.failure = FailureClass::External;
    if (event.to == TaskState::Success) instance.outputs = Value::Object{};
  }
  void operator()(const AttemptOpened& event) {
    TaskInstance& instance = run_.tasks.at(event.id.key);
    instance.state = TaskState::Queued;
    instance.attempts = event.id.number;
    instance.queued_at = at_;
    instance.started_at.reset();
    instance.exit_code.reset();
    instance.reason.clear();
    instance.failure = FailureClass::None;
    Attempt& attempt = run_.attempts[event.id];
    attempt.id = event.id;
    attempt.generation = instance.generation;
    attempt.executor = event.executor;
    attempt.rendered = event.rendered;
    attempt.intent_at = at_;
  }
  void operator()(const AttemptStarted& event) {
    Attempt& attempt = run_.attempts.at(event.id);
    if (!event.identity.empty()) attempt.identity = event.identity;
    if (event.to == AttemptState::Running) {
      attempt.started_at = event.at.value_or(at_);
      attempt.deadline = event.deadline;
    }
    if (attempt.state == AttemptState::Stopping || attempt.state == event.to) return;
    attempt.state = event.to;
    attempt.ended_at.reset();
    attempt.reason.clear();
    TaskInstance& instance = run_.tasks.at(event.id.key);
    if (event.to != AttemptState::Running || attempt.generation != instance.generation) return;
    if (instance.state == TaskState::Queued) instance.state = TaskState::Active;
    instance.started_at = attempt.started_at;
    instance.launch_since.reset();
    instance.reason.clear();
  }
  void operator()(const AttemptStopping& event) {
    Attempt& attempt = run_.attempts.at(event.id);
    attempt.state = AttemptState::Stopping;
    attempt.stop_cause = event.cause;
    attempt.reason = event.reason;
    attempt.stop_at = at_;
    TaskInstance& instance = run_.tasks.at(event.id.key);
    if (attempt.generation == instance.generation) instance.state = TaskState::Stopping;
  }
  void operator()(const AttemptEnded& event) {
    Attempt& attempt = run_.attempts.at(event.id);
    attempt.state = event.to;
    attempt.failure = event.failure;
    attempt.reason = event.reason;
    attempt.exit_code = event.exit_code;
    attempt.ended_at = event.at.value_or(at_);
    TaskInstance& instance = run_.tasks.at(event.id.key);
    if (is_terminal(event.to)) instance.clearing = false;
    if (attempt.generation != instance.generation) return;
    instance.reason = event.reason;
    if (event.to == AttemptState::Lost) return;
    instance.state = event.task_to;
    instance.failure = event.failure;
    instance.exit_code = event.exit_code;
    if (event.task_to == TaskState::UpForRetry) {
      charge(instance, event);
    } else {
      instance.ended_at = attempt.ended_at;
    }
    if (event.task_to == TaskState::Success) instance.outputs = event.outputs;
  }

 private:
  static void next_generation(TaskInstance& instance) {
    TaskInstance fresh;
    fresh.key = instance.key;
    fresh.generation = instance.generation + 1;
    fresh.attempts = instance.attempts;
    instance = std::move(fresh);
  }
  void remove(TaskInstance& instance, std::string reason) const {
    instance.state = TaskState::Removed;
    instance.reason = std::move(reason);
    instance.failure = FailureClass::None;
    instance.exit_code.reset();
    instance.outputs = {};
    instance.ended_at = at_;
  }
  void charge(TaskInstance& instance, const AttemptEnded& event) const {
    instance.retry_at = event.retry_at;
    if (event.failure == FailureClass::Launch) {
      if (!instance.launch_since) instance.launch_since = at_;
    } else if (event.infra_budget) {
      ++instance.infra_used;
    } else if (!event.memory_step) {
      ++instance.retries_used;
    }
  }

  Run& run_;
  Instant at_;
};

}  // namespace

const Attempt* Run::last_attempt(const TaskKey& key) const {
  const auto task = tasks.find(key);
  if (task == tasks.end() || task->second.attempts == 0) return nullptr;
  const auto found = attempts.find(AttemptId{header.id, key, task->second.attempts});
  return found == attempts.end() ? nullptr : &found->second;
}

Result<void> check(const Run& run, const Event& event) {
  if (event.seq != run.last_seq + 1)
    return illegal("event " + std::to_string(event.seq) + " follows event " + std::to_string(run.last_seq));
  if (event.seq == 1 && !std::holds_alternative<RunCreated>(event.body)) return illegal("first event creates no run");
  if (event.seq > 1 && event.run != run.header.id) return illegal("event of another run");
  return std::visit(Checker(run), event.body);
}

void apply(Run& run, const Event& event) {
  SLIPWAY_ASSERT(check(run, event).has_value());
  run.last_seq = event.seq;
  std::visit(Applier(run, event.at), event.body);
}

}  // namespace slipway::run
