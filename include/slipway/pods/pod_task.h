// From what the engine launches to the pod that it is; pure, so that the manifest can be shown before anything runs.
#pragma once

#include <set>
#include <string>

#include "slipway/base/result.h"
#include "slipway/base/value.h"
#include "slipway/exec/executor.h"
#include "slipway/kube/pod_manifest.h"

namespace slipway::pods {

// What the operator gives every pod, and what tasks may ask for.
struct PodDefaults {
  std::string instance;                    // of the database; a valid label value
  std::string namespace_name = "default";  // of tasks that name none
  std::set<std::string> namespaces;        // others that they may name
  std::string image;                       // of tasks that name none; empty: they must
  std::string artifacts;                   // URI below which SLIPWAY_ARTIFACTS lie; empty: a folder in the pod
  std::string workspace_claim;             // volume claim that the pods of a run share; empty: each has a folder
  std::string secret = "slipway-secrets";  // Secret that holds what `secrets` names
  std::string server_url;                  // SLIPWAY_URL, as pods reach it; empty: they are not told
  kube::PodPolicy policy;

  // Every one that a task may be in.
  [[nodiscard]] std::set<std::string> all_namespaces() const {
    std::set<std::string> all = namespaces;
    all.insert(namespace_name);
    return all;
  }
};

// What has to be known of an attempt to judge its end; kept on the pod for whoever adopts it.
struct PodRules {
  Duration start_timeout = std::chrono::minutes(15);
  bool retry_on_delete = false;
  bool trust_exit_zero = false;

  // JSON, and back; what cannot be read is the default.
  [[nodiscard]] std::string str() const;
  [[nodiscard]] static PodRules parse(std::string_view text);
  bool operator==(const PodRules&) const = default;
};

// A spec without `pod` counts as one that says nothing. InvalidArgument or Forbidden: what the task asks for cannot be
// had, by field.
[[nodiscard]] Result<kube::PodTask> pod_task(const exec::LaunchSpec& spec, const PodDefaults& defaults);

struct PreparedPod {
  std::string namespace_name;
  std::string name;
  Value manifest;
};
// The manifest, judged by the policy.
[[nodiscard]] Result<PreparedPod> prepare_pod(const exec::LaunchSpec& spec, const PodDefaults& defaults);

}  // namespace slipway::pods
