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

Result<http::Response> check_db(const Call& call) {
  SLIPWAY_TRY_ASSIGN(const auto findings, call.backend.store.check());
  Value list{Value::Array{}};
  for (const auto& finding : findings) {
    Value& entry = list.as_array().emplace_back();
    entry["invariant"] = finding.invariant;
    entry["detail"] = finding.detail;
  }
  Value body;
  body["findings"] = std::move(list);
  return reply(body);
}

}  // namespace slipway::api
