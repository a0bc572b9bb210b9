#include "api/handlers.h"

namespace slipway::api {

Result<http::Response> get_health(const Call& call) {
  SLIPWAY_TRY(call.backend.store.read());
  Value body;
  body["status"] = "ok";
  return reply(body);
}

Result<http::Response> get_version(const Call& call) {
  Value body;
  body["version"] = call.backend.version;
  return reply(body);
}

}  // namespace slipway::api
