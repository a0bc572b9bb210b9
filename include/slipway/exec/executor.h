// Where attempts run. The engine commits an intent, then launches; the executor reports back by events. An attempt id
// is launched at most once, whoever asks how often: an executor that finds the attempt already there adopts it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "slipway/base/ids.h"
#include "slipway/base/result.h"
#include "slipway/base/secret.h"
#include "slipway/base/time.h"
#include "slipway/base/value.h"
#include "slipway/run/state.h"

namespace slipway::exec {

// A server to keep running after the attempt ended (`service:` tasks).
struct ServiceSpec {
  ServiceId name;
  DagId dag;
  int port = 0;        // the front port people talk to
  std::string health;  // path that answers 2xx when the server is ready
  struct Smoke {
    bool post = false;
    std::string path;
    std::string body;    // rendered JSON, empty for GET
    std::string expect;  // text the reply must contain
  };
  std::optional<Smoke> smoke;
  Duration rollout_timeout = std::chrono::minutes(15);
};

// What an attempt may use; 0 = no limit of its own.
struct Resources {
  std::int64_t cpu_milli = 0;  // thousandths of a core
  std::int64_t memory_bytes = 0;

  bool operator==(const Resources&) const = default;
};

// A secret that the attempt finds in a file of its own, which is gone when the attempt is.
struct SecretFile {
  std::string file;  // name of the file, without a folder
  Secret content;
};

// A key of a Secret beside the pod, whose content only the pod sees.
struct SecretRef {
  std::string secret;
  std::string key;
};

// What only an executor of containers needs. Texts that are empty, and numbers that are 0, leave it to the executor.
struct PodSpec {
  std::string namespace_name;
  std::string image;
  std::string image_pull_policy;
  std::vector<std::string> args;  // of the image's own entrypoint, where there is no argv
  std::int64_t disk_bytes = 0;
  int gpus = 0;
  std::string gpu_type;
  std::map<std::string, std::string> labels;
  std::map<std::string, std::string> annotations;
  Value fragment;         // of a pod's spec, merged over what is made; null: none
  bool baseline = false;  // the image may need root
  std::string service_account;
  Duration start_timeout = std::chrono::minutes(15);      // from its creation to its first instruction
  Duration timeout{0};                                    // of the attempt: what the cluster enforces without us
  bool restartable = false;                               // running twice at once does no harm
  bool retry_on_delete = false;                           // deleted by somebody: lost, not cancelled
  bool trust_exit_zero = false;                           // exit 0 while it was being ended is a success
  std::vector<std::string> env_secrets, env_config_maps;  // objects whose every key becomes a variable
  std::map<std::string, SecretRef> secret_env;            // by variable
  std::map<std::string, SecretRef> secret_files;          // by name of the file; the variable is in `file_variables`
  std::map<std::string, std::string> file_variables;      // name of the file -> variable that holds its path
};

// What is wanted of a cluster instead of one pod: `apply:`, and `service:` where the executor is a cluster.
struct RolloutSpec {
  std::vector<Value> objects;  // manifests; none: a service is made of the command, its image and its port
  bool recreate = false;       // of a service: the old objects go before the new ones come
};

// The executor of those, beside the one of pods.
inline constexpr std::string_view kRollouts = "kubernetes-rollouts";

// Everything an executor needs; rendered, nothing left to evaluate.
struct LaunchSpec {
  AttemptId id;
  DagId dag;
  std::string executor;           // by name; empty: the local one
  std::vector<std::string> argv;  // a shell string is {"/bin/sh", "-ec", text}
  std::map<std::string, std::string> env;
  std::map<std::string, Secret> secret_env;
  std::string workdir;  // absolute; empty = the run's workspace
  Duration grace{0};    // between TERM and KILL when it is stopped
  int slots = 1;        // of the executor's own, held from its start to its end
  Resources resources;
  std::map<std::string, SecretFile> secret_files;  // by name; the path of each is put into NAME_FILE
  std::string run_as;                              // user, uid or uid:gid; empty = the daemon's
  std::optional<ServiceSpec> service;
  std::optional<PodSpec> pod;          // where the executor runs containers
  std::optional<RolloutSpec> rollout;  // for the executor kRollouts
};

// The executor has taken the attempt. `identity` finds it again after a restart of the daemon.
struct Launched {
  AttemptId id;
  std::string identity;
};
// Its process runs since `at`.
struct Running {
  AttemptId id;
  std::string identity;
  Instant at;
};
// It ended. Exactly one per attempt that was Launched or Running, unless Lost.
struct Exited {
  AttemptId id;
  Instant at;
  int exit_code = 0;  // 128 + n for signal n
  bool oom = false;
  std::string message;  // why, where the executor knows more than the code; for people
  std::string output;   // bytes of $SLIPWAY_OUTPUT, at most 4,096
  bool output_too_large = false;
  run::FailureClass failure =
      run::FailureClass::None;  // set where the executor, not the command, failed (service rollout: user)
};
// It never ran and never will under this id. failure: Launch, Config, InfraNotStarted, or External for a stop.
struct LaunchFailed {
  AttemptId id;
  run::FailureClass failure;
  std::string message;
};
// Its end cannot be known (machine rebooted, folder gone). Settled by a later Exited, or fenced by the engine.
struct Lost {
  AttemptId id;
  std::string message;
  bool end_proved = false;
};  // end_proved: it surely does not run any more

using Report = std::variant<Launched, Running, Exited, LaunchFailed, Lost>;

// Called by an executor from any thread, never from within launch, stop or adopt. Must not block.
class ReportSink {
 public:
  virtual ~ReportSink() = default;
  virtual void on_report(Report report) = 0;
};

// One attempt as the store knows it, for adoption.
struct OpenAttempt {
  AttemptId id;
  std::string identity;  // empty if only the intent was committed
  bool stop_requested = false;
  Duration grace{0};
  bool service = false;
  int slots = 1;
  DagId dag = {};
  std::string executor = {};  // as in LaunchSpec
};

// All calls come from the engine thread and return at once; outcomes arrive as reports. Reports may be repeated after a
// restart (at-least-once); the engine takes the first.
class Executor {
 public:
  virtual ~Executor() = default;
  [[nodiscard]] virtual std::string_view name() const = 0;  // "local"
  // Whether attempts can be launched on the executor of that name; empty is the local one.
  [[nodiscard]] virtual bool has(std::string_view executor) const { return executor.empty() || executor == name(); }
  // Starts the attempt, or adopts it if it was started before. Reports Running and Exited, or LaunchFailed; Launched
  // comes first where an executor knows an attempt some time before it runs.
  virtual void launch(LaunchSpec spec) = 0;
  // The same for several. An executor with a limit looks which of them run already before it starts any.
  virtual void launch_all(std::vector<LaunchSpec> specs) {
    for (LaunchSpec& spec : specs) launch(std::move(spec));
  }
  // Asks an attempt to end: TERM, `grace`, KILL of the whole tree; `now` skips the grace. Idempotent; unknown attempts
  // are ignored. One that was not started yet never is, and is reported as LaunchFailed of class External.
  virtual void stop(const AttemptId& id, bool now) = 0;
  // At start, before anything is launched: look at every attempt the store holds open with state Launched or later and
  // report what became of each (Running, Exited, Lost). Attempts with only an intent are launched again by the engine
  // instead, unless a stop was committed or their secrets are gone: they come here without identity, and one that left
  // no trace is Lost with its end proved.
  virtual void adopt(const std::vector<OpenAttempt>& attempts) = 0;
  // A terminal result was committed: the executor may drop what it keeps for the attempt, except logs and artifacts.
  virtual void forget(const AttemptId& id) = 0;
  // What an attempt that does not run yet waits for, in words; empty: nothing is known.
  [[nodiscard]] virtual std::string note(const AttemptId&) const { return {}; }
};

}  // namespace slipway::exec
