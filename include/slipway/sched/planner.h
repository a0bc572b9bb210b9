// Decides what should happen next. Pure: same snapshot and instant, same plan; no I/O, clock, lock or log.
// Cost: O(changed instances · log ready), not O(tasks): the snapshot carries the sets kept by run::fold.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "slipway/base/suspects.h"
#include "slipway/run/snapshot.h"

namespace slipway::sched {

// A tick that fires now, or datasets that were all updated.
struct NewRun {
  DagId dag;
  std::string schedule;
  Instant tick, interval_start;
  Value params;  // given by the schedule; the engine resolves them
  run::TriggerKind trigger = run::TriggerKind::Schedule;
};

// The updates that a schedule of kind Datasets has taken into account.
struct SeenMove {
  DagId dag;
  std::string schedule;
  std::map<std::string, std::int64_t> counts;  // by URI
};

// An instance whose rule allows it begins to wait (kinds wait, approve, dag): the engine renders what for.
struct StartWait {
  RunId run;
  TaskKey key;
};

// A schedule's cursor moves to `to`; ticks in between that did not fire are counted (for the log and `schedule list`).
struct CursorMove {
  DagId dag;
  std::string schedule;
  Instant to;
  int missed = 0;
};

// Open an attempt for a Scheduled instance: it fits the slots, the DAG's max_active_tasks and the run's state.
struct Launch {
  RunId run;
  TaskKey key;
};

// The executor must stop an attempt.
struct Stop {
  AttemptId attempt;
  run::FailureClass cause;  // Timeout (its own or the run's) or External (run cancelled, fan-out stopped)
  std::string reason = {};  // where it is not plain from the cause
};

// A placeholder becomes an instance per element.
struct Expansion {
  RunId run;
  TaskId task;
  Value::Array items;  // not empty
};

// A state change without an effect outside.
struct Move {
  RunId run;
  TaskKey key;
  run::TaskState to;  // Scheduled, Skipped, UpstreamFailed, Cancelled, Failed (class render), Success (noop)
  std::string reason;
  run::FailureClass failure = run::FailureClass::None;
};

// A lost attempt whose retry.lost_after has passed: to be judged as infra_lost, proof or not.
struct Fence {
  AttemptId attempt;
  std::string reason;
};

// The deadline of the run's DAG has passed, and the run is not over.
struct Late {
  RunId run;
};

struct RunMove {
  RunId run;
  run::RunState to;
  std::vector<std::string> failures;
  run::FailureClass cause = run::FailureClass::None;
};

struct Plan {
  std::vector<NewRun> runs;
  std::vector<CursorMove> cursors;
  std::vector<SeenMove> seen;
  std::vector<RunMove> run_moves;  // starts of queued runs, run time-outs, ends of runs
  std::vector<Move> moves;
  std::vector<Expansion> expansions;
  std::vector<StartWait> waits;
  std::vector<Launch> launches;  // in launch order; every one fits
  std::vector<Stop> stops;
  std::vector<Fence> fences;
  std::vector<Late> late;
  std::vector<std::string> claims;         // backfills with room for a run: each deals with ticks until one makes one
  std::vector<std::string> backfill_ends;  // backfills without ticks and runs that are not over
  std::set<std::pair<RunId, TaskId>> halted;  // fan-outs that a failure stops in this round: none of theirs is launched
  std::optional<Instant> wake_at;  // earliest instant at which decide() could answer differently by time alone

  [[nodiscard]] bool empty() const {
    return runs.empty() && cursors.empty() && seen.empty() && run_moves.empty() && moves.empty() &&
           expansions.empty() && waits.empty() && launches.empty() && stops.empty() && fences.empty() && late.empty() &&
           claims.empty() && backfill_ends.empty();
  }
};

// One round. Callers empty every `touched`, fold the events of the plan, and repeat until it is empty, because applying
// a plan may enable further moves (a skip cascades). Lists are to be applied in the order of the members above.
// `suspects` is told which DAG or run is looked at; the plan does not depend on it.
[[nodiscard]] Plan decide(const run::Snapshot& snapshot, Instant now, Suspects* suspects = nullptr);

// --- results ---------------------------------------------------------------------------------------------------------

// What the executor saw at an attempt's end.
struct Observation {
  Instant at;                    // when it ended; an end before the committed stop request keeps its result
  std::optional<int> exit_code;  // 128 + n for signal n; nullopt if it never ran
  bool oom = false;
  run::FailureClass failure = run::FailureClass::None;  // set by the executor for launch, config, infra classes
  std::string message;       // the executor's or the task's own words (`_error` of its output)
  Value outputs;             // parsed `$SLIPWAY_OUTPUT`: object, or null where there was none
  std::string output_error;  // why the output could not be used ("output-too-large: …"), empty if fine
  Value previous;            // outputs of the task's success in the newest run before, for `within`; null = none
};

// Success, check, exit-code map, retry budgets and delays of docs/engine.md in one place: from what was seen to the
// event. Pure.
[[nodiscard]] run::AttemptEnded judge(const dag::Task& task, const run::TaskInstance& instance,
                                      const run::Attempt& attempt, const Observation& seen, run::RunState run_state,
                                      Instant now);

// --- on_oom ----------------------------------------------------------------------------------------------------------

// The memory limit an attempt was launched with, as recorded; 0 = none.
[[nodiscard]] std::int64_t memory_of(const run::Attempt& attempt);
// Whether `on_oom` has more for it, and how many steps it has taken.
[[nodiscard]] bool has_memory_step(const dag::Task& task, const run::Attempt& attempt);
[[nodiscard]] int memory_steps_done(const dag::Task& task, const run::Attempt& attempt);
// The memory limit of the instance's next attempt: `resources.memory` for the first of a generation, what the last one
// had, or one step more if it was killed for lack of it. 0 = none.
[[nodiscard]] std::int64_t next_memory(const dag::Task& task, const run::Run& run, const TaskKey& key);

// Why an instance is not running right now, in one sentence with the next instant where there is one ("waits for
// `prepare` (active)", "up for retry at …", "no free slot: 2 of 2 in use by …"). For every state.
[[nodiscard]] std::string why(const run::Snapshot& snapshot, const RunId& run, const TaskKey& key, Instant now);

}  // namespace slipway::sched
