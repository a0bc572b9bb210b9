// The services that `service:` tasks of a home have brought about on a cluster. From any thread; each asks the server,
// and blocks for it.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "slipway/base/ids.h"
#include "slipway/base/result.h"
#include "slipway/kube/client.h"

namespace slipway::pods {

struct ClusterServiceStatus {
  std::string revision;  // id of the attempt that deployed what is live
  bool up = false;       // every Deployment of it is rolled out and available
  std::string words;     // "Deployment web: 1 of 1 new pods, 1 of 1 ready"
  std::string logs;      // a command that shows them
};

// Nothing: no revision of it is live on a cluster.
[[nodiscard]] std::optional<ClusterServiceStatus> cluster_service(kube::Client& client,
                                                                  const std::filesystem::path& home,
                                                                  const ServiceId& name);

// Deletes its Deployments and Services, and what belongs to them; what else its manifests hold stays. False: there is
// none on a cluster. An error: nothing is forgotten, and it may be tried again.
[[nodiscard]] Result<bool> stop_cluster_service(kube::Client& client, const std::filesystem::path& home,
                                                const ServiceId& name);

}  // namespace slipway::pods
