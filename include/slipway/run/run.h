// A run and the events it is folded from. State = fold of events: rendered values are part of the event, so a fold
// never evaluates anything again. Values only; no I/O, no clock.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "slipway/base/ids.h"
#include "slipway/base/result.h"
#include "slipway/base/time.h"
#include "slipway/base/value.h"
#include "slipway/run/state.h"

namespace slipway::run {

// One launch of a task instance.
struct Attempt {
  AttemptId id;
  int generation = 1;  // of the task instance when it was opened; a result of an older one stays on the attempt
  AttemptState state = AttemptState::Intent;
  std::string executor;  // "local"
  std::string identity;  // what the executor needs to find it again; opaque ("pid:start_time"), empty before Launched
  Value rendered;        // {"argv": […], "env": {…}, "workdir"}: what the task says, rendered, secrets masked
  Instant intent_at;
  std::optional<Instant> started_at;
  std::optional<Instant> ended_at;  // while Lost: since when nothing is known of it
  std::optional<Instant> deadline;  // intent of a time-out, counted from started_at
  std::optional<Instant> stop_at;   // when a stop was committed
  std::optional<int> exit_code;     // 128 + n for signal n
  FailureClass failure = FailureClass::None;
  std::string reason;                            // for people; empty on success; while Stopping: why, if that was told
  FailureClass stop_cause = FailureClass::None;  // Timeout or External once a stop was committed

  bool operator==(const Attempt&) const = default;
};

// What an instance in state Waiting waits for. It holds no slot, and no process knows of it.
struct WaitState {
  // {"kind": a word of dag::kWaitKinds, "target"} · {"kind": "approve", "message", "by", "fields"} · {"kind": "dag",
  // "dag", "run"}: rendered when it began to wait
  Value what;
  Instant since;
  std::optional<Instant> due;       // for, until: it succeeds then
  std::optional<Instant> deadline;  // its timeout: it fails then

  // "for", "approve", "dag", …
  [[nodiscard]] std::string kind() const { return what.get_string("kind"); }
  bool operator==(const WaitState&) const = default;
};

// A node of the run: a task, or one element of a mapped task.
//
// A task with `for_each` begins as one unmapped instance, its placeholder, which is decided on like any other: rule,
// `when`, then the list. TaskExpanded moves it to Removed and makes an instance per element, ready to start; an empty
// list makes it Skipped instead. A reset of the placeholder (clear) takes its instances out of the run, as Removed,
// until it expands again: then they match the new elements by position and go on in their next generation. A reset of
// one instance (retry) opens that one again, with the element it has.
struct TaskInstance {
  TaskKey key;
  TaskState state = TaskState::None;
  int generation = 1;    // clear, retry and mark open the next; terminal is final within one
  int attempts = 0;      // opened so far in all generations: the number of the last attempt
  int retries_used = 0;  // of retry.limit, in this generation
  int infra_used = 0;    // of retry.infra_limit, in this generation
  FailureClass failure = FailureClass::None;
  std::string reason;  // why it failed, was skipped or waits; for people
  std::optional<int> exit_code;
  Value outputs;  // object on success, else null
  Value item;     // its element, rendered; null for what is not mapped
  std::optional<Instant> scheduled_at, queued_at, started_at, ended_at;
  std::optional<Instant> retry_at;      // state UpForRetry
  std::optional<Instant> launch_since;  // first launch failure in a row; budget of class launch is time
  bool clearing = false;                // reset as soon as its open attempt is over
  bool marked = false;                  // its state is somebody's word (TaskMarked), not a result
  std::optional<WaitState> waiting;     // state Waiting
  std::optional<AttemptId> cached;      // a success without an attempt of its own: the one that did the work

  bool operator==(const TaskInstance&) const = default;
};

// The task that started a run and waits for its end.
struct ParentTask {
  RunId run;
  TaskKey key;
  int generation = 1;  // of the task instance
  int depth = 1;       // of the sub-run: 1 below a run that nobody started so

  bool operator==(const ParentTask&) const = default;
};

// Why a run exists; fixed at its creation, but for RunReversioned.
struct RunHeader {
  RunId id;
  DagId dag;
  VersionId version;  // the DAG file it was started with, and keeps
  TriggerKind trigger = TriggerKind::Manual;
  std::string schedule;  // name of the schedule entry, empty for others
  Instant logical_date;
  Instant interval_start, interval_end;
  Value params;  // complete, checked object
  Instant created_at;
  std::string idempotency_key;  // empty = none
  RunId previous;               // the run before of the same schedule, for depends_on_past; empty = none, or not asked
  RunId resumed_from;           // the run whose finished tasks it took over; empty = none
  std::optional<ParentTask> parent;  // trigger SubRun

