#include "slipway/kube/rollout.h"

#include <algorithm>

namespace slipway::kube {
namespace {

const Value* metadata_of(const Value& object) { return object.find("metadata"); }

Error not_applied(const Value& object) {
  const std::string what = "`" + object.get_string("kind") + "` of `" + object.get_string("apiVersion") + "`";
  return {ErrorCode::InvalidArgument, what + " is not applied by tasks",
          "these are: Deployment, Service, ConfigMap, Job, HorizontalPodAutoscaler"};
}

const Value* path(const Value& object, std::initializer_list<std::string_view> names) {
  const Value* at = &object;
  for (const std::string_view name : names) {
    if (at == nullptr || !at->is_object()) return nullptr;
    at = at->find(name);
  }
  return at;
}

std::int64_t count_of(const Value& object, std::string_view part, std::string_view name) {
  const Value* found = path(object, {part, name});
  return found != nullptr && found->is_int() ? found->as_int() : 0;
}

// The condition of that type, if its status is `status`.
const Value* condition(const Value& object, std::string_view type, std::string_view status) {
  const Value* all = path(object, {"status", "conditions"});
  if (all == nullptr || !all->is_array()) return nullptr;
  for (const Value& one : all->as_array())
    if (one.get_string("type") == type && one.get_string("status") == status) return &one;
  return nullptr;
}

std::string words_of(const Value& condition) {
  const std::string reason = condition.get_string("reason");
  const std::string message = condition.get_string("message");
  return reason.empty() || message.empty() ? reason + message : reason + ": " + message;
}

// Reasons that the kubelet gives to containers that wait.
bool is_image_reason(const std::string& reason) {
  return reason == "ErrImagePull" || reason == "ImagePullBackOff" || reason == "InvalidImageName" ||
         reason == "ErrImageNeverPull" || reason == "ImageInspectError" || reason == "RegistryUnavailable";
}
bool is_config_reason(const std::string& reason) {
  return reason == "CreateContainerConfigError" || reason == "CreateContainerError" || reason == "RunContainerError";
}

// Of a container that has ended at least once.
void note_crash(const Value& status, PodTroubleView& view) {
  const Value* ended = path(status, {"state", "terminated"});
  if (ended == nullptr) ended = path(status, {"lastState", "terminated"});
  if (ended == nullptr) return;
  view.trouble = PodTrouble::Crash;
  view.words = "container " + view.container + " of pod " + view.pod + " ended with exit code " +
               std::to_string(ended->get_int("exitCode"));
  if (ended->get_string("reason") == "OOMKilled") view.words += " for lack of memory";
  std::string said = ended->get_string("message");
  while (!said.empty() && said.back() == '\n') said.pop_back();
  if (!said.empty()) view.words += ": " + said;
  if (view.restarts > 0) view.words += " (" + std::to_string(view.restarts) + " restarts)";
}

PodTroubleView container_trouble(const std::string& pod, const Value& status) {
  PodTroubleView view{
      .pod = pod, .container = status.get_string("name"), .restarts = static_cast<int>(status.get_int("restartCount"))};
  const Value* waiting = path(status, {"state", "waiting"});
  const std::string reason = waiting == nullptr ? "" : waiting->get_string("reason");
  if (is_image_reason(reason) || is_config_reason(reason)) {
    view.trouble = is_image_reason(reason) ? PodTrouble::Image : PodTrouble::Config;
    view.hopeless = reason == "InvalidImageName" || reason == "ErrImageNeverPull";
    const std::string message = waiting->get_string("message");
    view.words = "pod " + pod + ": " + reason + (message.empty() ? "" : ": " + message);
    return view;
  }
  const Value* ready = status.find("ready");
  if (ready == nullptr || *ready != Value(true)) note_crash(status, view);
  return view;
}

PodTroubleView pod_trouble(const Value& pod) {
  PodTroubleView worst;
  worst.pod = metadata_of(pod)->get_string("name");
  if (const Value* scheduled = condition(pod, "PodScheduled", "False"))
    worst = {.trouble = PodTrouble::Waits,
             .pod = worst.pod,
             .words = "pod " + worst.pod + " waits: " + words_of(*scheduled)};
  for (const char* list : {"initContainerStatuses", "containerStatuses"}) {
    const Value* all = path(pod, {"status", list});
    if (all == nullptr || !all->is_array()) continue;
    for (const Value& status : all->as_array())
      if (auto found = container_trouble(worst.pod, status); found.trouble > worst.trouble) worst = std::move(found);
  }
  return worst;
}

}  // namespace

const std::vector<AppliedKind>& applied_kinds() {
  static const std::vector<AppliedKind> kinds{
      {"apps/v1", "Deployment", kDeployments},
      {"v1", "Service", kServices},
      {"v1", "ConfigMap", kConfigMaps},
      {"batch/v1", "Job", kJobs},
      {"autoscaling/v2", "HorizontalPodAutoscaler", kAutoscalers},
  };
  return kinds;
}

std::string object_name(const Value& object) {
  const Value* metadata = metadata_of(object);
  return object.get_string("kind") + " " + (metadata == nullptr ? "" : metadata->get_string("name"));
}

Result<ObjectPath> path_of(const Value& object) {
  for (const AppliedKind& known : applied_kinds())
    if (object.get_string("apiVersion") == known.api_version && object.get_string("kind") == known.kind)
      return ObjectPath{known.type, metadata_of(object)->get_string("namespace"),
                        metadata_of(object)->get_string("name")};
  return not_applied(object);
}

std::string annotation_of(const Value& object, std::string_view name) {
  const Value* all = path(object, {"metadata", "annotations"});
  return all == nullptr ? std::string() : all->get_string(name);
}

Value without_status(Value object) {
  object.as_object().erase("status");
  Value& metadata = object["metadata"];
  for (const char* field : {"uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink"})
    metadata.as_object().erase(field);
  if (Value* annotations = metadata.find("annotations") == nullptr ? nullptr : &metadata["annotations"])
    annotations->as_object().erase("deployment.kubernetes.io/revision");
  if (object.find("spec") != nullptr && object["spec"].is_object()) object["spec"].as_object().erase("replicas");
  return object;
}

RolloutView judge_deployment(const Value& deployment) {
  const Value* generation = path(deployment, {"metadata", "generation"});
  const std::int64_t wanted_generation = generation == nullptr ? 0 : generation->as_int();
  if (count_of(deployment, "status", "observedGeneration") < wanted_generation)
    return {RolloutStage::Waiting, "the cluster has not taken it up yet"};
  if (const Value* progress = condition(deployment, "Progressing", "False");
      progress != nullptr && progress->get_string("reason") == "ProgressDeadlineExceeded")
    return {RolloutStage::Failed, words_of(*progress)};
  const Value* replicas = path(deployment, {"spec", "replicas"});
  const std::int64_t wanted = replicas != nullptr && replicas->is_int() ? replicas->as_int() : 1;
  const std::int64_t updated = count_of(deployment, "status", "updatedReplicas");
  const std::int64_t available = count_of(deployment, "status", "availableReplicas");
  const std::int64_t all = count_of(deployment, "status", "replicas");
  std::string words = std::to_string(updated) + " of " + std::to_string(wanted) + " new pods, " +
                      std::to_string(available) + " of " + std::to_string(all) + " ready";
  if (all > updated) words += ", " + std::to_string(all - updated) + " old to go";
  if (const Value* refused = condition(deployment, "ReplicaFailure", "True")) words += "; " + words_of(*refused);
  const bool done = updated >= wanted && all <= updated && available >= wanted;
  return {done ? RolloutStage::Done : RolloutStage::Waiting, std::move(words)};
}

RolloutView judge_job(const Value& job) {
  if (condition(job, "Complete", "True") != nullptr) return {RolloutStage::Done, "complete"};
  if (const Value* failed = condition(job, "Failed", "True")) return {RolloutStage::Failed, words_of(*failed)};
  return {RolloutStage::Waiting, std::to_string(count_of(job, "status", "active")) + " pods active, " +
                                     std::to_string(count_of(job, "status", "succeeded")) + " done, " +
                                     std::to_string(count_of(job, "status", "failed")) + " failed"};
}

bool has_rollout(const Value& object) {
  const std::string kind = object.get_string("kind");
  return kind == "Deployment" || kind == "Job";
}

RolloutView judge_object(const Value& object) {
  if (object.get_string("kind") == "Deployment") return judge_deployment(object);
  if (object.get_string("kind") == "Job") return judge_job(object);
  return {RolloutStage::Done, "there"};
}

PodTroubleView worst_pod(const Value& list, std::string_view name, std::string_view value) {
  PodTroubleView worst;
  const Value* items = list.find("items");
  if (items == nullptr || !items->is_array()) return worst;
  for (const Value& pod : items->as_array()) {
    const Value* metadata = metadata_of(pod);
    if (metadata == nullptr || metadata->find("deletionTimestamp") != nullptr) continue;
    if (annotation_of(pod, name) != value) continue;
    if (auto found = pod_trouble(pod); found.trouble > worst.trouble) worst = std::move(found);
  }
  return worst;
}

std::string selector_of(const Value& deployment) {
  std::string text;
  const Value* labels = path(deployment, {"spec", "selector", "matchLabels"});
  if (labels == nullptr || !labels->is_object()) return text;
  for (const auto& [name, value] : labels->as_object())
    if (value.is_string()) text += (text.empty() ? "" : ",") + name + "=" + value.as_string();
  return text;
}

std::string external_host(const Value& service) {
  const Value* ingress = path(service, {"status", "loadBalancer", "ingress"});
  if (ingress == nullptr || !ingress->is_array() || ingress->as_array().empty()) return {};
  const Value& first = ingress->as_array().front();
  const std::string address = first.get_string("ip");
  return address.empty() ? first.get_string("hostname") : address;
}

ApiCall proxy_call(const ProxyRequest& request) {
  const std::string target = "http:" + request.service + ":" + std::to_string(request.port);
  ApiCall call{.verb = request.post ? Verb::Create : Verb::Get, .method = request.post ? "POST" : "GET"};
  // The path goes on behind the proxy as it was written, its query too.
  call.path = ObjectPath{kServices, request.namespace_name, ""}.str() + "/" + target + "/proxy" + request.path;
  call.body = request.body;
  if (request.post) call.content_type = "application/json";
  call.repeatable = false;
  call.raw = true;
  call.timeout = request.timeout;
  return call;
}

}  // namespace slipway::kube
