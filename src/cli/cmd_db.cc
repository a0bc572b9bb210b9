// db check, doctor: is what is stored whole, and is this machine fit for it.
#include <CLI/CLI.hpp>
#include <filesystem>
#include <ostream>

#include "cli/config.h"
#include "cli/exit_code.h"
#include "cli/print.h"
#include "cli/process.h"
#include "cli/session.h"
#include "cli/verbs.h"
#include "slipway/exec/limits.h"
#include "slipway/store/home.h"
#include "slipway/store/sqlite_store.h"

namespace slipway::cli {
namespace {

int print_findings(Session& session, const Value& body) {
  const Value* findings = body.find("findings");
  const bool clean = findings == nullptr || !findings->is_array() || findings->as_array().empty();
  if (session.format() == Format::Table && clean)
    session.out << "the database is whole\n";
  else
    print_body(session, body, {"findings", "invariant", [](const Value& value, bool) {
                                 Table table({"INVARIANT", "DETAIL"});
                                 for (const Value& item : value.find("findings")->as_array())
                                   table.add({item.get_string("invariant"), item.get_string("detail")});
                                 return table;
                               }});
  return clean ? kOk : kInvalid;
}

Result<Value> check_here(const std::string& home) {
  SLIPWAY_TRY_ASSIGN(const auto lock, store::HomeLock::acquire(home));
  SLIPWAY_TRY_ASSIGN(const auto opened, store::open_sqlite(home + "/slipway.db"));
  SLIPWAY_TRY_ASSIGN(const auto findings, opened->check());
  Value::Array list;
  for (const auto& finding : findings)
    list.push_back(Value::Object{{"invariant", finding.invariant}, {"detail", finding.detail}});
  return Value(Value::Object{{"findings", list}});
}

// One line of doctor: what was looked at, whether it is well, and what to do if not.
struct Finding {
  std::string what;
  std::string state;  // "ok", "warn" or "bad"
  std::string detail;
};

Finding look_at_home(const std::string& home) {
  std::error_code error;
  if (!std::filesystem::exists(home, error)) return {"home", "ok", home + " does not exist yet; `slipway up` makes it"};
  const auto status = std::filesystem::status(home, error);
  using std::filesystem::perms;
  if ((status.permissions() & (perms::group_all | perms::others_all)) != perms::none)
    return {"home", "bad", home + " is open to other users; chmod 700 " + home};
  return {"home", "ok", home};
}

Finding look_at_file_system(const std::string& home) {
  std::string folder = home;
  std::error_code error;
  while (!std::filesystem::exists(folder, error) && folder != "/")
    folder = std::filesystem::path(folder).parent_path().string();
  const auto unsafe = store::unsafe_file_system(folder);
  if (!unsafe) return {"file system", "warn", unsafe.error().message};
  if (*unsafe)
    return {"file system", "bad",
            folder + " lies on " + **unsafe +
                ", whose locks and flushes cannot be relied on; choose a local disk with --home"};
  const auto space = std::filesystem::space(folder, error);
  if (!error && space.available < (1ULL << 30U)) return {"disk", "warn", "less than 1 GiB is free at " + folder};
  return {"file system", "ok", "local"};
}

Finding look_at_daemon(Session& session) {
  const auto daemon = running_daemon(session.home());
  if (!daemon) return {"daemon", "ok", "none runs on this home"};
  const auto health = session.call("GET", "/health");
  if (!health)
    return {"daemon", "bad", "pid " + std::to_string(daemon->pid) + " does not answer: " + health.error().message};
  return {"daemon", "ok", daemon->url + ", pid " + std::to_string(daemon->pid)};
}

Finding look_at_config(const Session& session) {
  const auto config = Config::load(session.env);
  return config ? Finding{"config", "ok", "no mistakes"} : Finding{"config", "bad", config.error().message};
}

// Absent control groups are no fault: limits are weaker without them, and `resources` says so in the documentation.
Finding look_at_limits() { return {"limits", "ok", exec::limit_support().text}; }

int doctor(Session& session) {
  Value::Array list;
  bool bad = false;
  for (const Finding& finding : {look_at_config(session), look_at_home(session.home()),
                                 look_at_file_system(session.home()), look_at_limits(), look_at_daemon(session)}) {
    list.push_back(Value::Object{{"what", finding.what}, {"state", finding.state}, {"detail", finding.detail}});
    bad = bad || finding.state == "bad";
  }
  print_body(session, Value::Object{{"checks", list}},
             {"checks", "what", [](const Value& value, bool) {
                Table table({"CHECK", "STATE", "DETAIL"});
                for (const Value& item : value.find("checks")->as_array())
                  table.add({item.get_string("what"), item.get_string("state"), item.get_string("detail")});
                return table;
              }});
  return bad ? kFailed : kOk;
}

}  // namespace

Handler setup_db_check(CLI::App&) {
  return [](Session& session) {
    // While a daemon holds the home it alone touches the database.
    const auto body = running_daemon(session.home()) ? session.call("GET", "/db/check") : check_here(session.home());
    return body ? print_findings(session, *body) : session.fail(body.error());
  };
}

Handler setup_doctor(CLI::App&) {
  return [](Session& session) { return doctor(session); };
}

}  // namespace slipway::cli
