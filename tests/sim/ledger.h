// What was committed, kept by somebody who does not trust the engine: every batch passes through it on its way to the
// store, and every sentence of the contract is checked against it in its own words.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "sim/backfill_ledger.h"
#include "sim/random_dag.h"
#include "slipway/run/snapshot.h"
#include "slipway/store/store.h"

namespace slipway::sim {

class Ledger {
 public:
  // `slots`: attempts that may be open at a time, services aside.
  explicit Ledger(int slots, bool trace) : slots_(slots), trace_(trace) {}

  // A version that the engine may use from now on.
  void know(const SimDag& dag);

  // Called once the batch is on the disk.
  void on_committed(const store::Batch& batch);
  // What the engine holds in memory must be what is on the disk.
  void compare(const run::Snapshot& snapshot, Instant now);
  // What a store gives back must be what was committed.
  void compare(const store::Recovered& recovered);

  [[nodiscard]] const std::map<RunId, run::Run>& runs() const { return runs_; }
  // The DAG version of a run, or nullptr.
  [[nodiscard]] const SimDag* dag_of(const RunId& id) const;
  [[nodiscard]] bool has_intent(const AttemptId& id) const;
  [[nodiscard]] bool is_quiet() const;  // no run and no backfill is under way
  // The newest backfill that has not ended, or "none".
  [[nodiscard]] std::string open_backfill() const { return backfills_.open_one(); }
  // Whether some run under way waits for what a person has to mend in the run before.
  [[nodiscard]] bool waits_for_past() const;
  // Instances that wait for a person, and since when.
  [[nodiscard]] std::map<std::pair<RunId, TaskKey>, Instant> questions() const;
  [[nodiscard]] std::uint64_t events() const { return events_; }
  // The first sentence that was broken, or empty.
  [[nodiscard]] const std::string& violation() const { return violation_; }
  void accuse(const std::string& what);

 private:
  void check(const run::Event& event);
  void check_body(const run::Run& run, const run::TaskMoved& move);
  void check_body(const run::Run& run, const run::TaskExpanded& expanded);
  void check_body(const run::Run& run, const run::TaskWaiting& waiting);
  void check_body(const run::Run& run, const run::AttemptOpened& opened);
  void check_body(const run::Run& run, const run::AttemptEnded& ended);
  void check_body(const run::Run& run, const run::RunMoved& moved);
  void check_taken_over(const run::Run& run, const run::TaskMoved& move);
  void check_start(const run::Run& run, const TaskKey& key, const SimTask& task);
  void check_clean_up(const run::Run& run, const TaskKey& key, const SimTask& task);
  void check_not_needed(const run::Run& run, const TaskKey& cancelled, const SimTask& task);
  void check_teardowns(const run::Run& run);
  void check_parallel(const run::Run& run, const TaskKey& opened, const SimDag& dag);
  void check_previous(const run::Run& run);
  [[nodiscard]] const run::Run* run_before(const run::Run& run) const;
  [[nodiscard]] bool past_allows(const run::Run& run, const std::string& task) const;
  void check_created(const run::RunHeader& header);
  void check_runs(const run::Run& run, const run::EventBody& body);
  [[nodiscard]] bool is_for_backfill(const run::Run& run) const;
  void check_limits(const run::Run& run, const TaskKey& opened);
  void check_active_runs(const run::Run& started);
  void compare_sets(const run::ActiveRun& run);
  [[nodiscard]] int held_in(const std::string& pool) const;
  [[nodiscard]] const SimTask* task_of(const run::Run& run, const TaskKey& key) const;

  const int slots_;
  const bool trace_;
  std::map<VersionId, SimDag> versions_;
  std::map<RunId, run::Run> runs_;
  std::map<RunId, std::map<TaskKey, run::TaskState>> before_;        // states as this ledger has seen them move
  std::map<std::pair<RunId, TaskKey>, std::map<int, int>> retries_;  // of class user, by generation
  std::map<std::pair<DagId, std::string>, Instant> cursors_;
  std::set<std::tuple<DagId, std::string, Instant>> ticks_;
  std::map<PoolId, int> pools_;                         // sizes
  std::set<std::tuple<RunId, TaskKey, int>> sub_runs_;  // by parent, task and generation
  std::map<std::string, std::int64_t> updates_;         // of datasets, as the events tell
  std::set<AttemptId> open_;                            // not terminal
  std::set<RunId> changed_;                             // since the last compare()
  BackfillLedger backfills_{[this](const std::string& what) { accuse(what); }};
  std::uint64_t events_ = 0;
  std::uint64_t compared_ = 0;
  std::string violation_;
};

}  // namespace slipway::sim
