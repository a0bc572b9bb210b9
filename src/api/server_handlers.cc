#include <sys/stat.h>

#include <cerrno>
#include <string>

#include "api/handlers.h"
#include "slipway/engine/prune.h"
#include "slipway/store/findings.h"

namespace slipway::api {
namespace {

Error bad_member(std::string_view name, std::string_view expected) {
  return {ErrorCode::InvalidArgument, "`" + std::string(name) + "` is no " + std::string(expected), {}};
}

Result<engine::PruneWish> prune_wish(const Value& body) {
  engine::PruneWish wish;
  if (const Value* dag = body.find("dag")) {
    if (!dag->is_string()) return bad_member("dag", "text");
    SLIPWAY_TRY_ASSIGN(auto id, checked_id(dag->as_string(), "DAG"));
    wish.dag = DagId(std::move(id));
  }
  if (const Value* age = body.find("older_than")) {
    if (!age->is_string()) return bad_member("older_than", "duration");
    SLIPWAY_TRY_ASSIGN(wish.older_than, parse_duration(age->as_string()));
  }
  if (const Value* keep = body.find("keep")) {
    if (!keep->is_int() || keep->as_int() < 0 || keep->as_int() > 1'000'000)
      return bad_member("keep", "number from 0 to 1000000");
    wish.keep = static_cast<int>(keep->as_int());
  }
  if (const Value* dry = body.find("dry_run")) {
    if (!dry->is_bool()) return bad_member("dry_run", "true or false");
    wish.dry_run = dry->as_bool();
  }
  return wish;
}

}  // namespace

Result<http::Response> get_health(const Call& call) {
  SLIPWAY_TRY(call.backend.store.read());
  const auto trouble = call.backend.trouble ? call.backend.trouble() : std::nullopt;
  Value body;
  body["status"] = trouble ? "degraded" : "ok";
  if (trouble) body["detail"] = trouble->message;
  if (trouble && !trouble->help.empty()) body["help"] = trouble->help;
  return reply(body);
}

Result<http::Response> get_version(const Call& call) {
  Value body;
  body["version"] = call.backend.version;
  return reply(body);
}

Result<http::Response> check_db(const Call& call) {
  SLIPWAY_TRY_ASSIGN(const Value report, store::check_report(call.backend.store));
  return reply(report);
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

Result<http::Response> prune_db(const Call& call) {
  // So many at a time that a request takes some seconds at the most.
  constexpr int kRuns = 20;
  constexpr int kShown = 1'000;
  SLIPWAY_TRY_ASSIGN(const auto wish, prune_wish(call.body));
  const engine::PruneSteps steps{[&](const std::vector<RunId>& runs) -> Result<void> {
                                   SLIPWAY_TRY(call.command(engine::CondemnRuns{runs}));
                                   return {};
                                 },
                                 [&](const RunId& run) -> Result<bool> {
                                   SLIPWAY_TRY_ASSIGN(const auto done, call.command(engine::EraseRun{run}));
                                   return done.more;
                                 }};
  const engine::PrunePlace place{call.backend.store, call.backend.home, call.backend.retention,
                                 call.backend.clock.now()};
  SLIPWAY_TRY_ASSIGN(const auto pruned, engine::prune(place, wish, wish.dry_run ? kShown : kRuns, steps));
  Value body;
  body["runs"] = Value::Array{};
  for (const RunId& run : pruned.runs) body["runs"].as_array().emplace_back(run.str());
  body["more"] = pruned.more;
  return reply(body);
}

}  // namespace slipway::api
