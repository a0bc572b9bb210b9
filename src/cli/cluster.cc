#include "cli/cluster.h"

#include <algorithm>
#include <array>
#include <sstream>

#include "cli/version.h"
#include "slipway/base/rng.h"

namespace slipway::cli {
namespace {

kube::Environment environment_of(const std::map<std::string, std::string>& env) { return {env.begin(), env.end()}; }

Result<bool> flag_of(const Config& config, std::string_view name) {
  const Resolved value = config.get(name);
  if (value.value == "true") return true;
  if (value.value == "false") return false;
  return Error{ErrorCode::InvalidArgument,
               "`" + value.value + "` (" + value.origin + ") is no value of `" + std::string(name) + "`",
               "write true or false"};
}

Result<pods::PodDefaults> defaults_of(const Config& config, const ClusterFlags& flags,
                                      const std::string& context_namespace) {
  pods::PodDefaults defaults;
  defaults.namespace_name = config.get("kube_namespace", flags.namespace_name).value;
  if (defaults.namespace_name.empty()) defaults.namespace_name = context_namespace;
  for (std::string& name : split_names(config.get("kube_namespaces").value))
    defaults.namespaces.insert(std::move(name));
  defaults.image = config.get("kube_image", flags.image).value;
  defaults.artifacts = config.get("kube_artifacts").value;
  while (defaults.artifacts.ends_with('/')) defaults.artifacts.pop_back();
  defaults.workspace_claim = config.get("kube_workspace_claim").value;
  defaults.secret = config.get("kube_secret").value;
  defaults.server_url = config.get("kube_server_url").value;
  for (std::string& name : split_names(config.get("kube_service_accounts").value))
    defaults.policy.service_accounts.insert(std::move(name));
  SLIPWAY_TRY_ASSIGN(defaults.policy.root, flag_of(config, "kube_root"));
  return defaults;
}

}  // namespace

std::vector<std::string> split_names(const std::string& text) {
  std::vector<std::string> names;
  std::istringstream in(text);
  for (std::string name; std::getline(in, name, ',');)
    if (!name.empty()) names.push_back(name);
  return names;
}

Result<ClusterSettings> cluster_settings(const Config& config, const ClusterFlags& flags,
                                         const std::map<std::string, std::string>& env) {
  ClusterSettings settings;
  const Resolved executor = config.get("executor", flags.executor);
  const auto place = dag::kPlaces.parse(executor.value);
  if (!place)
    return Error{ErrorCode::InvalidArgument, "`" + executor.value + "` (" + executor.origin + ") is no executor",
                 "write local or kubernetes"};
  settings.place = *place;
  kube::LoadOptions load;
  const std::string file = config.get("kubeconfig", flags.kubeconfig).value;
  load.context = config.get("kube_context", flags.context).value;
  const std::string named = config.get("kube_namespace", flags.namespace_name).value;
  if (*place == dag::Place::Local && file.empty() && load.context.empty() && named.empty()) return settings;
  if (!file.empty()) load.file = file;
  load.environment = environment_of(env);
  SLIPWAY_TRY_ASSIGN(kube::ClientConfig loaded, kube::load_config(load));
  SLIPWAY_TRY_ASSIGN(pods::PodDefaults defaults, defaults_of(config, flags, loaded.namespace_name));
  settings.cluster = Cluster{std::move(loaded), std::move(defaults)};
  return settings;
}

Result<std::unique_ptr<kube::Client>> connect_cluster(const Cluster& cluster, const Clock& clock,
                                                      http::Transport& transport,
                                                      const std::map<std::string, std::string>& env,
                                                      const Logger& log) {
  kube::ClientOptions options;
  options.user_agent = std::string("slipway/") + kVersion;
  options.seed = entropy();
  return kube::Client::create(cluster.config, std::move(options),
                              {.clock = clock, .transport = &transport, .environment = environment_of(env)}, log);
}

}  // namespace slipway::cli
