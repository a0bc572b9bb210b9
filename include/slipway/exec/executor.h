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

// Everything an executor needs; rendered, nothing left to evaluate.
struct LaunchSpec {
  AttemptId id;
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
};

// All calls come from the engine thread and return at once; outcomes arrive as reports. Reports may be repeated after a
// restart (at-least-once); the engine takes the first.
class Executor {
 public:
  virtual ~Executor() = default;
  [[nodiscard]] virtual std::string_view name() const = 0;  // "local"
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
};

}  // namespace slipway::exec
