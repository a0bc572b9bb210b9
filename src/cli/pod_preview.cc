#include "cli/pod_preview.h"

#include <algorithm>

#include "cli/cluster.h"
#include "slipway/kube/rollout.h"
#include "slipway/pods/pod_task.h"
#include "slipway/pods/service_objects.h"

namespace slipway::cli {
namespace {

Result<ClusterSettings> settings_of(const Session& session) {
  SLIPWAY_TRY_ASSIGN(const Config config, Config::load(session.env));
  return cluster_settings(config, {}, session.env);
}

// What a task asks of a cluster: the pod that it is, or the objects that it brings about.
struct Prepared {
  std::string namespace_name;
  std::vector<Value> objects;
  bool applied = false;
};

Result<Prepared> prepare(const engine::PreviewInput& input, const dag::Task& task, pods::PodDefaults defaults) {
  defaults.instance = "preview";
  const auto all = engine::preview(input);
  const auto shown = std::find_if(all.begin(), all.end(), [&](const auto& each) { return each.id == task.id; });
  if (shown == all.end()) return Error{ErrorCode::NotFound, "there is no task " + task.id.str(), {}};
  const exec::LaunchSpec spec = engine::preview_pod(input, task, *shown);
  if (!spec.rollout) {
    SLIPWAY_TRY_ASSIGN(pods::PreparedPod pod, pods::prepare_pod(spec, defaults));
    return Prepared{pod.namespace_name, {std::move(pod.manifest)}, false};
  }
  SLIPWAY_TRY_ASSIGN(auto objects, pods::prepare_objects(spec, defaults));
  return Prepared{"", std::move(objects), true};
}

bool has_cluster_form(const dag::Task& task) {
  return task.kind == dag::TaskKind::Run || task.kind == dag::TaskKind::Image || task.kind == dag::TaskKind::Service ||
         task.kind == dag::TaskKind::Apply;
}

bool is_on_cluster(const dag::Task& task, dag::Place fallback) {
  return has_cluster_form(task) && task.place.value_or(fallback) == dag::Place::Kubernetes;
}

kube::ApiCall dry_run_of(const Prepared& prepared, const Value& object) {
  const kube::WriteOptions dry{.dry_run = true, .strict = true};
  if (!prepared.applied) return kube::create_call({kube::kPods, prepared.namespace_name, ""}, object, dry);
  return kube::apply_call(*kube::path_of(object), object, {.field_manager = "slipway", .write = dry});
}

}  // namespace

Result<Value> preview_manifest(const Session& session, const engine::PreviewInput& input, const dag::Task& task) {
  SLIPWAY_TRY_ASSIGN(const ClusterSettings settings, settings_of(session));
  if (!has_cluster_form(task))
    return Error{ErrorCode::InvalidArgument, "task `" + task.id.str() + "` has no pod",
                 "choose one with run, image, service or apply"};
  const pods::PodDefaults defaults = settings.cluster ? settings.cluster->defaults : pods::PodDefaults{};
  SLIPWAY_TRY_ASSIGN(Prepared prepared, prepare(input, task, defaults));
  if (prepared.objects.size() == 1) return std::move(prepared.objects.front());
  return Value(Value::Object{{"apiVersion", "v1"},
                             {"kind", "List"},
                             {"items", Value::Array(prepared.objects.begin(), prepared.objects.end())}});
}

Result<std::vector<PodProblem>> dry_run_pods(const Session& session, const engine::PreviewInput& input) {
  SLIPWAY_TRY_ASSIGN(const ClusterSettings settings, settings_of(session));
  if (!settings.cluster)
    return Error{ErrorCode::NotFound, "no cluster is set up", "set kube_context or kubeconfig; see docs/kubernetes.md"};
  const SystemClock clock;
  const auto transport = http::make_curl_transport();
  SLIPWAY_TRY_ASSIGN(const auto client, connect_cluster(*settings.cluster, clock, *transport, session.env, Logger()));
  std::vector<PodProblem> problems;
  for (const dag::Task& task : input.dag.tasks) {
    if (!is_on_cluster(task, settings.place)) continue;
    const auto prepared = prepare(input, task, settings.cluster->defaults);
    if (!prepared) {
      problems.push_back({task.id, prepared.error().message});
      continue;
    }
    for (const Value& object : prepared->objects) {
      const kube::Answer answer = client->call_and_wait(dry_run_of(*prepared, object));
      if (answer) continue;
      const kube::FailureKind kind = answer.failure->kind;
      const bool judged = kind == kube::FailureKind::Invalid || kind == kube::FailureKind::Forbidden ||
                          kind == kube::FailureKind::NotFound || kind == kube::FailureKind::QuotaExceeded ||
                          kind == kube::FailureKind::Conflict;
      if (!judged) return answer.failure->to_error("asking the cluster");
      const std::string of = prepared->applied ? kube::object_name(object) + ": " : "";
      problems.push_back({task.id, of + answer.failure->message});
    }
  }
  return problems;
}

}  // namespace slipway::cli
