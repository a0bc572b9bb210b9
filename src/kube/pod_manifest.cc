#include "slipway/kube/pod_manifest.h"

#include <algorithm>

#include "kube/merge.h"
#include "slipway/base/sha256.h"

namespace slipway::kube {
namespace {

constexpr std::size_t kSlugMax = 40;
constexpr std::size_t kHashLength = 10;
constexpr std::string_view kWorkspaceVolume = "slipway-workspace";
constexpr std::string_view kSecretFolder = "/slipway/secrets";
constexpr int kLostNodeSeconds = 60;  // a restartable pod waits no longer for a node that is gone

std::string ours(std::string_view name) { return std::string(kPodPrefix) + std::string(name); }

// Ten letters and digits that a DNS name may have: 50 bits.
std::string short_hash(std::string_view text) {
  constexpr std::string_view kDigits = "abcdefghijklmnopqrstuvwxyz234567";
  std::string out;
  for (const std::uint8_t byte : sha256(text)) {
    if (out.size() == kHashLength) break;
    out += kDigits[byte % kDigits.size()];
  }
  return out;
}

// Letters, digits and single dashes, beginning with a letter.
std::string slug(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool keeps = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9' && !out.empty());
    if (keeps) out += c;
    if (!keeps && !out.empty() && out.back() != '-') out += '-';
    if (out.size() == kSlugMax) break;
  }
  while (!out.empty() && out.back() == '-') out.pop_back();
  return out;
}

// The kubelet replaces $(NAME) in commands and values, and $$ by $. Ours are meant as they stand.
std::string literal(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    out += text[i];
    const char next = i + 1 < text.size() ? text[i + 1] : '\0';
    if (text[i] == '$' && (next == '$' || next == '(')) out += '$';
  }
  return out;
}

Value whole_seconds(Duration duration) {
  return std::int64_t{std::chrono::ceil<std::chrono::seconds>(duration).count()};
}

Value labels(const PodTask& task) {
  Value out(Value::Object{});
  for (const auto& [name, value] : task.labels) out[name] = value;
  out["app.kubernetes.io/managed-by"] = "slipway";
  out[ours("instance")] = task.instance;
  out[ours("run")] = task.attempt.run.str();
  out[ours("task")] = short_hash(task.dag.str() + "\n" + task.attempt.key.str());  // ids may be too long for a label
  out[ours("attempt")] = std::to_string(task.attempt.number);
  return out;
}

Value annotations(const PodTask& task) {
  Value out(Value::Object{});
  if (!task.restartable) out["cluster-autoscaler.kubernetes.io/safe-to-evict"] = "false";
  for (const auto& [name, value] : task.annotations) out[name] = value;
  out[ours("instance")] = task.instance;
  out[ours("dag")] = task.dag.str();
  out[ours("attempt")] = task.attempt.str();
  if (!task.rules.empty()) out[ours("rules")] = task.rules;
  return out;
}

Value from_field(std::string_view variable, std::string_view field) {
  return Value::Object{{"name", variable},
                       {"valueFrom", Value::Object{{"fieldRef", Value::Object{{"fieldPath", field}}}}}};
}

Value environment(const PodTask& task) {
  std::map<std::string, Value> all;  // sorted: equal tasks are equal manifests
  for (const auto& [name, value] : task.env) all[name] = Value::Object{{"name", name}, {"value", literal(value)}};
  for (const EnvFromSecret& from : task.secret_env)
    all[from.variable] = Value::Object{
        {"name", from.variable},
        {"valueFrom", Value::Object{{"secretKeyRef", Value::Object{{"name", from.secret}, {"key", from.key}}}}}};
  for (const FileFromSecret& from : task.secret_files)
    all[from.variable] =
        Value::Object{{"name", from.variable}, {"value", std::string(kSecretFolder) + "/" + from.file}};
  if (!task.workspace.empty())
    all["SLIPWAY_WORKSPACE"] = Value::Object{{"name", "SLIPWAY_WORKSPACE"}, {"value", task.workspace}};
  all["SLIPWAY_OUTPUT"] = Value::Object{{"name", "SLIPWAY_OUTPUT"}, {"value", "/dev/termination-log"}};
  all["SLIPWAY_POD"] = from_field("SLIPWAY_POD", "metadata.name");
  all["SLIPWAY_NAMESPACE"] = from_field("SLIPWAY_NAMESPACE", "metadata.namespace");
  all["SLIPWAY_NODE"] = from_field("SLIPWAY_NODE", "spec.nodeName");
  Value::Array out;
  for (auto& [name, value] : all) out.push_back(std::move(value));
  return out;
}

