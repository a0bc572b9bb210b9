#include "slipway/pods/pod_task.h"

namespace slipway::pods {
namespace {

constexpr std::string_view kWorkspace = "/slipway/workspace";
constexpr std::string_view kArtifacts = "file:///slipway/workspace/.artifacts/";
// Beyond the limits that we enforce ourselves, the cluster ends what nobody watches.
constexpr Duration kBackstopMargin = std::chrono::minutes(10);

// The environment that follows from where it runs: a task of its own has not been asked.
std::map<std::string, std::string> environment(const exec::LaunchSpec& spec, const PodDefaults& defaults) {
  std::map<std::string, std::string> env = spec.env;
  const std::string id = spec.id.str();
  env["SLIPWAY_ATTEMPT_ID"] = id;
  env["SLIPWAY_ARTIFACTS"] = (defaults.artifacts.empty() ? std::string(kArtifacts) : defaults.artifacts + "/") + id;
  if (defaults.server_url.empty())
    env.erase("SLIPWAY_URL");
  else
    env["SLIPWAY_URL"] = defaults.server_url;
  return env;
}

Result<std::string> namespace_of(const exec::PodSpec& pod, const PodDefaults& defaults) {
  if (pod.namespace_name.empty() || pod.namespace_name == defaults.namespace_name) return defaults.namespace_name;
  if (defaults.namespaces.count(pod.namespace_name) > 0) return pod.namespace_name;
  return Error{ErrorCode::Forbidden, "namespace `" + pod.namespace_name + "` is not among those that tasks may use",
               "add it to the server's setting `kube_namespaces`"};
}

Result<std::string> image_of(const exec::PodSpec& pod, const PodDefaults& defaults) {
  if (!pod.image.empty()) return pod.image;
  if (!defaults.image.empty()) return defaults.image;
  return Error{ErrorCode::InvalidArgument, "the task names no image, and the server has none for all",
               "write image: NAME:TAG, or set `kube_image`"};
}

void add_secrets(const exec::PodSpec& pod, const PodDefaults& defaults, kube::PodTask& task) {
  const auto secret_of = [&](const exec::SecretRef& ref) { return ref.secret.empty() ? defaults.secret : ref.secret; };
  for (const auto& [variable, from] : pod.secret_env) task.secret_env.push_back({variable, secret_of(from), from.key});
  for (const auto& [file, from] : pod.secret_files)
    task.secret_files.push_back({pod.file_variables.at(file), secret_of(from), from.key, file});
  task.env_secrets = pod.env_secrets;
  task.env_config_maps = pod.env_config_maps;
}

void add_place(const exec::LaunchSpec& spec, const exec::PodSpec& pod, kube::PodTask& task) {
  task.cpu_milli = spec.resources.cpu_milli;
  task.memory_bytes = spec.resources.memory_bytes;
  task.disk_bytes = pod.disk_bytes;
  task.gpus = pod.gpus;
  task.gpu_type = pod.gpu_type;
  task.grace = spec.grace;
  if (pod.timeout.count() > 0) task.backstop = pod.start_timeout + pod.timeout + spec.grace + kBackstopMargin;
  task.restartable = pod.restartable;
  task.security = pod.baseline ? kube::PodSecurity::Baseline : kube::PodSecurity::Restricted;
  task.service_account = pod.service_account;
}

}  // namespace

std::string PodRules::str() const {
  return Value(Value::Object{{"start_timeout_s", to_seconds(start_timeout)},
                             {"retry_on_delete", retry_on_delete},
                             {"trust_exit_zero", trust_exit_zero}})
      .dump();
}

PodRules PodRules::parse(std::string_view text) {
  PodRules rules;
  const auto read = parse_json(text);
  if (!read) return rules;
  const auto flag = [&](const char* name) { return read->find(name) != nullptr && *read->find(name) == Value(true); };
  const Value* seconds = read->find("start_timeout_s");
  if (seconds != nullptr && seconds->is_number() && seconds->as_double() > 0 && seconds->as_double() < 1e9)
    rules.start_timeout = Duration(static_cast<std::int64_t>(seconds->as_double() * 1e6));
  rules.retry_on_delete = flag("retry_on_delete");
  rules.trust_exit_zero = flag("trust_exit_zero");
  return rules;
}

Result<kube::PodTask> pod_task(const exec::LaunchSpec& spec, const PodDefaults& defaults) {
  const exec::PodSpec pod = spec.pod.value_or(exec::PodSpec{});
  kube::PodTask task;
  task.instance = defaults.instance;
  task.dag = spec.dag;
  task.attempt = spec.id;
  SLIPWAY_TRY_ASSIGN(task.namespace_name, namespace_of(pod, defaults));
  SLIPWAY_TRY_ASSIGN(task.image, image_of(pod, defaults));
  task.image_pull_policy = pod.image_pull_policy;
  task.argv = spec.argv;
  task.args = pod.args;
  task.env = environment(spec, defaults);
  task.workdir = spec.workdir.empty() && !spec.argv.empty() ? std::string(kWorkspace) : spec.workdir;
  task.workspace = kWorkspace;
  task.workspace_claim = defaults.workspace_claim;
  add_secrets(pod, defaults, task);
  add_place(spec, pod, task);
  task.labels = pod.labels;
  task.annotations = pod.annotations;
  task.fragment = pod.fragment;
  task.rules = PodRules{pod.start_timeout, pod.retry_on_delete, pod.trust_exit_zero}.str();
  return task;
}

Result<PreparedPod> prepare_pod(const exec::LaunchSpec& spec, const PodDefaults& defaults) {
  SLIPWAY_TRY_ASSIGN(const kube::PodTask task, pod_task(spec, defaults));
  SLIPWAY_TRY_ASSIGN(Value manifest, kube::pod_manifest(task));
  SLIPWAY_TRY(kube::check_policy(manifest, defaults.policy));
  return PreparedPod{task.namespace_name, kube::pod_name(task), std::move(manifest)};
}

}  // namespace slipway::pods
