// Trigger rules as a function of counts. The table rule x counts -> verdict is in docs/engine.md.
#pragma once

#include "slipway/dag/dag.h"
#include "slipway/run/snapshot.h"

namespace slipway::sched {

using run::UpstreamCounts;

enum class Verdict : unsigned char { Wait, Run, Skip, UpstreamFailed };

// `counts`: everything directly upstream. `setups`: of them the setups of a teardown; for all_done_setup_success only.
[[nodiscard]] Verdict evaluate(dag::TriggerRule rule, const UpstreamCounts& counts, const UpstreamCounts& setups = {});

}  // namespace slipway::sched
