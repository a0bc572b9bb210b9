// run backfill, and backfill list, get, wait, cancel.
#include <CLI/CLI.hpp>
#include <ostream>

#include "cli/api_path.h"
#include "cli/exit_code.h"
#include "cli/params.h"
#include "cli/print.h"
#include "cli/session.h"
#include "cli/verbs.h"
#include "cli/watch.h"

namespace slipway::cli {
namespace {

Table ticks_table(const Value& body, bool) {
  Table table({"TICK", "ACTION", "STATE", "RUN"});
  for (const Value& tick : list_of(body, "ticks"))
    table.add(
        {short_time(tick.find("tick")), tick.get_string("action"), tick.get_string("state"), tick.get_string("run")});
  return table;
}

// "28 of 30"
std::string progress(const Value& backfill) {
  return plain(backfill.find("done")) + " of " + plain(backfill.find("ticks"));
}

Table backfills_table(const Value& body, bool wide) {
  std::vector<std::string> header{"BACKFILL", "DAG", "STATE", "FROM", "TO", "TICKS DONE", "RUNNING", "FAILED"};
  if (wide) header.insert(header.end(), {"SCHEDULE", "NEXT", "MAX ACTIVE", "REPROCESS", "REASON"});
  Table table(header);
  for (const Value& backfill : list_of(body, "backfills")) {
    std::vector<std::string> row{backfill.get_string("id"),       backfill.get_string("dag"),
                                 backfill.get_string("state"),    short_time(backfill.find("from")),
                                 short_time(backfill.find("to")), progress(backfill),
                                 plain(backfill.find("running")), plain(backfill.find("failed"))};
    if (wide)
      row.insert(row.end(),
                 {backfill.get_string("schedule"), short_time(backfill.find("next")),
                  plain(backfill.find("max_active")), backfill.get_string("reprocess"), backfill.get_string("reason")});
    table.add(row);
  }
  return table;
}

Table fields_table(const Value& body, bool) {
  Table table({"FIELD", "VALUE"});
  if (const Value* backfill = body.find("backfill"); backfill != nullptr && backfill->is_object())
    for (const auto& [name, value] : backfill->as_object()) table.add({name, plain(&value)});
  return table;
}

int print_one(Session& session, const Value& body) {
  if (session.format() == Format::Name)
    session.out << body.find("backfill")->get_string("id") << "\n";
  else
    print_body(session, body, {"", "id", fields_table});
  return kOk;
}

int exit_code_of_backfill(const Value& backfill) {
  const std::string state = backfill.get_string("state");
  if (state == "cancelled") return kCancelled;
  return state == "success" ? kOk : kFailed;
}

int wait_for(Session& session, const std::string& id) {
  return look_until_over(session, "backfill", id, [&]() -> Result<std::optional<int>> {
    SLIPWAY_TRY_ASSIGN(const Value body, session.call("GET", "/backfills/" + http::percent_encode(id)));
    const Value* backfill = body.find("backfill");
    const Value* ended = backfill->find("ended_at");
    if (ended == nullptr || ended->is_null()) return std::optional<int>();
    print_one(session, body);
    return std::optional(exit_code_of_backfill(*backfill));
  });
}

struct Options {
  std::string dag, from, to, schedule, reprocess = "none";
  ParamOptions params;
  int max_active = 1;
  bool reverse = false, preview = false, wait = false;
};

int start(Session& session, const Options& options) {
  const auto params = collect_params(session, options.dag, options.params);
  if (!params) return session.fail(params.error());
  Value body = Value::Object{{"from", options.from},
                             {"to", options.to},
                             {"max_active", options.max_active},
                             {"reprocess", options.reprocess},
                             {"params", *params}};
  if (!options.schedule.empty()) body["schedule"] = options.schedule;
  if (options.reverse) body["reverse"] = true;
  if (options.preview) body["preview"] = true;
  const auto done = session.call("POST", "/dags/" + http::percent_encode(options.dag) + "/backfills", body);
  if (!done) return session.fail(done.error());
  if (options.preview) {
    print_body(session, *done, {"ticks", "tick", ticks_table});
    return kOk;
  }
  const std::string id = done->find("backfill")->get_string("id");
  if (options.wait) return wait_for(session, id);
  if (for_programs(session.format())) return print_one(session, *done);
  session.out << id << "\n";
  if (!session.globals.quiet) session.err << "follow it with `slipway backfill get " << id << "`\n";
  return kOk;
}

std::shared_ptr<std::string> add_id(CLI::App& app) {
  auto id = std::make_shared<std::string>();
  app.add_option("backfill", *id, "id, or a unique prefix of one")->required();
  return id;
}

}  // namespace

Handler setup_run_backfill(CLI::App& app) {
  auto options = std::make_shared<Options>();
  app.add_option("dag", options->dag, "id of the DAG")->required();
  app.add_option("--from", options->from, "ticks from this instant or date (midnight UTC) on")->required();
  app.add_option("--to", options->to, "up to this instant or date, which is included")->required();
  app.add_option("--schedule", options->schedule, "which schedule of the DAG; default the only one");
  app.add_flag("--reverse", options->reverse, "the newest tick first");
  app.add_option("--max-active", options->max_active, "runs at a time, beside max_active_runs of the DAG")
      ->check(CLI::Range(1, 1000));
  app.add_option("--reprocess", options->reprocess, "of ticks that have a run: none, failed or all are run again")
      ->check(CLI::IsMember({"none", "failed", "all"}));
  app.add_flag("--dry-run,--preview", options->preview, "start nothing, list what would become of each tick");
  app.add_flag("--wait", options->wait, "say nothing until it is over; the exit code is that of its runs");
  add_param_options(app, options->params);
  return [options](Session& session) { return start(session, *options); };
}

Handler setup_backfill_list(CLI::App& app) {
  auto options = std::make_shared<PageOptions>();
  add_page_options(app, "backfills", *options);
  return [options](Session& session) {
    const auto body = session.call("GET", page_path("/backfills", *options));
    if (!body) return session.fail(body.error());
    print_body(session, *body, {"backfills", "id", backfills_table});
    return kOk;
  };
}

Handler setup_backfill_get(CLI::App& app) {
  return [id = add_id(app)](Session& session) {
    const auto body = session.call("GET", "/backfills/" + http::percent_encode(*id));
    return body ? print_one(session, *body) : session.fail(body.error());
  };
}

Handler setup_backfill_wait(CLI::App& app) {
  return [id = add_id(app)](Session& session) { return wait_for(session, *id); };
}

Handler setup_backfill_cancel(CLI::App& app) {
  auto id = add_id(app);
  auto keep_running = std::make_shared<bool>(false);
  app.add_flag("--keep-running", *keep_running, "leave runs that are under way alone");
  return [id, keep_running](Session& session) {
    Value body = Value::Object{};
    if (*keep_running) body["keep_running"] = true;
    const auto done = session.call("POST", "/backfills/" + http::percent_encode(*id) + "/cancel", body);
    return done ? print_one(session, *done) : session.fail(done.error());
  };
}

}  // namespace slipway::cli
