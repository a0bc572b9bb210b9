// Trigger rules as a function of counts. The table rule x counts -> verdict is in docs/engine.md.
#pragma once

#include "slipway/dag/dag.h"

namespace slipway::sched {

// Direct upstream instances by outcome. `cancelled` is counted in failed; `removed` is left out; waiting, up_for_retry,
// stopping and lost are pending.
struct UpstreamCounts {
  int success = 0;
  int failed = 0;
  int upstream_failed = 0;
  int skipped = 0;
  int pending = 0;

  [[nodiscard]] int done() const { return success + failed + upstream_failed + skipped; }
  [[nodiscard]] int total() const { return done() + pending; }
};

enum class Verdict : unsigned char { Wait, Run, Skip, UpstreamFailed };

[[nodiscard]] Verdict evaluate(dag::TriggerRule rule, const UpstreamCounts& counts);

}  // namespace slipway::sched
