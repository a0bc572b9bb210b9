// The HTTP API below /api/v1: one route table, handlers that parse, call engine or store, and shape JSON.
#pragma once

#include <functional>
#include <string>

#include "slipway/base/log.h"
#include "slipway/base/result.h"
#include "slipway/base/time.h"
#include "slipway/engine/engine.h"
#include "slipway/http/server.h"
#include "slipway/store/store.h"
#include "slipway/vault/vault.h"

namespace slipway::api {

// What handlers work with. References outlive the handler.
struct Deps {
  engine::Engine& engine;
  const store::Store& store;   // read only; every change goes through the engine
  const vault::Vault& vault;   // seals what PUT /secrets brings
  const Clock& clock;
  Logger log;
  std::string home;            // absolute; logs are read below it
  std::string version;
  std::function<Result<void>(const ServiceId&)> stop_service;  // ends the processes of a service; may take seconds
};

// The handler for http::Server. Thread-safe.
[[nodiscard]] http::Handler make_handler(Deps deps);

}  // namespace slipway::api