  bool operator==(const RunHeader&) const = default;
};

// Instances of one task, of a run that outlives this.
struct Instances {
  using Iterator = std::map<TaskKey, TaskInstance>::const_iterator;
  Iterator first, last;

  [[nodiscard]] Iterator begin() const { return first; }
  [[nodiscard]] Iterator end() const { return last; }
  [[nodiscard]] bool empty() const { return first == last; }
};

struct Run {
  RunHeader header;
  RunState state = RunState::Queued;
  std::optional<Instant> started_at;  // of the latest start: a reopened run starts again
  std::optional<Instant> ended_at;
  std::vector<std::string> failures;               // why it failed: "finetune: exit code 65 (user)"
  FailureClass cancel_cause = FailureClass::None;  // External (somebody) or Timeout, once cancelling
  bool cancel_now = false;                         // while cancelling: no grace, no teardowns
  bool late = false;                               // its deadline passed before it was over
  std::map<TaskKey, TaskInstance> tasks;
  std::map<AttemptId, Attempt> attempts;  // all attempts of all tasks
  std::uint64_t last_seq = 0;             // of the last event applied; events count from 1 without gaps
  std::string backfill;                   // the backfill it runs for, outside max_active_runs; empty = none
  std::optional<RunState> marked;         // Success or Failed: how it ends once its open attempts are over
  std::string mark_reason;                // while marked

  bool operator==(const Run&) const = default;

