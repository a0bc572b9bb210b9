#include "slipway/sched/trigger_rule.h"

namespace slipway::sched {
namespace {

// The verdict once every upstream instance ended and the rule was not met: skipped work skips what follows, failed work
// fails it.
Verdict unmet(const UpstreamCounts& n) {
  return n.failed + n.upstream_failed > 0 ? Verdict::UpstreamFailed : Verdict::Skip;
}

}  // namespace

Verdict evaluate(dag::TriggerRule rule, const UpstreamCounts& n, const UpstreamCounts& setups) {
  using Rule = dag::TriggerRule;
  if (n.total() == 0) return Verdict::Run;
  const bool bad = n.failed + n.upstream_failed > 0;
  const Verdict run_when_done = n.pending > 0 ? Verdict::Wait : Verdict::Run;
  switch (rule) {
    case Rule::AllSuccess:
      if (bad) return Verdict::UpstreamFailed;
      return n.skipped > 0 ? Verdict::Skip : run_when_done;
    case Rule::AllFailed: return n.success + n.skipped > 0 ? Verdict::Skip : run_when_done;
    case Rule::AllDone: return run_when_done;
    case Rule::Always: return Verdict::Run;
    case Rule::OneSuccess:
      if (n.success > 0) return Verdict::Run;
      return n.pending > 0 ? Verdict::Wait : unmet(n);
    case Rule::OneFailed:
      if (bad) return Verdict::Run;
      return n.pending > 0 ? Verdict::Wait : Verdict::Skip;
    case Rule::OneDone:
      if (n.success + n.failed > 0) return Verdict::Run;
      return n.pending > 0 ? Verdict::Wait : Verdict::Skip;
    case Rule::NoneFailed: return bad ? Verdict::UpstreamFailed : run_when_done;
    case Rule::NoneFailedMinOneSuccess:
      if (bad) return Verdict::UpstreamFailed;
      return n.pending == 0 && n.success == 0 ? Verdict::Skip : run_when_done;
    case Rule::NoneSkipped: return n.skipped > 0 ? Verdict::Skip : run_when_done;
    case Rule::AllSkipped: return n.success > 0 || bad ? Verdict::Skip : run_when_done;
    case Rule::AllDoneSetupSuccess:
      if (n.pending > 0) return Verdict::Wait;
      return setups.success > 0 ? Verdict::Run : unmet(setups);
    case Rule::AllDoneMinOneSuccess: return n.pending == 0 && n.success == 0 ? unmet(n) : run_when_done;
  }
  return Verdict::Wait;
}

}  // namespace slipway::sched
