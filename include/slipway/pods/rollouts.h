// Brings objects of a cluster about: `apply:` tasks, and `service:` tasks as Deployments. docs/kubernetes.md,
// "Services".
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>

#include "slipway/base/log.h"
#include "slipway/base/time.h"
#include "slipway/exec/executor.h"
#include "slipway/kube/client.h"
#include "slipway/pods/pod_task.h"

namespace slipway::pods {

struct RolloutOptions {
  std::filesystem::path home;  // absolute
  PodDefaults defaults;
  int at_once_max = 16;                                // further ones wait their turn
  Duration poll = std::chrono::seconds(1);             // between two looks at what is being rolled out
  Duration image_grace = std::chrono::minutes(2);      // how long a failing pull, or a missing Secret, may go on
  int crashes_max = 3;                                 // restarts of a container of the new revision
  Duration smoke_patience = std::chrono::seconds(30);  // until the Service leads to the new pods
  Duration smoke_timeout = std::chrono::minutes(5);    // of one smoke request
  Duration restore_longest = std::chrono::minutes(2);  // until the revision before is ready again
  Duration outage_longest = std::chrono::minutes(15);  // of the API server, before an `apply:` gives up
  std::uint64_t log_bytes_max = 64U << 20U;
};

// An executor (exec::kRollouts) that takes specs with `rollout`, with threads of its own, from which `sink` is called.
// Objects are applied by the server (field manager `slipway`, not forced: a field that somebody else owns is an error
// that names them). An attempt's state lies in its folder: a later daemon goes on where this one stopped.
//
// A service is live when its rollout is complete and its smoke request passed; otherwise, or if it is stopped before,
// what was live is applied again, and a Deployment or Service that was not
// there before is deleted. Its outputs: url, external_url, revision.
[[nodiscard]] std::unique_ptr<exec::Executor> make_rollout_executor(std::unique_ptr<kube::Client> client,
                                                                    RolloutOptions options, exec::ReportSink& sink,
                                                                    const Clock& clock, Logger log);

}  // namespace slipway::pods
