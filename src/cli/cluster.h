// The cluster that tasks run on, from the settings: how it is reached, and what pods get.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/config.h"
#include "slipway/base/log.h"
#include "slipway/base/result.h"
#include "slipway/base/time.h"
#include "slipway/dag/dag.h"
#include "slipway/http/transport.h"
#include "slipway/kube/client.h"
#include "slipway/kube/config.h"
#include "slipway/pods/pod_task.h"

namespace slipway::cli {

// Flags that win over settings; empty where they were not given.
struct ClusterFlags {
  std::string executor, kubeconfig, context, namespace_name, image;
};

struct Cluster {
  kube::ClientConfig config;
  pods::PodDefaults defaults;  // without the instance, which the database knows
};

struct ClusterSettings {
  dag::Place place = dag::Place::Local;  // of tasks that say nothing
  std::optional<Cluster> cluster;        // absent: no setting speaks of one
};

// A cluster is used once `executor` is kubernetes or any setting tells which. Errors name the setting or the file.
[[nodiscard]] Result<ClusterSettings> cluster_settings(const Config& config, const ClusterFlags& flags,
                                                       const std::map<std::string, std::string>& env);

// "a,b" is two names.
[[nodiscard]] std::vector<std::string> split_names(const std::string& text);

// `transport` and `clock` outlive it.
[[nodiscard]] Result<std::unique_ptr<kube::Client>> connect_cluster(const Cluster& cluster, const Clock& clock,
                                                                    http::Transport& transport,
                                                                    const std::map<std::string, std::string>& env,
                                                                    const Logger& log);

}  // namespace slipway::cli
