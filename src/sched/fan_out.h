// The list of a fan-out.
#pragma once

#include "slipway/base/result.h"
#include "slipway/run/snapshot.h"

namespace slipway::sched {

// The elements, rendered. The error says what is wrong with the list, for the reason of a failed task.
[[nodiscard]] Result<Value::Array> elements_of(const run::Snapshot& snapshot, const run::ActiveRun& run,
                                               const dag::ForEach& fan_out);

}  // namespace slipway::sched
