// Runs attempts as pods of a Kubernetes cluster. A pod's name follows from its attempt, so an attempt has one pod,
// however often it is asked for and whatever answers were lost; after a restart of the daemon, of the API server or of
// both they are found again. docs/kubernetes.md tells how each end of a pod is read.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "slipway/base/log.h"
#include "slipway/base/result.h"
#include "slipway/base/time.h"
#include "slipway/exec/executor.h"
#include "slipway/kube/client.h"
#include "slipway/kube/logs.h"
#include "slipway/kube/reflector.h"
#include "slipway/pods/pod_task.h"

namespace slipway::pods {

struct PodOptions {
  std::filesystem::path home;  // absolute; logs go to the attempts' folders
  PodDefaults defaults;
  std::uint64_t log_bytes_max = 64U << 20U;        // per attempt
  int followers_max = 200;                         // logs that are followed at a time; others are read when one is free
  Duration image_grace = std::chrono::minutes(5);  // how long a failing pull may go on
  Duration drain_longest = std::chrono::minutes(2);   // a pod that has ended waits so long for its log to be read
  Duration lost_grace = std::chrono::seconds(30);     // beyond its own, until a pod of a lost node counts as lost
  Duration leftover_grace = std::chrono::minutes(1);  // until a pod that has ended and nobody asks for is cleared away
  Duration retry_first = std::chrono::seconds(1);     // of a create that met a quota or no server; doubled each time
  Duration retry_longest = std::chrono::minutes(1);
  Duration quota_first = std::chrono::seconds(5);
  Duration events_after = std::chrono::seconds(10);  // how often the cluster is asked why pods do not start
  kube::ReflectorOptions mirror;                     // its times; what it mirrors is set here
  kube::LogFollowOptions following;                  // its times
  std::uint64_t seed = 1;                            // of the jitter
};

// An executor with one thread of its own, from which `sink` is called, and `client`'s. The sink must outlive it, or be
// safe to call until it is destroyed; no report is sent before the first launch or adopt. Destroying it leaves the pods
// running. It never asks for the content of a Secret.
//
// To what the spec's environment does not set itself it adds SLIPWAY_ATTEMPT_ID, SLIPWAY_OUTPUT, SLIPWAY_WORKSPACE and
// SLIPWAY_ARTIFACTS; SLIPWAY_POD, SLIPWAY_NAMESPACE and SLIPWAY_NODE are always its own.
[[nodiscard]] std::unique_ptr<exec::Executor> make_pod_executor(std::unique_ptr<kube::Client> client,
                                                                PodOptions options, exec::ReportSink& sink,
                                                                const Clock& clock, Logger log);

// What the executor asks of a namespace, as "create pods" and "get pods/log": those that the account may not. An error
// is the server's, which could not be asked. Blocks.
[[nodiscard]] Result<std::vector<std::string>> missing_rights(kube::Client& client, const std::string& namespace_name);

}  // namespace slipway::pods
