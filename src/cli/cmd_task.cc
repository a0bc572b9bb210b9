#include <CLI/CLI.hpp>
#include <ostream>

#include "cli/api_path.h"
#include "cli/exit_code.h"
#include "cli/log_view.h"
#include "cli/print.h"
#include "cli/run_view.h"
#include "cli/session.h"
#include "cli/verbs.h"

namespace slipway::cli {
namespace {

struct LogOptions {
  std::string run;
  std::string task;  // "finetune" or "finetune[3]"; empty = every task, in order of start
  int attempt = 0;   // 0 = the last
  bool follow = false;
  bool timestamps = false;
};

std::string log_path(const LogOptions& options, const std::string& task, std::int64_t offset) {
  std::string path = task_path(options.run, task, "/logs") + "&offset=" + std::to_string(offset);
  if (options.attempt > 0) path += "&attempt=" + std::to_string(options.attempt);
  return path;
}

int print_log(Session& session, const LogOptions& options, const std::string& task, const std::string& prefix) {
  return show_log(session, [&](std::int64_t offset) { return log_path(options, task, offset); },
                  {options.follow, options.timestamps, prefix});
}

int print_all_logs(Session& session, const LogOptions& options) {
  const auto body = session.call("GET", "/runs/" + http::percent_encode(options.run));
  if (!body) return session.fail(body.error());
  for (const Value& task : list_of(*body, "tasks")) {
    if (task.get_int("attempt") == 0) continue;
    const std::string name = task_name(task);
    const int code = print_log(session, options, name, name + " | ");
    if (code != kOk) return code;
  }
  return kOk;
}

void add_log_options(CLI::App& app, LogOptions& options) {
  app.add_flag("-f,--follow", options.follow, "go on until the attempt ends");
  app.add_flag("--timestamps", options.timestamps, "begin each line with its instant");
}

}  // namespace

Handler setup_task_logs(CLI::App& app) {
  auto options = std::make_shared<LogOptions>();
  app.add_option("run", options->run, "id, unique prefix of one, or @latest")->required();
  app.add_option("task", options->task, "id of the task; name[3] for an element of a mapped one")->required();
  app.add_option("--attempt", options->attempt, "number of the attempt; default the last");
  add_log_options(app, *options);
  return [options](Session& session) { return print_log(session, *options, options->task, ""); };
}

Handler setup_run_logs(CLI::App& app) {
  auto options = std::make_shared<LogOptions>();
  app.add_option("run", options->run, "id, unique prefix of one, or @latest")->required();
  add_log_options(app, *options);
  return [options](Session& session) { return print_all_logs(session, *options); };
}

Handler setup_task_why(CLI::App& app) {
  auto options = std::make_shared<LogOptions>();
  app.add_option("run", options->run, "id, unique prefix of one, or @latest")->required();
  app.add_option("task", options->task, "id of the task; name[3] for an element of a mapped one")->required();
  return [options](Session& session) {
    const auto body = session.call("GET", task_path(options->run, options->task, "/why"));
    if (!body) return session.fail(body.error());
    if (for_programs(session.format()))
      print_body(session, *body, {"", "why", {}});
    else
      session.out << body->get_string("why") << "\n";
    return kOk;
  };
}

namespace {

struct AnswerOptions {
  std::string run, task, reason;
  std::vector<std::string> fields;
  bool reject = false;
};

// "name=value": JSON where it is some, else text. The daemon judges it by the field's type.
Result<Value> read_fields(const std::vector<std::string>& pairs) {
  Value fields = Value::Object{};
  for (const std::string& pair : pairs) {
    const auto equals = pair.find('=');
    if (equals == std::string::npos || equals == 0)
      return Error{ErrorCode::InvalidArgument, "`-p " + pair + "` is no field", "write -p name=value"};
    const std::string text = pair.substr(equals + 1);
    const auto json = parse_json(text);
    fields[pair.substr(0, equals)] = json ? *json : Value(text);
  }
  return fields;
}

int answer(Session& session, const AnswerOptions& options) {
  const auto fields = read_fields(options.fields);
  if (!fields) return session.usage(fields.error().message, fields.error().help);
  if (options.reject && !options.fields.empty())
    return session.usage("a rejection has no fields", "say why with --reason");
  if (!options.reject && !options.reason.empty())
    return session.usage("--reason belongs to a rejection", "add --reject, or leave it out");
  const std::string path = task_path(options.run, options.task, "/answer");
  Value body = Value::Object{{"approved", !options.reject}};
  if (!options.reject) body["fields"] = *fields;
  if (!options.reason.empty()) body["reason"] = options.reason;
  const auto reply = session.call("POST", path, body);
  return print_done(session, reply, "task " + options.task + (options.reject ? " rejected" : " approved"), "task");
}

}  // namespace

Handler setup_task_approve(CLI::App& app) {
  auto options = std::make_shared<AnswerOptions>();
  app.add_option("run", options->run, "id, unique prefix of one, or @latest")->required();
  app.add_option("task", options->task, "id of the task that waits")->required();
  app.add_option("-p,--param", options->fields, "field of the form as name=value; repeat for more")
      ->allow_extra_args(false);
  app.add_flag("--reject", options->reject, "say no: the task fails");
  app.add_option("--reason", options->reason, "why it is rejected");
  return [options](Session& session) { return answer(session, *options); };
}

}  // namespace slipway::cli
