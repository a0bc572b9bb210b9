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

// Whether a setup of the teardown may have left something: it began in its generation, or in an earlier one that was
// cleared before the teardown came to run.
[[nodiscard]] bool is_to_clean_up(const run::Run& run, const dag::Task& teardown);

// How the task ended in the run before of the schedule; nullopt if there is none, or it had no such task, or this one
// does not ask.
[[nodiscard]] std::optional<run::UpstreamCounts> past_of(const run::Snapshot& snapshot, const run::ActiveRun& run,
                                                         const dag::Task& task);
// Whether such a past lets the task start: all succeeded or were skipped.
[[nodiscard]] bool past_allows(const run::UpstreamCounts& past);

// Why the run fails, should it end as it stands; empty: it succeeds. Teardowns, on_failure and on_success do not count.
[[nodiscard]] std::vector<std::string> failures_of(const run::ActiveRun& run);

}  // namespace slipway::sched
