#include <CLI/CLI.hpp>
#include <ostream>

#include "cli/api_path.h"
#include "cli/exit_code.h"
#include "cli/params.h"
#include "cli/print.h"
#include "cli/run_view.h"
#include "cli/session.h"
#include "cli/verbs.h"
#include "cli/watch.h"

namespace slipway::cli {
namespace {

Table run_table(const Value& body, bool wide) {
  std::vector<std::string> header{"TASK", "STATE", "ATTEMPT", "STARTED", "TOOK", "REASON"};
  if (wide) header.insert(header.end(), {"CLASS", "EXIT", "OUTPUTS"});
  Table table(header);
  const Instant now = SystemClock().now();
  for (const Value& task : list_of(body, "tasks")) {
    std::vector<std::string> row{task_name(task),
                                 task.get_string("state"),
                                 plain(task.find("attempt")),
                                 short_time(task.find("started_at")),
                                 elapsed(task.find("started_at"), task.find("ended_at"), now),
                                 task.get_string("reason")};
    if (wide)
      row.insert(row.end(), {task.get_string("class"), plain(task.find("exit_code")), plain(task.find("outputs"))});
    table.add(row);
  }
  return table;
}

void print_run_head(Session& session, const Value& body) {
  const Value* run = body.find("run");
  if (run == nullptr) return;
  session.out << run->get_string("dag") << "  " << run->get_string("id") << "  " << run->get_string("state")
              << "  logical date " << short_time(run->find("logical_date")) << "  took "
              << elapsed(run->find("started_at"), run->find("ended_at"), SystemClock().now()) << "\n";
  for (const Value& failure : list_of(*run, "failures")) session.out << "  failed because " << plain(&failure) << "\n";
  session.out << "\n";
}

const Shape& run_shape() {
  static const Shape kShape{"", "id", run_table};
  return kShape;
}

}  // namespace

int print_run(Session& session, const Value& body) {
  if (session.format() == Format::Name) {
    session.out << body.find("run")->get_string("id") << "\n";
    return kOk;
  }
  if (session.format() == Format::Table || session.format() == Format::Wide) print_run_head(session, body);
  print_body(session, body, run_shape());
  return kOk;
}

namespace {

Table runs_table(const Value& body, bool wide) {
  std::vector<std::string> header{"RUN", "DAG", "STATE", "TRIGGER", "STARTED", "TOOK"};
  if (wide) header.insert(header.end(), {"LOGICAL DATE", "FAILURES"});
  Table table(header);
  const Instant now = SystemClock().now();
  for (const Value& run : list_of(body, "runs")) {
    std::vector<std::string> row{run.get_string("id"),
                                 run.get_string("dag"),
                                 run.get_string("state"),
                                 run.get_string("trigger"),
                                 short_time(run.find("started_at")),
                                 elapsed(run.find("started_at"), run.find("ended_at"), now)};
    if (wide) row.insert(row.end(), {short_time(run.find("logical_date")), plain(run.find("failures"))});
    table.add(row);
  }
  return table;
}

struct StartOptions {
  std::string dag;
  ParamOptions params;
  std::string logical_date;
  std::string key;
  bool watch = false, wait = false, logs = false, detach = false;
};

int start(const StartOptions& options, Session& session) {
  if (options.watch + options.wait + options.logs + options.detach > 1)
    return session.usage("--watch, --wait, --logs and --detach exclude each other");
  const auto params = collect_params(session, options.dag, options.params);
  if (!params) return session.fail(params.error());
  Value body = Value::Object{{"params", *params}, {"trigger", "manual"}};
  if (!options.logical_date.empty()) body["logical_date"] = options.logical_date;
  http::Headers headers;
  if (!options.key.empty()) headers.emplace("Idempotency-Key", options.key);
  const auto made = session.call("POST", "/dags/" + http::percent_encode(options.dag) + "/runs", body, headers);
  if (!made) return session.fail(made.error());
  const std::string id = made->find("run") != nullptr ? made->find("run")->get_string("id") : "";
  if (options.watch) {
    if (!for_programs(session.format())) session.out << "run " << id << " started" << std::endl;
    return watch_run(session, id);
  }
  if (options.logs) return follow_logs(session, id);
  if (options.wait) return wait_and_print(session, id);
  if (for_programs(session.format())) return print_run(session, *made);
  session.out << id << "\n";
  if (!session.globals.quiet) session.err << "follow it with `slipway run watch " << id << "`\n";
  return kOk;
}

}  // namespace

Handler setup_run_start(CLI::App& app) {
  auto options = std::make_shared<StartOptions>();
  app.add_option("dag", options->dag, "id of the DAG")->required();
  add_param_options(app, options->params);
  app.add_option("--logical-date", options->logical_date, "the instant the run stands for, RFC 3339; default now");
  app.add_option("--idempotency-key", options->key, "a second start with the same key gives the first run");
  app.add_flag("-w,--watch", options->watch, "show the run until it is over; the exit code is the run's");
  app.add_flag("--wait", options->wait, "say nothing until the run is over; the exit code is the run's");
  app.add_flag("--logs", options->logs, "show what its tasks write; the exit code is the run's");
  app.add_flag("-d,--detach", options->detach, "only start it, which is what happens anyway");
  return [options](Session& session) { return start(*options, session); };
}

Handler setup_run_get(CLI::App& app) {
  auto id = std::make_shared<std::string>();
  app.add_option("run", *id, "id, unique prefix of one, @latest or @failed")->required();
  return [id](Session& session) {
    const auto body = session.call("GET", "/runs/" + http::percent_encode(*id));
    return body ? print_run(session, *body) : session.fail(body.error());
  };
}

Handler setup_run_list(CLI::App& app) {
  auto options = std::make_shared<PageOptions>();
  add_page_options(app, "runs", *options);
  return [options](Session& session) {
    const auto body = session.call("GET", page_path("/runs", *options));
    if (!body) return session.fail(body.error());
    print_body(session, *body, {"runs", "id", runs_table});
    return kOk;
  };
}

Handler setup_run_watch(CLI::App& app) {
  auto id = std::make_shared<std::string>("@latest");
  app.add_option("run", *id, "id, unique prefix of one, or @latest (the default)");
  return [id](Session& session) { return watch_run(session, http::percent_encode(*id)); };
}

Handler setup_run_cancel(CLI::App& app) {
  struct Options {
    std::string id;
    bool now = false;
  };
  auto options = std::make_shared<Options>();
  app.add_option("run", options->id, "id, unique prefix of one, or @latest")->required();
  app.add_flag("--now", options->now, "kill at once instead of TERM and a grace time");
  return [options](Session& session) {
    const auto body = session.call("POST", "/runs/" + http::percent_encode(options->id) + "/cancel",
                                   Value::Object{{"now", options->now}});
    return body ? print_run(session, *body) : session.fail(body.error());
  };
}

Handler setup_run_wait(CLI::App& app) {
  auto id = std::make_shared<std::string>();
  app.add_option("run", *id, "id, unique prefix of one, or @latest")->required();
  return [id](Session& session) {
    const std::string reference = http::percent_encode(*id);
    return for_programs(session.format()) ? wait_and_print(session, reference) : wait_for_run(session, reference);
  };
}

}  // namespace slipway::cli
