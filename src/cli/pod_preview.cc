#include "cli/pod_preview.h"

#include <algorithm>

#include "cli/cluster.h"
#include "slipway/pods/pod_task.h"

namespace slipway::cli {
namespace {

Result<ClusterSettings> settings_of(const Session& session) {
  SLIPWAY_TRY_ASSIGN(const Config config, Config::load(session.env));
  return cluster_settings(config, {}, session.env);
}

Result<pods::PreparedPod> prepare(const engine::PreviewInput& input, const dag::Task& task,
                                  pods::PodDefaults defaults) {
  defaults.instance = "preview";
  const auto all = engine::preview(input);
  const auto shown = std::find_if(all.begin(), all.end(), [&](const auto& each) { return each.id == task.id; });
  if (shown == all.end()) return Error{ErrorCode::NotFound, "there is no task " + task.id.str(), {}};
  return pods::prepare_pod(engine::preview_pod(input, task, *shown), defaults);
}

bool is_pod(const dag::Task& task, dag::Place fallback) {
  const bool has_process = task.kind == dag::TaskKind::Run || task.kind == dag::TaskKind::Image;
  return has_process && task.place.value_or(fallback) == dag::Place::Kubernetes;
}

}  // namespace

Result<Value> preview_manifest(const Session& session, const engine::PreviewInput& input, const dag::Task& task) {
  SLIPWAY_TRY_ASSIGN(const ClusterSettings settings, settings_of(session));
  if (task.kind != dag::TaskKind::Run && task.kind != dag::TaskKind::Image)
    return Error{ErrorCode::InvalidArgument, "task `" + task.id.str() + "` has no pod", "choose one with run or image"};
  const pods::PodDefaults defaults = settings.cluster ? settings.cluster->defaults : pods::PodDefaults{};
  SLIPWAY_TRY_ASSIGN(pods::PreparedPod pod, prepare(input, task, defaults));
  return std::move(pod.manifest);
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
    if (!is_pod(task, settings.place)) continue;
    const auto pod = prepare(input, task, settings.cluster->defaults);
    if (!pod) {
      problems.push_back({task.id, pod.error().message});
      continue;
    }
    const kube::Answer answer = client->call_and_wait(
        kube::create_call({kube::kPods, pod->namespace_name, ""}, pod->manifest, {.dry_run = true, .strict = true}));
    if (answer) continue;
    const kube::FailureKind kind = answer.failure->kind;
    const bool judged = kind == kube::FailureKind::Invalid || kind == kube::FailureKind::Forbidden ||
                        kind == kube::FailureKind::NotFound || kind == kube::FailureKind::QuotaExceeded;
    if (!judged) return answer.failure->to_error("asking the cluster");
    problems.push_back({task.id, answer.failure->message});
  }
  return problems;
}

}  // namespace slipway::cli
