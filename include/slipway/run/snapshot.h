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

// A DAG version with the run that uses it. Versions are shared and immutable.
struct ActiveRun {
  Run state;
  std::shared_ptr<const dag::Dag> dag;
  // Instances whose upstream counts, own state or retry instant changed since the last decide(); the engine keeps it
  // (touch) and empties it after applying a plan. At recovery every instance is in it.
  std::set<TaskKey> touched;
  // Instances by state, kept by the engine through fold(), so that a decision costs what changed and not what exists.
  std::set<TaskKey> scheduled;                     // state Scheduled
  std::map<Instant, std::set<TaskKey>> retry_due;  // state UpForRetry, by retry_at
  std::set<AttemptId> open_attempts;               // not terminal
  int unfinished = 0;                              // instances not in a terminal state
};

// apply() for an ActiveRun: state, sets and touched together. The downstream instances of a changed one are touched.
void fold(ActiveRun& run, const Event& event);
// Rebuilds the sets from `state`, touching everything. For recovery and tests: fold() must give the same sets.
[[nodiscard]] ActiveRun activate(Run state, std::shared_ptr<const dag::Dag> dag);

// A DAG of the folder, its newest valid version, and where its schedules stand.
struct DagEntry {
  std::shared_ptr<const dag::Dag> dag;
  VersionId version;
  bool paused = false;
  std::map<std::string, Instant> cursors;  // by schedule name: ticks up to and including this instant are settled
  std::vector<RunId> active;               // its runs that are not terminal, oldest first
};

struct Snapshot {
  std::map<DagId, DagEntry> dags;
  std::map<RunId, ActiveRun> runs;  // every run that is not terminal
  int slots_total = 1;              // of the local executor
  int slots_used = 0;               // open attempts that hold a slot; a service attempt holds none
  Value vars;                       // object: what expressions see as vars
};

}  // namespace slipway::run
