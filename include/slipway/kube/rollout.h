// Objects that are brought about rather than run: Deployments, Services and what belongs to them. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "slipway/base/enum_table.h"
#include "slipway/base/result.h"
#include "slipway/base/value.h"
#include "slipway/kube/api.h"

namespace slipway::kube {

// The kinds that may be applied.
struct AppliedKind {
  std::string_view api_version;
  std::string_view kind;
  ResourceType type;
};
[[nodiscard]] const std::vector<AppliedKind>& applied_kinds();

// "Deployment web".
[[nodiscard]] std::string object_name(const Value& object);
// Where an object with a namespace and a name goes. InvalidArgument: a kind that is not applied.
[[nodiscard]] Result<ObjectPath> path_of(const Value& object);
// `metadata.annotations` of anything.
[[nodiscard]] std::string annotation_of(const Value& object, std::string_view name);

// An object as a server shows it, without what servers add: it can be applied again. `spec.replicas` is left out,
// because an autoscaler may own it.
[[nodiscard]] Value without_status(Value object);

enum class RolloutStage : unsigned char { Waiting, Done, Failed };
inline constexpr EnumTable<RolloutStage, 3> kRolloutStages{{{
    {RolloutStage::Waiting, "waiting", "it goes on"},
    {RolloutStage::Done, "done", "what was wanted is there"},
    {RolloutStage::Failed, "failed", "the cluster has given it up"},
}}};

struct RolloutView {
  RolloutStage stage = RolloutStage::Waiting;
  std::string words;  // "1 of 2 new pods, 2 of 3 ready, 2 old to go"

  bool operator==(const RolloutView&) const = default;
};

// By generation, replica counts and conditions, as `kubectl rollout status` does.
[[nodiscard]] RolloutView judge_deployment(const Value& deployment);
// Done: complete.
[[nodiscard]] RolloutView judge_job(const Value& job);
// Of any object that was applied: kinds without a life of their own are done at once.
[[nodiscard]] RolloutView judge_object(const Value& object);
[[nodiscard]] bool has_rollout(const Value& object);

// What keeps a pod of a rollout from being ready.
enum class PodTrouble : unsigned char { None, Waits, Image, Config, Crash };
inline constexpr EnumTable<PodTrouble, 5> kPodTroubles{{{
    {PodTrouble::None, "none", "it is ready, or on its way"},
    {PodTrouble::Waits, "waits", "it has no node yet"},
    {PodTrouble::Image, "image", "its image cannot be had"},
    {PodTrouble::Config, "config", "something that it refers to is not there"},
    {PodTrouble::Crash, "crash", "its container has ended"},
}}};
struct PodTroubleView {
  PodTrouble trouble = PodTrouble::None;
  std::string pod, container;
  int restarts = 0;
  std::string words;
  bool hopeless = false;  // time will not cure it: the image's name is no name
};
// Of the pods of a list whose annotation `name` is `value`, the one in the deepest trouble.
[[nodiscard]] PodTroubleView worst_pod(const Value& list, std::string_view name, std::string_view value);

// A label selector for a list, from a Deployment's `spec.selector.matchLabels`: "a=b,c=d".
[[nodiscard]] std::string selector_of(const Value& deployment);

// Where clients outside of the cluster reach a Service of type LoadBalancer; empty: nowhere yet.
[[nodiscard]] std::string external_host(const Value& service);

// A request to what a Service leads to, through the API server: no way into the cluster's network is needed. The answer
// is text.
struct ProxyRequest {
  std::string namespace_name, service;
  int port = 0;
  bool post = false;
  std::string path;  // "/generate"
  std::string body;  // JSON
  Duration timeout = std::chrono::seconds(60);
};
[[nodiscard]] ApiCall proxy_call(const ProxyRequest& request);

}  // namespace slipway::kube