Value::Array environment_sources(const PodTask& task) {
  Value::Array out;
  for (const std::string& name : task.env_config_maps)
    out.push_back(Value::Object{{"configMapRef", Value::Object{{"name", name}}}});
  for (const std::string& name : task.env_secrets)
    out.push_back(Value::Object{{"secretRef", Value::Object{{"name", name}}}});
  return out;
}

// One volume of all secret files, and the workspace.
Value::Array volumes(const PodTask& task) {
  Value::Array out;
  if (!task.workspace.empty() && task.workspace_claim.empty())
    out.push_back(Value::Object{{"name", kWorkspaceVolume}, {"emptyDir", Value::Object{}}});
  if (!task.workspace.empty() && !task.workspace_claim.empty())
    out.push_back(Value::Object{{"name", kWorkspaceVolume},
                                {"persistentVolumeClaim", Value::Object{{"claimName", task.workspace_claim}}}});
  Value::Array sources;
  for (const FileFromSecret& from : task.secret_files)
    sources.push_back(Value::Object{
        {"secret", Value::Object{{"name", from.secret},
                                 {"items", Value::Array{Value::Object{{"key", from.key}, {"path", from.file}}}}}}});
  if (!sources.empty())
    out.push_back(
        Value::Object{{"name", "slipway-secrets"}, {"projected", Value::Object{{"sources", std::move(sources)}}}});
  return out;
}

Value::Array mounts(const PodTask& task) {
  Value::Array out;
  if (!task.workspace.empty()) {
    Value mount(Value::Object{{"name", kWorkspaceVolume}, {"mountPath", task.workspace}});
    if (!task.workspace_claim.empty()) mount["subPath"] = task.attempt.run.str();
    out.push_back(std::move(mount));
  }
  if (!task.secret_files.empty())
    out.push_back(Value::Object{{"name", "slipway-secrets"}, {"mountPath", kSecretFolder}, {"readOnly", true}});
  return out;
}

Value resources(const PodTask& task) {
  Value requests(Value::Object{});
  Value limits(Value::Object{});
  if (task.cpu_milli > 0) requests["cpu"] = std::to_string(task.cpu_milli) + "m";
  if (task.memory_bytes > 0) requests["memory"] = limits["memory"] = std::to_string(task.memory_bytes);
  if (task.disk_bytes > 0)
    requests["ephemeral-storage"] = limits["ephemeral-storage"] = std::to_string(task.disk_bytes);
  if (task.gpus > 0) limits["nvidia.com/gpu"] = std::to_string(task.gpus);
  return Value::Object{{"requests", std::move(requests)}, {"limits", std::move(limits)}};
}

Value main_container(const PodTask& task) {
  Value out(Value::Object{{"name", kMainContainer},
                          {"image", task.image},
                          {"env", environment(task)},
                          {"resources", resources(task)},
                          {"terminationMessagePolicy", "FallbackToLogsOnError"}});
  for (const auto& [field, words] : {std::pair("command", &task.argv), std::pair("args", &task.args)}) {
    Value::Array list;
    for (const std::string& word : *words) list.emplace_back(literal(word));
    if (!list.empty()) out[field] = std::move(list);
  }
  if (auto sources = environment_sources(task); !sources.empty()) out["envFrom"] = std::move(sources);
  if (auto mounted = mounts(task); !mounted.empty()) out["volumeMounts"] = std::move(mounted);
  if (!task.workdir.empty()) out["workingDir"] = task.workdir;
  if (!task.image_pull_policy.empty()) out["imagePullPolicy"] = task.image_pull_policy;
  if (task.security == PodSecurity::Restricted)
    out["securityContext"] = Value::Object{{"allowPrivilegeEscalation", false},
                                           {"capabilities", Value::Object{{"drop", Value::Array{"ALL"}}}}};
  return out;
}

