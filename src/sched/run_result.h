// How a run ended, once none of its instances is unfinished.
#pragma once

#include "slipway/sched/planner.h"

namespace slipway::sched {

[[nodiscard]] RunMove conclude(const run::ActiveRun& run);

}  // namespace slipway::sched
