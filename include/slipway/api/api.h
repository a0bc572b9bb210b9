// The HTTP API below /api/v1: one table of routes, from which dispatch, permissions, docs/api.md and OpenAPI derive.
// Handlers parse, call engine or store, and shape JSON; errors are problem+json. A 2xx means committed and on disk.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "slipway/api/event_stream.h"
#include "slipway/base/log.h"
#include "slipway/base/result.h"
#include "slipway/base/time.h"
#include "slipway/engine/engine.h"
#include "slipway/engine/prune.h"
#include "slipway/http/server.h"
#include "slipway/store/store.h"
#include "slipway/vault/token.h"
#include "slipway/vault/vault.h"

namespace slipway::api {

// Host names that only this machine resolves to itself.
inline const std::vector<std::string> kLoopbackHosts{"localhost", "127.0.0.1", "[::1]"};

// A service that runs elsewhere.
struct RemoteService {
  bool up = false;
  std::string words;  // how it is
  std::string logs;   // a command that shows what it prints
};

// What handlers work with. References outlive the handler.
struct Deps {
  engine::Engine& engine;
  const store::Store& store;  // read only; every change goes through the engine
  const vault::Vault& vault;  // seals what PUT /secrets brings
  const Clock& clock;
  EventStream& events;  // hears of what the engine commits
  Logger log;
  std::string home;  // absolute; logs are read below it
  std::string version;
  std::function<Result<void>(const ServiceId&)> stop_service;  // ends the processes of a service; may take seconds
  engine::Retention retention = {};                            // what POST /db/prune keeps unless told
  std::function<std::optional<Error>()> trouble = {};          // why the daemon is degraded; any thread
  std::vector<std::string> hosts = kLoopbackHosts;             // names a request may be addressed to, without port
  // What a cluster says of a service that is on one; nothing: it is a process of this machine. May take seconds.
  std::function<std::optional<RemoteService>(const ServiceId&)> remote_service = {};
};

// The handler for http::Server. Thread-safe. Requests outside /api/v1 are 404.
[[nodiscard]] http::Handler make_handler(Deps deps);

// What the API asks of the engine. Thread-safe; may block for some seconds, then TimedOut.
class Control {
 public:
  virtual ~Control() = default;
  [[nodiscard]] virtual Result<engine::Reply> call(engine::Command command, engine::Origin origin) = 0;
  [[nodiscard]] virtual Result<std::string> why(const RunId& run, const TaskKey& key) = 0;
  [[nodiscard]] virtual Result<std::vector<engine::PoolUse>> pools() = 0;
};

// The same with the engine behind an interface, so that the whole API is tested without one.
struct Backend {
  Control& control;
  const store::Store& store;
  const vault::Vault& vault;
  const Clock& clock;
  EventStream& events;
  Logger log;
  std::string home;
  std::string version;
  std::function<Result<void>(const ServiceId&)> stop_service;
  engine::Retention retention = {};
  std::function<std::optional<Error>()> trouble = {};
  std::vector<std::string> hosts = kLoopbackHosts;
  std::function<std::optional<RemoteService>(const ServiceId&)> remote_service = {};
};
[[nodiscard]] http::Handler make_handler(Backend backend);

struct Call;  // private to src/api

// A row of the table. `query` and `body` name everything a request may carry, separated by spaces; a ? marks what may
// be left out.
struct Route {
  std::string_view method;
  std::string_view pattern;         // below /api/v1; "{name}" stands for one segment
  std::optional<vault::Role> role;  // least role; nullopt: no token needed
  std::string_view summary;
  Result<http::Response> (*handler)(const Call& call);
  std::string_view query = {};
  std::string_view body = {};
};
[[nodiscard]] std::span<const Route> routes();

// The reply for an error: application/problem+json {type, title, status, detail, code, help}.
[[nodiscard]] http::Response problem(const Error& error);

}  // namespace slipway::api