Value::Array tolerations(const PodTask& task) {
  Value::Array out;
  if (task.gpus > 0)
    out.push_back(Value::Object{{"key", "nvidia.com/gpu"}, {"operator", "Exists"}, {"effect", "NoSchedule"}});
  if (!task.restartable) return out;
  for (const char* key : {"node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"})
    out.push_back(Value::Object{
        {"key", key}, {"operator", "Exists"}, {"effect", "NoExecute"}, {"tolerationSeconds", kLostNodeSeconds}});
  return out;
}

Value spec(const PodTask& task) {
  Value security(Value::Object{{"seccompProfile", Value::Object{{"type", "RuntimeDefault"}}}});
  if (task.security == PodSecurity::Restricted) security["runAsNonRoot"] = true;
  Value out(Value::Object{{"restartPolicy", "Never"},
                          {"enableServiceLinks", false},
                          {"automountServiceAccountToken", !task.service_account.empty()},
                          {"terminationGracePeriodSeconds", whole_seconds(task.grace)},
                          {"securityContext", std::move(security)},
                          {"containers", Value::Array{main_container(task)}}});
  if (!task.service_account.empty()) out["serviceAccountName"] = task.service_account;
  if (task.backstop.count() > 0) out["activeDeadlineSeconds"] = whole_seconds(task.backstop);
  if (!task.gpu_type.empty()) out["nodeSelector"] = Value::Object{{"cloud.google.com/gke-accelerator", task.gpu_type}};
  if (auto list = volumes(task); !list.empty()) out["volumes"] = std::move(list);
  if (auto list = tolerations(task); !list.empty()) out["tolerations"] = std::move(list);
  return out;
}

bool has_main(const Value& spec) {
  const Value* containers = spec.find("containers");
  if (containers == nullptr || !containers->is_array()) return false;
  return std::any_of(containers->as_array().begin(), containers->as_array().end(),
                     [](const Value& one) { return one.get_string("name") == kMainContainer; });
}

}  // namespace

std::string pod_name(const PodTask& task) {
  const std::string readable = slug(task.dag.str() + "-" + task.attempt.key.task.str());
  const std::string hash = short_hash(task.instance + "\n" + task.dag.str() + "\n" + task.attempt.str());
  return (readable.empty() ? "task" : readable) + "-" + hash;
}

Result<Value> pod_manifest(const PodTask& task) {
  Value body = spec(task);
  if (!task.fragment.is_null() && !task.fragment.is_object())
    return Error{ErrorCode::InvalidArgument, "pod must be a map, it is " + std::string(task.fragment.type_name()),
                 "write fields of a pod's spec"};
  if (task.fragment.is_object()) strategic_merge(body, task.fragment);
  if (!has_main(body))
    return Error{ErrorCode::InvalidArgument, "pod takes the container `main` away",
                 "leave containers out, or add to them"};
  return Value(Value::Object{{"apiVersion", "v1"},
                             {"kind", "Pod"},
                             {"metadata", Value::Object{{"name", pod_name(task)},
                                                        {"namespace", task.namespace_name},
                                                        {"labels", labels(task)},
                                                        {"annotations", annotations(task)}}},
                             {"spec", std::move(body)}});
}

bool is_pod_of(const Value& pod, const PodTask& task) {
  const Value* metadata = pod.find("metadata");
  const Value* found = metadata == nullptr ? nullptr : metadata->find("annotations");
  if (found == nullptr) return false;
  return found->get_string(ours("instance")) == task.instance && found->get_string(ours("dag")) == task.dag.str() &&
         found->get_string(ours("attempt")) == task.attempt.str();
}

}  // namespace slipway::kube
