// What the planner sees: the state of everything that is not over, and what changed since it last looked.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "slipway/dag/dag.h"
#include "slipway/run/backfill.h"
#include "slipway/run/queues.h"
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
  std::vector<int> path;                 // Waiting::path by index into dag->tasks
  std::map<Instant, std::set<TaskKey>> retry_due;       // state UpForRetry, by retry_at
  std::map<Instant, std::set<TaskKey>> wait_due;        // state Waiting, by the earlier of due and deadline
  std::set<TaskKey> waiting;                            // state Waiting
  std::set<AttemptId> open_attempts;                    // not terminal
  std::set<std::pair<Instant, AttemptId>> attempt_due;  // of them: time-outs of running ones, lost_after of lost ones
  int unfinished = 0;                                   // instances not in a terminal state
  int unfinished_last = 0;                              // of them: those of on_failure and on_success
  std::vector<int> undecided;                           // by index into dag->tasks: its mapped instances in state None
  std::optional<Instant> due;                           // its place in Snapshot::run_due; kept by the doors below

  // How the tasks that depend on the past ended in the run before, once that run is no longer in memory. Not derived:
  // the engine sets it.
  std::map<TaskId, UpstreamCounts> past;

  // The task of an instance, or nullptr if this version of the DAG has none of that name.
  [[nodiscard]] const dag::Task* task(const TaskId& id) const;
};

// apply() for an ActiveRun: state, derived sets and touched together. Downstream instances of a changed one are touched
// when their counts change. Before RunReversioned the caller sets `dag` to the version of the event.
void fold(ActiveRun& run, const Event& event);
// Derives everything from `state`, touching every instance. For new runs, recovery and tests: a run that was folded has
// the same sets.
[[nodiscard]] ActiveRun activate(Run state, std::shared_ptr<const dag::Dag> dag);
// Whether the task may start and go on while the run is being cancelled: a teardown, or on_failure of a run that timed
// out, unless it is cancelled `now`.
[[nodiscard]] bool outlives_cancel(const Run& run, const dag::Task& task);
// The next instant at which time alone changes what is to be done about the run.
[[nodiscard]] std::optional<Instant> next_due(const ActiveRun& run);

// A DAG of the folder, its newest valid version, and where its schedules stand.
struct DagEntry {
  std::shared_ptr<const dag::Dag> dag;
  VersionId version;
  std::string folder;                          // absolute, where its file lies; `dag.folder` in expressions
  bool paused = false;                         // no tick fires; runs that exist go on
  bool present = true;                         // false: its file is gone, only runs that exist go on
  std::map<std::string, Instant> cursors;      // by schedule name: ticks up to and including this instant are settled
  std::map<std::string, Instant> next_ticks;   // first tick after each cursor; kept by index_ticks()
  std::map<std::string, Instant> next_starts;  // when the runs of those ticks are made: later by the jitter
  std::vector<RunId> active;                   // its runs that are not terminal, oldest first
  // Updates of each dataset that were seen when a schedule of kind Datasets last fired: schedule -> URI -> count.
  std::map<std::string, std::map<std::string, std::int64_t>> seen;
  int launch_ahead = 0;  // attempts that may be open beyond the slots, because its attempts end soon: ADR 3

  // Kept by the doors below.
  std::set<RunId> queued;      // of `active`: state Queued; those of backfills apart
  int under_way = 0;           // of `active`: Running or Cancelling; those of backfills apart
  int open_attempts = 0;       // of all its runs
  int following = 0;           // of `active`: those that have a run before them (RunHeader::previous)
  std::optional<Instant> due;  // its place in Snapshot::tick_due
};

// A backfill that has not ended. Its concurrency is its own: its runs do not count for max_active_runs.
struct BackfillEntry {
  Backfill state;  // the doors below keep how its runs ended

  // Kept by the doors below.
  std::set<RunId> queued;  // its runs in state Queued
  int under_way = 0;       // its runs that are Running or Cancelling
};

// What is known of a dataset: who updated it, when, how often.
struct Dataset {
  std::int64_t updates = 0;  // never goes back
  Instant updated_at;        // of the last
  std::string by;            // attempt id, or who touched it

  bool operator==(const Dataset&) const = default;
};

// Recomputes next_ticks from dag and cursors; finding a tick is too dear to be done at every decision. Schedules
// without a cursor get none.
void index_ticks(DagEntry& entry);

