// Who we are towards the API server, kept fresh: files read again, plugins run again, tokens of the metadata server.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "slipway/base/log.h"
#include "slipway/base/result.h"
#include "slipway/base/secret.h"
#include "slipway/base/time.h"
#include "slipway/http/transport.h"
#include "slipway/kube/config.h"

namespace slipway::kube {

struct Identity {
  Secret token;                 // empty: no Authorization header
  std::string certificate_pem;  // empty: none
  Secret key_pem;
  std::optional<Instant> refresh_at;   // ask for a new one from here on, and use this one meanwhile
  std::optional<Instant> unusable_at;  // not to be sent from here on
};

// One program, run to its end with no input. Interface, so that plugins are tested without programs.
struct ProgramCall {
  std::string command;
  std::vector<std::string> args;
  std::vector<std::pair<std::string, std::string>> env;  // the whole environment
  Duration timeout = std::chrono::seconds(30);           // then killed
  std::size_t output_bytes_max = 1U << 20U;
};
struct ProgramEnd {
  int exit_code = 0;   // 128 + signal if killed by one
  std::string output;  // stdout
  std::string errors;  // stderr, its last 4 KiB
};
// NotFound (no such program), TimedOut, TooLarge, Io.
using ProgramRunner = std::function<Result<ProgramEnd>(const ProgramCall&)>;
[[nodiscard]] Result<ProgramEnd> run_program(const ProgramCall& call);

// Gives an identity, by reading, running or asking. May block for its time limit; one call at a time.
class IdentitySource {
 public:
  virtual ~IdentitySource() = default;
  // Errors name the file, program or host, and the cure. Unauthorized: the answer holds no credentials.
  [[nodiscard]] virtual Result<Identity> fetch() = 0;
};

struct IdentityTools {
  const Clock& clock;
  ProgramRunner run = run_program;
  http::Transport* transport = nullptr;  // for the metadata server
  Environment environment;               // of plugins
};
// Reads certificate files at once, so a missing one is an error here.
[[nodiscard]] Result<std::unique_ptr<IdentitySource>> make_identity_source(const ClientConfig& config,
                                                                           const IdentityTools& tools);

// When an identity is asked for again. Thread-safe; `fetch` of the source is called on the thread that calls
// refresh(), by one thread at a time.
class IdentityCache {
 public:
  IdentityCache(std::unique_ptr<IdentitySource> source, const Clock& clock, Logger log);
  ~IdentityCache();

  struct Held {
    std::shared_ptr<const Identity> identity;  // null: there is none that may be sent, refresh() first
    bool stale = false;                        // usable, but a refresh is due
  };
  [[nodiscard]] Held held() const;
  // Asks the source if a refresh is due or nothing usable is held. A failed refresh keeps what is still usable, and the
  // source is left alone for 10 s; the error is given only where nothing is.
  [[nodiscard]] Result<std::shared_ptr<const Identity>> refresh();
  // The server said 401 to it: it is not used again, unless a newer one is held already.
  void rejected(const std::shared_ptr<const Identity>& identity);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace slipway::kube
