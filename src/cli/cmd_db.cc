// db check, doctor: is what is stored whole, and is this machine fit for it.
#include <CLI/CLI.hpp>
#include <ostream>

#include "cli/doctor.h"
#include "cli/exit_code.h"
#include "cli/print.h"
#include "cli/process.h"
#include "cli/session.h"
#include "cli/verbs.h"
#include "slipway/store/home.h"
#include "slipway/store/sqlite_store.h"
#include "slipway/store/suspect_file.h"

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
  return check_store(*opened);
}

int release(Session& session, const std::string& subject) {
  const auto released = store::release_from_quarantine(session.home(), subject);
  if (!released) return session.fail(released.error());
  session.out << released->subject << "\n";
  if (!session.globals.quiet && running_daemon(session.home()))
    session.err << "the daemon takes it up when it starts next; tasks that run go on over `slipway down`\n";
  return kOk;
}

int doctor(Session& session) {
  const Value report = doctor_report(session);
  bool bad = false;
  for (const Value& item : list_of(report, "checks")) bad = bad || item.get_string("state") == "bad";
  print_body(session, report,
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

Handler setup_db_release(CLI::App& app) {
  auto subject = std::make_shared<std::string>();
  app.add_option("subject", *subject, "what `slipway doctor` names: \"run ID\", or the ID alone")->required();
  return [subject](Session& session) { return release(session, *subject); };
}

Handler setup_doctor(CLI::App&) {
  return [](Session& session) { return doctor(session); };
}

}  // namespace slipway::cli
