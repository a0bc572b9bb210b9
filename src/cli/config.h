// Settings of the command and the daemon. Precedence: flag, environment (SLIPWAY_<NAME>), ./slipway.yaml, the user's
// config.yaml, /etc/slipway/config.yaml, default. Unknown keys are errors.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "slipway/base/diagnostics.h"
#include "slipway/base/result.h"

namespace slipway::cli {

struct Setting {
  std::string_view name;
  std::string_view fallback;
  std::string_view doc;
};

inline constexpr std::array<Setting, 22> kSettings{{
    {"home", "", "folder of the database, logs and token; default the user's state folder"},
    {"server", "", "address of the daemon; default the one running on the home"},
    {"dags", "dags", "folder of DAG files that the daemon reads"},
    {"listen", "127.0.0.1:8480", "address of the daemon's API; port 0 takes any free one"},
    {"behind_proxy", "", "names that clients use for the API, by commas; a proxy ends TLS, and it may listen anywhere"},
    {"slots", "0", "tasks that the local executor runs at a time; 0 = one per core"},
    {"executor", "local", "where tasks run that say nothing: local or kubernetes"},
    {"kubeconfig", "",
     "file that tells how the cluster is reached; default KUBECONFIG, ~/.kube/config, the pod's account"},
    {"kube_context", "", "context of that file; default its current one"},
    {"kube_namespace", "", "namespace of pods; default the context's"},
    {"kube_namespaces", "", "others that tasks may name, by commas"},
    {"kube_image", "", "image of tasks that name none"},
    {"kube_service_accounts", "", "accounts that tasks may name, by commas"},
    {"kube_root", "false", "true: tasks may say `security: baseline`"},
    {"kube_secret", "slipway-secrets", "the Secret in which pods find what `secrets` names"},
    {"kube_workspace_claim", "",
     "volume claim that the pods of a run share as workspace; default a folder for each pod"},
    {"kube_artifacts", "", "URI below which pods leave artifacts; default a folder that goes with the pod"},
    {"kube_server_url", "", "address of this daemon as pods reach it; default they are not told"},
    {"retention_runs", "0", "runs that are over kept of each DAG; 0 = no bound"},
    {"retention_age", "0s", "how long runs that are over are kept; 0s = no bound"},
    {"log_level", "info", "debug, info, warn or error"},
    {"log_format", "text", "text or json"},
}};

// A value and where it came from: "flag", "SLIPWAY_LISTEN", a file with line, or "default".
struct Resolved {
  std::string value;
  std::string origin;
};

// Where notices go: an entry of `notify` in a config file, by the names of secrets instead of the secrets.
struct NotifyTarget {
  std::string name;
  std::string kind;  // webhook, slack, teams or mail
  std::string url;
  std::string secret;  // name of the key or password; may be empty
  std::string username, from;
  std::vector<std::string> to;
  std::string origin;  // file and line
};

class Config {
 public:
  // Reads the files that exist. `env` is the process's environment; problems of all files are in the error's message.
  [[nodiscard]] static Result<Config> load(const std::map<std::string, std::string>& env);
  // `name` is a row of kSettings; a non-empty `flag` wins.
  [[nodiscard]] Resolved get(std::string_view name, const std::string& flag = {}) const;

  // Of all files; the file that is read first wins for a name.
  [[nodiscard]] const std::map<std::string, NotifyTarget, std::less<>>& notify_targets() const { return targets_; }

 private:
  std::map<std::string, NotifyTarget, std::less<>> targets_;
  std::map<std::string, Resolved, std::less<>> values_;
};

// One file of settings as it was read.
struct ConfigFile {
  SourceText source;
  Diagnostics problems;
};
// Every file that exists, in falling precedence, for `config lint`. Io: one cannot be read.
[[nodiscard]] Result<std::vector<ConfigFile>> check_config_files(const std::map<std::string, std::string>& env);

// The files in falling precedence, whether they exist or not.
[[nodiscard]] std::vector<std::string> config_files(const std::map<std::string, std::string>& env);

}  // namespace slipway::cli
