// Which schedules fire now: grace, missed ticks and overlap.
#pragma once

#include "slipway/sched/planner.h"

namespace slipway::sched {

// Adds runs, cursor moves and cancels (overlap: cancel) to `plan`, and the next tick to its wake_at. `suspects` is told
// which DAG is looked at.
void plan_ticks(const run::Snapshot& snapshot, Instant now, Plan& plan, Suspects* suspects);

}  // namespace slipway::sched
