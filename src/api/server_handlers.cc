#include <sys/stat.h>

#include <cerrno>
#include <string>

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

// The file is named by the daemon, so that no request chooses where it writes.
Result<http::Response> backup_db(const Call& call) {
  const std::string folder = call.backend.home + "/backups";
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) return errno_error("cannot create " + folder, errno);
  std::string moment = to_rfc3339(call.backend.clock.now());
  std::erase_if(moment, [](char c) { return c == '-' || c == ':'; });
  const std::string file = folder + "/" + moment + ".db";
  SLIPWAY_TRY(call.backend.store.backup(file));
  Value body;
  body["file"] = file;
  return reply(body, 201);
}

}  // namespace slipway::api
