#include <algorithm>

#include "slipway/kube/pod_outcome.h"

namespace slipway::kube {
namespace {

constexpr std::size_t kMessageMax = 4096;

std::optional<Instant> time_of(const Value& object, std::string_view key) {
  const auto at = parse_rfc3339(object.get_string(key));
  return at ? std::optional(*at) : std::nullopt;
}

ContainerView container_view(const Value& status) {
  ContainerView view;
  const Value* state = status.find("state");
  if (state == nullptr) return view;
  if (const Value* waiting = state->find("waiting")) {
    view.waiting = waiting->get_string("reason", "Waiting");
    view.message = waiting->get_string("message").substr(0, kMessageMax);
  }
  if (const Value* running = state->find("running")) {
    view.running = true;
    view.started_at = time_of(*running, "startedAt");
  }
  if (const Value* ended = state->find("terminated")) {
    view.terminated = true;
    view.exit_code = static_cast<int>(ended->get_int("exitCode"));
    view.reason = ended->get_string("reason");
    view.message = ended->get_string("message").substr(0, kMessageMax);
    view.started_at = time_of(*ended, "startedAt");
    view.finished_at = time_of(*ended, "finishedAt");
  }
  return view;
}

const Value::Array& array_of(const Value& object, std::string_view key) {
  static const Value::Array kNone;
  const Value* found = object.find(key);
  return found != nullptr && found->is_array() ? found->as_array() : kNone;
}

// An init container that is restarted always is a sidecar: its end says nothing.
bool is_sidecar(const Value& pod, std::string_view name) {
  const Value* spec = pod.find("spec");
  if (spec == nullptr) return false;
  const auto& all = array_of(*spec, "initContainers");
  return std::any_of(all.begin(), all.end(), [&](const Value& one) {
    return one.get_string("name") == name && one.get_string("restartPolicy") == "Always";
  });
}

void read_conditions(const Value& status, PodView& view) {
  for (const Value& condition : array_of(status, "conditions")) {
    const std::string type = condition.get_string("type");
    const std::string state = condition.get_string("status");
    if (type == "DisruptionTarget" && state == "True") {
      view.disruption = condition.get_string("reason", "unknown");
      view.disrupted_at = time_of(condition, "lastTransitionTime");
    }
    if (type == "PodScheduled" && state == "False")
      view.unschedulable = condition.get_string("message", "not scheduled yet").substr(0, kMessageMax);
  }
}

void read_init(const Value& pod, const Value& status, PodView& view) {
  for (const Value& one : array_of(status, "initContainerStatuses")) {
    const std::string name = one.get_string("name");
    const ContainerView init = container_view(one);
    if (init.terminated && init.exit_code != 0 && !is_sidecar(pod, name)) {
      view.failed_init = name;
      view.init = init;
      return;
    }
    if (view.init.waiting.empty() && !init.waiting.empty()) view.init = init;
  }
}

}  // namespace

PodView view_of(const Value& pod, std::string_view main_container) {
  PodView view;
  if (const Value* metadata = pod.find("metadata")) {
    view.name = metadata->get_string("name");
    view.uid = metadata->get_string("uid");
    view.end_due_at = view.deleted_at = time_of(*metadata, "deletionTimestamp");
    if (view.deleted_at) *view.deleted_at -= std::chrono::seconds(metadata->get_int("deletionGracePeriodSeconds"));
  }
  if (const Value* spec = pod.find("spec")) view.node = spec->get_string("nodeName");
  const Value* status = pod.find("status");
  if (status == nullptr) return view;
  view.phase = status->get_string("phase");
  view.reason = status->get_string("reason");
  view.message = status->get_string("message").substr(0, kMessageMax);
  read_conditions(*status, view);
  read_init(pod, *status, view);
  for (const Value& one : array_of(*status, "containerStatuses"))
    if (one.get_string("name") == main_container) view.main = container_view(one);
  return view;
}

}  // namespace slipway::kube
