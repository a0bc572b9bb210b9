// Which instances an action on a run changes. Pure: from the state of a run to a list, in the order of the DAG.
#pragma once

#include "slipway/engine/engine.h"

namespace slipway::engine {

// Ended badly: failed, upstream_failed or cancelled.
[[nodiscard]] bool ended_badly(run::TaskState state);

// NotFound, naming the nearest: a key that the run has no instance of, and its DAG no task.
[[nodiscard]] Result<void> check_keys(const run::ActiveRun& run, const std::vector<TaskKey>& keys);

// What `command` selects in this run, tasks that it does not have left out, and what has to be decided on again because
// of it. Instances that have not begun are not among them: there is nothing to open again.
[[nodiscard]] std::vector<Change> select(const run::ActiveRun& run, const ClearRun& command);
// What ended badly of `keys` (all where empty), and whatever ended downstream of it.
[[nodiscard]] std::vector<Change> select_failed(const run::ActiveRun& run, const std::vector<TaskKey>& keys);
// What is downstream of `keys`, has not run in its generation and is nobody's word.
[[nodiscard]] std::vector<Change> undecided_below(const run::ActiveRun& run, const std::vector<TaskKey>& keys);
// The same of the whole run.
[[nodiscard]] std::vector<Change> undecided(const run::ActiveRun& run);

}  // namespace slipway::engine