// What the planner sees. Members up to `vars` are state; what follows is derived from it, so that a decision costs what
// changed. Runs, entries, pools and slots change only through the doors below, which keep the two together.
struct Snapshot {
  std::map<DagId, DagEntry> dags;
  std::map<RunId, ActiveRun> runs;          // every run that is not terminal
  std::map<PoolId, Pool> pools;             // without `default`
  int slots_total = 1;                      // of the local executor: attempts at a time, and the size of pool `default`
  int ahead_max = 0;                        // no DagEntry::launch_ahead is more
  Value vars;                               // object: what expressions see as vars
  std::map<std::string, Dataset> datasets;  // by URI; those that were ever updated
  std::map<std::string, BackfillEntry> backfills;  // by id; added before their runs
  static constexpr int kClaimsPerStep = 100;       // how often backfills deal with ticks in one step, or it grows long
  int claims_left = kClaimsPerStep;

  std::set<RunId> touched;                       // runs that changed since the last decide()
  std::set<std::pair<Instant, RunId>> run_due;   // ActiveRun::due
  std::set<std::pair<Instant, DagId>> tick_due;  // DagEntry::due
  std::set<DagId> startable;                     // a run waits and may start: there is room, or it may be awaited
  std::set<std::pair<RunId, RunId>> followers;   // a run, not always here, and one that names it as the run before
  std::map<PoolId, PoolQueue> queues;            // pools in which something waited or was held
  std::set<Waiting> slotless;                    // Scheduled, need no slot
  Instant queues_at;                             // when a queue last changed: virtual times are compared as of then, so
                                                 // that time alone changes nobody's turn
  int local_held = 0;                            // local slots: those of `default`, and one per attempt elsewhere
  int since_low = 0;                             // as PoolQueue::since_low, over all pools
  std::uint64_t starts = 0;                      // attempts opened so far that hold slots
  std::set<std::pair<PoolId, DagId>> unsaved;    // shares that moved since they were saved
};

// --- the doors. `now` is the instant of the step.

// Applies the next event of a run and derives what follows from it. RunCreated adds the run, of the newest version of
// its DAG, whose entry must be there.
void fold(Snapshot& snapshot, const Event& event);
// The same for RunReversioned: `dag` is the version of the event, and has every task with an open attempt.
void change_version(Snapshot& snapshot, const Event& event, std::shared_ptr<const dag::Dag> dag);
// Adds a run that exists already (recovery, retry of a past one). Its DAG's entry must be there.
ActiveRun& insert_run(Snapshot& snapshot, ActiveRun run, Instant now);
// Forgets a run that is over.
void erase_run(Snapshot& snapshot, const RunId& id);
// To be called after any change of an entry's own members: version, cursors, paused, present. Also for a new entry.
void dag_changed(Snapshot& snapshot, const DagId& id, Instant now);
// Counts an update of a dataset.
void update_dataset(Snapshot& snapshot, const std::string& uri, const std::string& by, Instant now);
// Updates so far of a schedule's datasets do not count: of those that are new to it, or of all. Part of dag_changed()'s
// business: to be called before it.
void count_from_now(const Snapshot& snapshot, DagEntry& entry, const dag::Schedule& schedule, bool all);
// The counts of a schedule's datasets, if each of them was updated since they were seen.
[[nodiscard]] std::optional<std::map<std::string, std::int64_t>> all_updated(const Snapshot& snapshot,
                                                                             const DagEntry& entry,
                                                                             const dag::Schedule& schedule);
// Sets, resizes or (nullopt) deletes a pool. What it holds goes on, also beyond its size.
void set_pool(Snapshot& snapshot, const PoolId& id, const std::optional<Pool>& pool, Instant now);
// Empties every `touched`: to be called between decide() and applying its plan.
void clear_touched(Snapshot& snapshot);

// Shares that were stored, before any run is inserted; what open attempts used since is added when they are.
void restore_shares(Snapshot& snapshot, const std::vector<Share>& shares, Instant now);
// Shares that moved by a slot-second or more since they were last taken here, to be stored with what is committed
// anyway. A crash forgets less than a slot-second of each.
[[nodiscard]] std::vector<Share> unsaved_shares(Snapshot& snapshot);
// The wall clock was set: what is held is charged for elapsed time, not for the step.
void shift_shares(Snapshot& snapshot, Duration step);

// How many slots a pool has; nullopt: there is no such pool.
[[nodiscard]] std::optional<int> pool_size(const Snapshot& snapshot, const PoolId& id);
// Slots in use of a pool; of `default` all local slots in use.
[[nodiscard]] int pool_used(const Snapshot& snapshot, const PoolId& id);
// Local slots held by open attempts of all runs.
[[nodiscard]] inline int slots_used(const Snapshot& snapshot) { return snapshot.local_held; }
// Whether its attempts are pods of a cluster, which hold no local slot.
[[nodiscard]] bool runs_as_pod(const dag::Task& task);
// Local slots that an open attempt of the task holds.
[[nodiscard]] int local_slots_of(const dag::Task& task);

}  // namespace slipway::run