  // The mapped instances of a task, by element; not its placeholder.
  [[nodiscard]] Instances mapped(const TaskId& task) const {
    return {tasks.lower_bound({task, 0}), tasks.upper_bound({task, std::numeric_limits<int>::max()})};
  }
  // The newest attempt of a task instance, or nullptr.
  [[nodiscard]] const Attempt* last_attempt(const TaskKey& key) const;
};

// --- events ---------------------------------------------------------------------------------------------------------

struct RunCreated {
  RunHeader header;
  std::vector<TaskKey> tasks;
  std::string backfill = {};
};
// A run that is cancelling moves to Cancelling once more to be cancelled `now`; its first cause stays.
struct RunMoved {
  RunState to;
  std::vector<std::string> failures = {};
  FailureClass cause = FailureClass::None;  // of a move to Cancelling
  bool now = false;                         // of a move to Cancelling: no grace, no teardowns
};
// A task instance changes state without an attempt ending: scheduled, skipped, upstream_failed, retry due, cancelled
// before a start, the end of a wait.
struct TaskMoved {
  TaskKey key;
  TaskState to;
  std::string reason = {};
  FailureClass failure = FailureClass::None;  // of a move to Failed
  Value outputs = {};                         // of a move to Success; null = none
  std::optional<AttemptId> cached = {};       // of a move to Success: whose outputs these are
  Value vars = {};                            // set with the success: an object, or null
};
// The instance waits, or, if it does already, goes on waiting with new instants.
struct TaskWaiting {
  TaskKey key;
  Value what;
  std::optional<Instant> due = {}, deadline = {};
  std::string reason = {};  // "for a person: ship it?"
};
// A placeholder becomes an instance per element, Scheduled at once, in the order of the list. The elements are part of
// the event: a fold never evaluates.
struct TaskExpanded {
  TaskId task;
  Value items;  // an array, not empty, of at most dag::kInstancesMax elements
};
// The intent of an attempt. Moves the task instance to Queued. In a run that is cancelling, teardowns only.
struct AttemptOpened {
  AttemptId id;
  std::string executor;
  Value rendered;
};
// The executor has it: Launched (process known) or Running. Moves the instance to Active on Running. On an attempt that
// is Stopping or `to` already it records identity, start and deadline, and moves nothing.
struct AttemptStarted {
  AttemptId id;
  AttemptState to;  // Launched or Running
  std::string identity;
  std::optional<Instant> deadline = {};
  std::optional<Instant> at = {};  // when the process started, if not the event's instant
};
// A stop is committed; the executor is asked after the commit. Moves the instance to Stopping.
struct AttemptStopping {
  AttemptId id;
  FailureClass cause;       // Timeout or External
  std::string reason = {};  // for people, where it is not plain from the cause
};
// The attempt's end, or Lost. `task_to` is what becomes of the instance (judged by sched::judge): Success, Failed,
// Cancelled, Skipped (exit code map) or UpForRetry; ignored if the attempt's generation is not the instance's.
struct AttemptEnded {
  AttemptId id;
  AttemptState to;  // Succeeded, Failed, Cancelled or Lost
  FailureClass failure = FailureClass::None;
  std::string reason = {};
  std::optional<int> exit_code = {};
  Value outputs = {};
  TaskState task_to = TaskState::Failed;
  std::optional<Instant> retry_at = {};
  bool infra_budget = false;               // the retry is charged to infra_limit
  bool memory_step = false;                // the retry is a step of on_oom, charged to no limit
  std::optional<Instant> at = {};          // when the process ended, if not the event's instant
  Value vars = {};                         // set with a success: an object, or null
  std::vector<std::string> datasets = {};  // URIs updated by a success
};
// Opens the next generation of an instance (retry, clear): state None, budgets fresh. The instance began or ended, and
// has no open attempt. Of a placeholder: see TaskInstance; all its instances have ended.
struct TaskReset {
  TaskKey key;
};
// A terminal run goes on because instances are reset by the events that follow. It queues behind the DAG's active runs,
// or runs for a backfill.
struct RunReopened {
  std::string backfill = {};
};
// An instance with an open attempt is to be reset: TaskReset follows the attempt's end, unless the run is being
// cancelled by then or the instance was marked.
struct TaskClearing {
  TaskKey key;
};
// Somebody says how an instance ended: opens its next generation in that state. An open attempt belongs to the older
// one from now on; it was asked to stop before.
struct TaskMarked {
  TaskKey key;
  TaskState to;  // Success, Failed or Skipped
  std::string reason = {};
};
// Somebody says how the run ended. All its instances are over; a running one ends with its last open attempt, any other
// at once.
struct RunMarked {
  RunState to;  // Success or Failed
  std::string reason = {};
};
// The run goes on with another version of its DAG. Instances of tasks that the version does not have end as Removed.
struct RunReversioned {
  VersionId version;
  Value params;  // complete, checked against that version
  std::vector<TaskKey> added = {};
  std::vector<TaskKey> removed = {};
};

// The run was not over at the deadline of its DAG; told once.
struct DeadlinePassed {};
// Somebody set the wall clock, or the machine restarted, and `by` is how far the instants of what is under way move
// with it: the start of the run, starts, deadlines and stops of open attempts, retries that are due, waits but for
// `until`. So time-outs,
// delays and durations go on counting elapsed time. Moves no state.
struct ClockMoved {
  Duration by{0};
};

using EventBody = std::variant<RunCreated, RunMoved, TaskMoved, AttemptOpened, AttemptStarted, AttemptStopping,
                               AttemptEnded, TaskReset, RunReopened, TaskExpanded, DeadlinePassed, ClockMoved,
                               TaskClearing, TaskMarked, RunMarked, RunReversioned, TaskWaiting>;

struct Event {
  RunId run;
  std::uint64_t seq = 0;
  Instant at;
  EventBody body;
};

// Applies the next event. Asserts that seq follows last_seq and that every move is legal: an illegal event is a bug,
// never input. Use check() first for events read back from disk.
void apply(Run& run, const Event& event);
// What is wrong with applying `event` to `run`, or ok.
[[nodiscard]] Result<void> check(const Run& run, const Event& event);

// {"kind": "attempt_ended", …} and back; the form is stored for ever, so fields are only added.
[[nodiscard]] Value to_value(const EventBody& body);
[[nodiscard]] Result<EventBody> event_from_value(const Value& value);
[[nodiscard]] std::string_view kind_of(const EventBody& body);
// The instance that an event is about; nullopt for events of the run itself.
[[nodiscard]] std::optional<TaskKey> key_of(const EventBody& body);

// Members of rows that are kept as JSON; absent is null. Stored for ever, like events.
[[nodiscard]] Value to_value(const std::optional<WaitState>& waiting);
[[nodiscard]] Value to_value(const std::optional<ParentTask>& parent);
[[nodiscard]] Result<std::optional<WaitState>> waiting_from_value(const Value& value);
[[nodiscard]] Result<std::optional<ParentTask>> parent_from_value(const Value& value);

}  // namespace slipway::run
