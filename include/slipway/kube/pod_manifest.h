// An attempt as a Pod; pure. The same attempt gives the same name and the same manifest, whoever asks how often: a
// create whose answer was lost is settled by reading the pod of that name.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "slipway/base/enum_table.h"
#include "slipway/base/ids.h"
#include "slipway/base/result.h"
#include "slipway/base/time.h"
#include "slipway/base/value.h"

namespace slipway::kube {

enum class PodSecurity : unsigned char { Restricted, Baseline };
inline constexpr EnumTable<PodSecurity, 2> kPodSecurities{{{
    {PodSecurity::Restricted, "restricted", "no root, no capabilities, no new privileges"},
    {PodSecurity::Baseline, "baseline", "the image may need root"},
}}};

// An environment variable from an object of the namespace, whose value we never see.
struct EnvFromSecret {
  std::string variable;
  std::string secret;
  std::string key;
};

// A key of a Secret as a file, whose path is in a variable.
struct FileFromSecret {
  std::string variable;
  std::string secret;
  std::string key;
  std::string file;  // its name, without a folder
};

struct PodTask {
  std::string instance;  // of the database: pods of another one are never ours. A valid label value
  DagId dag;
  AttemptId attempt;
  std::string namespace_name;
  std::string image;
  std::string image_pull_policy;  // empty: the cluster's
  std::vector<std::string> argv;  // empty: the image's own entrypoint
  std::vector<std::string> args;  // of that entrypoint
  std::map<std::string, std::string> env;
  std::vector<EnvFromSecret> secret_env;
  std::vector<FileFromSecret> secret_files;
  std::vector<std::string> env_secrets, env_config_maps;  // whose every key becomes a variable
  std::string workspace;                                  // folder that is mounted for it; empty: none
  std::string workspace_claim;    // volume claim of which the run has a folder; empty: an empty folder for each pod
  std::string workdir;            // empty: the image's
  std::int64_t cpu_milli = 0;     // 0: not asked for, as below
  std::int64_t memory_bytes = 0;  // asked for and allowed: nobody else's memory is borrowed
  std::int64_t disk_bytes = 0;
  int gpus = 0;
  std::string gpu_type;  // of GKE's accelerator label
  Duration grace = std::chrono::seconds(30);
  Duration backstop{};       // the cluster ends it then, should the daemon be gone; 0: never
  bool restartable = false;  // may be taken from its node, and quickly from one that is lost
  PodSecurity security = PodSecurity::Restricted;
  std::string service_account;                // empty: none, and no token
  std::map<std::string, std::string> labels;  // people's; ours win
  std::map<std::string, std::string> annotations;
  std::string rules;  // what whoever adopts it must know; kept as an annotation
  Value fragment;  // of a pod's spec, merged over ours: maps by key, containers, volumes and env by name; null removes
};

inline constexpr std::string_view kMainContainer = "main";
// Labels and annotations of ours begin with it.
inline constexpr std::string_view kPodPrefix = "slipway/";

// "nightly-train-k3v…": at most 40 readable bytes and 10 of a hash over instance, run, task, element and number.
[[nodiscard]] std::string pod_name(const PodTask& task);
// InvalidArgument if the fragment is no map, or takes the container `main` away.
[[nodiscard]] Result<Value> pod_manifest(const PodTask& task);
// A pod of our name is the pod of this attempt: it has our annotations. What webhooks changed in its spec is no matter.
[[nodiscard]] bool is_pod_of(const Value& pod, const PodTask& task);

// What the operator permits, judged on the final pod.
struct PodPolicy {
  std::set<std::string> service_accounts;  // those a task may name
  bool root = false;                       // `security: baseline`
};
// Forbidden: the field, with its path, and why.
[[nodiscard]] Result<void> check_policy(const Value& pod, const PodPolicy& policy);

}  // namespace slipway::kube
