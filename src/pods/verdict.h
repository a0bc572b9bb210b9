// From what is known of a pod to what the engine is told; pure.
#pragma once

#include <optional>
#include <string>

#include "slipway/base/time.h"
#include "slipway/exec/executor.h"
#include "slipway/kube/pod_outcome.h"
#include "slipway/pods/pod_task.h"

namespace slipway::pods {

// Why we gave a pod up before it ran: it is deleted, and this is what its end means.
struct GivenUp {
  run::FailureClass failure = run::FailureClass::Launch;
  std::string why;
};

struct Ending {
  AttemptId id;
  kube::PodView pod;
  PodRules rules;
  bool stopped = false;  // we had asked for its end
  std::optional<GivenUp> given_up;
  Instant now;
};

// Whether the main container left a complete result.
[[nodiscard]] bool result_whole(const kube::PodView& pod, const PodRules& rules);
// When its main container began, as far as the node says, and not after `now`.
[[nodiscard]] Instant started_at(const kube::PodView& pod, Instant now);
// Of an outcome whose stage is Ended: Exited, LaunchFailed, or Lost where its process may still run.
[[nodiscard]] exec::Report report_of(const Ending& ending, const kube::PodOutcome& outcome);

}  // namespace slipway::pods
