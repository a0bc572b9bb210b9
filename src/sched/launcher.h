// Which waiting instances start now: pools, classes, fair shares, and the limits of DAGs.
#pragma once

#include <set>

#include "slipway/sched/planner.h"

namespace slipway::sched {

// Adds launches to `plan`, best first, none of a run in `moved`. Costs O((launches + DAGs that hold slots) · log), not
// what waits.
//   Between pools: class, then the pool whose last start is longest ago.
//   In a pool: class (low is owed every 20th start), then the DAG with the least virtual time.
//   In a DAG: run::Waiting.
// What comes first and does not fit holds back the rest of its pool until it does, so that no task that needs many
// slots starves behind small ones; one that can never fit waits apart (run::Lane::stuck) and holds back nobody.
void plan_launches(const run::Snapshot& snapshot, const std::set<RunId>& moved, Plan& plan);

// The instance that starts next in the pool, whether it fits or not; nullptr if nothing waits there that may start.
[[nodiscard]] const run::Waiting* first_in_pool(const run::Snapshot& snapshot, const PoolId& pool);

// Whether as many attempts of the DAG are open as its max_active_tasks.
[[nodiscard]] bool dag_is_full(const run::Snapshot& snapshot, const run::ActiveRun& run);

}  // namespace slipway::sched
