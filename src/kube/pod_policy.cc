#include <algorithm>

#include "slipway/kube/pod_manifest.h"

namespace slipway::kube {
namespace {

Error refused(std::string_view field, std::string_view why) {
  return {ErrorCode::Forbidden, "spec." + std::string(field) + " is not permitted: " + std::string(why),
          "leave it out, or ask the operator"};
}

bool is_true(const Value& object, std::string_view key) {
  const Value* value = object.find(key);
  return value != nullptr && value->is_bool() && value->as_bool();
}

// seccomp or AppArmor switched off.
bool unconfined(const Value& context) {
  for (const char* profile : {"seccompProfile", "appArmorProfile"})
    if (const Value* found = context.find(profile); found != nullptr && found->get_string("type") == "Unconfined")
      return true;
  return false;
}

bool drops_all(const Value* capabilities) {
  const Value* dropped = capabilities == nullptr ? nullptr : capabilities->find("drop");
  if (dropped == nullptr || !dropped->is_array()) return false;
  const auto& names = dropped->as_array();
  return std::any_of(names.begin(), names.end(), [](const Value& one) { return one == Value("ALL"); });
}

// Root by number, or by saying that not-root is not needed.
bool wants_root(const Value& context) {
  const Value* user = context.find("runAsUser");
  if (user != nullptr && user->is_int() && user->as_int() == 0) return true;
  const Value* non_root = context.find("runAsNonRoot");
  return non_root != nullptr && non_root->is_bool() && !non_root->as_bool();
}

Result<void> check_container(const Value& container, const std::string& path, const PodPolicy& policy) {
  if (const Value* ports = container.find("ports"); ports != nullptr && ports->is_array())
    for (const Value& port : ports->as_array())
      if (port.get_int("hostPort") != 0) return refused(path + ".ports.hostPort", "it takes a port of the node");
  const Value* context = container.find("securityContext");
  if (context == nullptr || !context->is_object()) {
    if (policy.root) return {};
    return refused(path + ".securityContext", "it must keep capabilities and privileges away");
  }
  const std::string here = path + ".securityContext";
  if (is_true(*context, "privileged")) return refused(here + ".privileged", "it is root on the node");
  const Value* capabilities = context->find("capabilities");
  const Value* added = capabilities == nullptr ? nullptr : capabilities->find("add");
  if (added != nullptr && added->is_array() && !added->as_array().empty())
    return refused(here + ".capabilities.add", "it gives rights over the node");
  if (!context->get_string("procMount").empty() && context->get_string("procMount") != "Default")
    return refused(here + ".procMount", "it shows the node's kernel");
  if (unconfined(*context)) return refused(here, "it switches the kernel's filter off");
  if (policy.root) return {};
  if (wants_root(*context)) return refused(here, "it asks for root");
  if (!drops_all(capabilities)) return refused(here + ".capabilities.drop", "it must hold ALL");
  const Value* escalates = context->find("allowPrivilegeEscalation");
  if (escalates == nullptr || !escalates->is_bool() || escalates->as_bool())
    return refused(here + ".allowPrivilegeEscalation", "it must be false");
  return {};
}

Result<void> check_containers(const Value& spec, std::string_view list, const PodPolicy& policy) {
  const Value* all = spec.find(list);
  if (all == nullptr || !all->is_array()) return {};
  for (const Value& container : all->as_array())
    SLIPWAY_TRY(check_container(container, std::string(list) + "[" + container.get_string("name") + "]", policy));
  return {};
}

Result<void> check_volumes(const Value& spec) {
  const Value* volumes = spec.find("volumes");
  if (volumes == nullptr || !volumes->is_array()) return {};
  for (const Value& volume : volumes->as_array())
    if (volume.find("hostPath") != nullptr)
      return refused("volumes[" + volume.get_string("name") + "].hostPath", "it is a folder of the node");
  return {};
}

bool projects_token(const Value& spec) {
  const Value* volumes = spec.find("volumes");
  if (volumes == nullptr || !volumes->is_array()) return false;
  for (const Value& volume : volumes->as_array()) {
    const Value* projected = volume.find("projected");
    const Value* sources = projected == nullptr ? nullptr : projected->find("sources");
    if (sources == nullptr || !sources->is_array()) continue;
    for (const Value& source : sources->as_array())
      if (source.find("serviceAccountToken") != nullptr) return true;
  }
  return false;
}

// Without a permitted account no token of the namespace's default one either.
Result<void> check_account(const Value& spec, const PodPolicy& policy) {
  for (const char* field : {"serviceAccountName", "serviceAccount"})
    if (const std::string account = spec.get_string(field);
        !account.empty() && policy.service_accounts.count(account) == 0)
      return refused(field, "`" + account + "` is not among those that tasks may use");
  if (!spec.get_string("serviceAccountName").empty()) return {};
  const Value* mounts = spec.find("automountServiceAccountToken");
  if (mounts == nullptr || *mounts != Value(false) || projects_token(spec))
    return refused("automountServiceAccountToken", "a pod without an account of its own has no token");
  return {};
}

}  // namespace

Result<void> check_policy(const Value& pod, const PodPolicy& policy) {
  const Value* spec = pod.find("spec");
  if (spec == nullptr) return refused("", "there is none");
  for (const char* field : {"hostNetwork", "hostPID", "hostIPC"})
    if (is_true(*spec, field)) return refused(field, "it is the node's");
  if (spec->find("nodeName") != nullptr) return refused("nodeName", "it goes round the scheduler");
  SLIPWAY_TRY(check_account(*spec, policy));
  const Value* context = spec->find("securityContext");
  if (!policy.root && (context == nullptr || wants_root(*context) || !is_true(*context, "runAsNonRoot")))
    return refused("securityContext.runAsNonRoot", "it must be true");
  if (context != nullptr && unconfined(*context))
    return refused("securityContext", "it switches the kernel's filter off");
  SLIPWAY_TRY(check_volumes(*spec));
  for (const char* list : {"initContainers", "containers", "ephemeralContainers"})
    SLIPWAY_TRY(check_containers(*spec, list, policy));
  return {};
}

}  // namespace slipway::kube
