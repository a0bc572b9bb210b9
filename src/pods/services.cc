#include "slipway/pods/services.h"

#include <filesystem>

#include "pods/rollout_work.h"
#include "slipway/kube/rollout.h"

namespace slipway::pods {

std::optional<ClusterServiceStatus> cluster_service(kube::Client& client, const std::filesystem::path& home,
                                                    const ServiceId& name) {
  const auto record = read_record(home, name);
  if (!record) return std::nullopt;
  ClusterServiceStatus status;
  status.revision = record->revision;
  for (const Value& object : record->objects) {
    const auto path = kube::path_of(object);
    if (!path || object.get_string("kind") != "Deployment") continue;
    const kube::Answer found = client.call_and_wait(kube::get_call(*path));
    const kube::RolloutView view = found ? kube::judge_deployment(found.object)
                                         : kube::RolloutView{kube::RolloutStage::Failed, found.failure->message};
    status.up = status.words.empty() ? view.stage == kube::RolloutStage::Done
                                     : status.up && view.stage == kube::RolloutStage::Done;
    status.words += (status.words.empty() ? "" : "; ") + kube::object_name(object) + ": " + view.words;
    status.logs = "kubectl logs -n " + path->namespace_name + " deployment/" + path->name;
  }
  return status;
}

Result<bool> stop_cluster_service(kube::Client& client, const std::filesystem::path& home, const ServiceId& name) {
  const auto record = read_record(home, name);
  if (!record) return false;
  for (const Value& object : record->objects) {
    const std::string kind = object.get_string("kind");
    if (kind != "Deployment" && kind != "Service") continue;
    SLIPWAY_TRY_ASSIGN(const kube::ObjectPath path, kube::path_of(object));
    const kube::Answer done =
        client.call_and_wait(kube::delete_call(path, {.propagation = kube::Propagation::Foreground}));
    if (!done && done.failure->kind != kube::FailureKind::NotFound)
      return done.failure->to_error(kube::object_name(object) + " cannot be deleted");
  }
  SLIPWAY_TRY(remove_record(home, name));
  return true;
}

}  // namespace slipway::pods
