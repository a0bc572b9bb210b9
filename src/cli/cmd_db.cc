// db check, migrate, release, doctor: is what is stored whole, and is this machine fit for it.
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

int release(Session& session, const std::string& subject) {
  const auto released = store::release_from_quarantine(session.home(), subject);
  if (!released) return session.fail(released.error());
  if (for_programs(session.format()))
    print_body(session, Value::Object{{"subject", released->subject}}, {"", "subject", {}});
  else
    session.out << released->subject << "\n";
  if (!session.globals.quiet && running_daemon(session.home()))
    session.err << "the daemon takes it up when it starts next; tasks that run go on over `slipway down`\n";
  return kOk;
}

Table steps_table(const Value& body, bool) {
  Table table({"MIGRATION"});
  for (const Value& step : list_of(body, "migrations")) table.add({step.as_string()});
  return table;
}

// What a daemon that starts does by itself, when somebody wants to see it end first.
Result<store::Upgrade> upgrade(Session& session, bool dry_run) {
  const std::string database = session.home() + "/slipway.db";
  if (dry_run) return store::plan_upgrade(database);
  SLIPWAY_TRY_ASSIGN(const auto planned, store::plan_upgrade(database));
  SLIPWAY_TRY_ASSIGN(const auto lock, store::HomeLock::acquire(session.home()));
  return store::upgrade_sqlite(database);
}

int migrate(Session& session, bool dry_run) {
  const auto done = upgrade(session, dry_run);
  if (!done) return session.fail(done.error());
  const Value body = Value::Object{{"from", done->from},
                                   {"to", done->to},
                                   {"migrations", Value::Array(done->steps.begin(), done->steps.end())},
                                   {"backup", done->backup.empty() ? Value() : Value(done->backup)}};
  if (for_programs(session.format()) || !done->steps.empty())
    print_body(session, body, {"migrations", "", steps_table});
  if (session.globals.quiet || for_programs(session.format())) return kOk;
  if (done->steps.empty())
    session.err << "the database has schema " << done->to << ", which is the newest\n";
  else if (dry_run)
    session.err << "these would lead from schema " << done->from << " to " << done->to << "\n";
  else
    session.err << "the database has schema " << done->to << "; as it was before it is in " << done->backup << "\n";
  return kOk;
}

int doctor(Session& session, bool deep) {
  const Value report = doctor_report(session, deep);
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
    const auto body = check_database(session);
    return body ? print_findings(session, *body) : session.fail(body.error());
  };
}

Handler setup_db_release(CLI::App& app) {
  auto subject = std::make_shared<std::string>();
  app.add_option("subject", *subject, "what `slipway doctor` names: \"run ID\", or the ID alone")->required();
  return [subject](Session& session) { return release(session, *subject); };
}

Handler setup_db_migrate(CLI::App& app) {
  auto dry_run = std::make_shared<bool>(false);
  app.add_flag("--dry-run", *dry_run, "change nothing, list the migrations that are due");
  return [dry_run](Session& session) { return migrate(session, *dry_run); };
}

Handler setup_doctor(CLI::App& app) {
  auto deep = std::make_shared<bool>(false);
  app.add_flag("--deep", *deep, "also read the whole database and time the disk");
  return [deep](Session& session) { return doctor(session, *deep); };
}

}  // namespace slipway::cli
