// What the expressions of a task may see when it is decided on or launched.
#pragma once

#include <vector>

#include "slipway/run/snapshot.h"

namespace slipway::sched {

// The object for dag::Scope::names: params, vars, run, dag and tasks. Of vars and tasks only what `templates` name is
// copied, so that a task of a large run costs what it reads. Outputs of a task that did not succeed are null; of a
// mapped one they are a list in the order of its elements.
//   run   id, trigger, schedule, logical_date, scheduled_at, interval_start, interval_end, ts (in the schedule's zone),
//         ds ("2024-11-01"), ds_nodash, ts_nodash
//   dag   id, owner, folder (absolute, of the DAG's file)
//         for on_failure and on_success also result, failures
//   tasks.<id>   outputs, state (see outcome_of), attempts (of all its instances together)
//   item, index  where `instance` is mapped
[[nodiscard]] Value names_for(const run::Snapshot& snapshot, const run::ActiveRun& run,
                              const std::vector<const dag::Template*>& templates,
                              const run::TaskInstance* instance = nullptr);

}  // namespace slipway::sched
