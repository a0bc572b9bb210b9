// What became of tasks as a whole, mapped or not, and of the run.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "slipway/run/snapshot.h"

namespace slipway::sched {

// The state of a task: its instance's, or of a mapped one, in this order: active while an instance has not ended,
// failed (one failed or was cancelled), upstream_failed, success (one succeeded), skipped, removed.
[[nodiscard]] run::TaskState outcome_of(const run::ActiveRun& run, int task);

// Whether an instance of the task began in its generation.
[[nodiscard]] bool has_begun(const run::Run& run, const TaskId& task);

// How the task ended in the run before of the schedule; nullopt if there is none, or it had no such task, or this one
// does not ask.
[[nodiscard]] std::optional<run::UpstreamCounts> past_of(const run::Snapshot& snapshot, const run::ActiveRun& run,
                                                         const dag::Task& task);
// Whether such a past lets the task start: all succeeded or were skipped.
[[nodiscard]] bool past_allows(const run::UpstreamCounts& past);

// Why the run fails, should it end as it stands; empty: it succeeds. Teardowns, on_failure and on_success do not count.
[[nodiscard]] std::vector<std::string> failures_of(const run::ActiveRun& run);

// What a retry opens again: instances that ended badly, and whatever ended below them; of a mapped task only the
// instances that ended badly, unless something above it is opened, too; setups whose teardown runs again for the sake
// of something between them; on_failure and on_success. In the order of the run's instances.
[[nodiscard]] std::vector<TaskKey> to_retry(const run::ActiveRun& run);

}  // namespace slipway::sched
