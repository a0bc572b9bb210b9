// What the planner sees: the state of everything that is not over, by pointer, plus what changed since it last looked.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "slipway/dag/dag.h"
#include "slipway/run/run.h"

namespace slipway::run {

// Instances by outcome: those directly upstream of a task, or its own. `cancelled` is counted in failed; `removed` is
// left out; everything not terminal (waiting, up_for_retry, stopping, an attempt that is lost) is pending.
struct UpstreamCounts {
  int success = 0;
  int failed = 0;
  int upstream_failed = 0;
  int skipped = 0;
  int pending = 0;

  [[nodiscard]] int done() const { return success + failed + upstream_failed + skipped; }
  [[nodiscard]] int total() const { return done() + pending; }
  // Counts one instance in that state, `by` times (-1 takes it out again).
  void add(TaskState state, int by = 1);

  bool operator==(const UpstreamCounts&) const = default;
};

// A Scheduled instance in launch order: higher priority first, then the longest path still ahead of it, then age.
struct Ready {
  int priority = 0;
  int path = 0;   // tasks on the longest way to the end of the DAG, itself included
  Instant since;  // when it was scheduled
  TaskKey key;

  bool operator==(const Ready&) const = default;
  [[nodiscard]] bool operator<(const Ready& other) const;
};

// A DAG version with the run that uses it. Versions are shared and immutable. The members below `touched` are derived
// from `state` and kept by fold(), so that a decision costs what changed and not what exists.
struct ActiveRun {
  Run state;
  std::shared_ptr<const dag::Dag> dag;
  // Instances whose upstream counts or own state changed since the last decide(); whoever applies the plan empties it.
  // After activate() and after every move of the run itself all instances are in it.
  std::set<TaskKey> touched;

  std::vector<UpstreamCounts> upstream;  // by index into dag->tasks
  std::vector<UpstreamCounts> own;       // by index into dag->tasks: its own instances
  std::vector<int> active;               // by index into dag->tasks: its instances that count for max_parallel
  std::vector<int> group_active;         // the same by index into dag->groups
  std::vector<int> path;                 // Ready::path by index into dag->tasks
  std::set<Ready> ready;                 // state Scheduled, needs a slot
  std::set<Ready> ready_services;        // state Scheduled, needs none
  std::map<Instant, std::set<TaskKey>> retry_due;  // state UpForRetry, by retry_at
  std::set<AttemptId> open_attempts;               // not terminal
  int slots_used = 0;                              // open attempts that hold a slot; a service attempt holds none
  int unfinished = 0;                              // instances not in a terminal state
  int unfinished_last = 0;                         // of them: those of on_failure and on_success
  std::vector<int> undecided;                      // by index into dag->tasks: its mapped instances in state None

  // How the tasks that depend on the past ended in the run before, once that run is no longer in memory. Not derived:
  // the engine sets it.
  std::map<TaskId, UpstreamCounts> past;

  // The task of an instance, or nullptr if this version of the DAG has none of that name.
  [[nodiscard]] const dag::Task* task(const TaskId& id) const;
};

// apply() for an ActiveRun: state, derived sets and touched together. Downstream instances of a changed one are touched
// when their counts change.
void fold(ActiveRun& run, const Event& event);
// Derives everything from `state`, touching every instance. For new runs, recovery and tests: a run that was folded has
// the same sets.
[[nodiscard]] ActiveRun activate(Run state, std::shared_ptr<const dag::Dag> dag);

// A DAG of the folder, its newest valid version, and where its schedules stand.
struct DagEntry {
  std::shared_ptr<const dag::Dag> dag;
  VersionId version;
  std::string folder;                         // absolute, where its file lies; `dag.folder` in expressions
  bool paused = false;                        // no tick fires; runs that exist go on
  bool present = true;                        // false: its file is gone, only runs that exist go on
  std::map<std::string, Instant> cursors;     // by schedule name: ticks up to and including this instant are settled
  std::map<std::string, Instant> next_ticks;  // first tick after each cursor; kept by index_ticks()
  std::vector<RunId> active;                  // its runs that are not terminal, oldest first
};

// Recomputes next_ticks from dag and cursors. To be called when either changes; finding a tick is too dear to be done
// at every decision. Schedules without a cursor get none.
void index_ticks(DagEntry& entry);

struct Snapshot {
  std::map<DagId, DagEntry> dags;
  std::map<RunId, ActiveRun> runs;  // every run that is not terminal
  int slots_total = 1;              // of the local executor
  Value vars;                       // object: what expressions see as vars
};

// Slots held by open attempts of all runs.
[[nodiscard]] int slots_used(const Snapshot& snapshot);

}  // namespace slipway::run
