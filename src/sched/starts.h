// Which runs that wait for earlier ones start, and what backfills do next.
#pragma once

#include <set>
#include <vector>

#include "slipway/sched/planner.h"

namespace slipway::sched {

// Runs that start, oldest first, while fewer are under way than the DAG allows. `moved` moves already in this round.
void start_queued(const run::Snapshot& snapshot, const std::set<RunId>& moved, Plan& plan);
// Starts of their runs, claims and ends of backfills. They go on while their DAG is paused, but claim no tick while its
// file is gone, and none in this step once Snapshot::claims_left is used up.
void plan_backfills(const run::Snapshot& snapshot, const std::set<RunId>& moved, Instant now, Plan& plan);

// The runs that name `before` as the run before them.
[[nodiscard]] std::vector<RunId> followers_of(const run::Snapshot& snapshot, const RunId& before);
// Whether the run, or one that is not over and started it, was made or opened again by a backfill.
[[nodiscard]] bool runs_for_backfill(const run::Snapshot& snapshot, const run::Run& run);

}  // namespace slipway::sched
