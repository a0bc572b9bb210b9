// service get, logs, rollback: one deployed service.
#include <CLI/CLI.hpp>

#include "cli/exit_code.h"
#include "cli/log_view.h"
#include "cli/print.h"
#include "cli/session.h"
#include "cli/verbs.h"
#include "cli/watch.h"

namespace slipway::cli {
namespace {

std::string service_path(const std::string& name) { return "/services/" + http::percent_encode(name); }

std::string up_or_down(const Value& service, const char* name) {
  const Value* up = service.find(name);
  return up != nullptr && up->is_bool() && up->as_bool() ? "up" : "down";
}

Table service_table(const Value& service, bool wide) {
  std::vector<std::string> header{"NAME", "DAG", "URL", "FRONT", "SERVER", "REVISION", "DEPLOYED"};
  if (wide) header.emplace_back("LOGICAL DATE");
  Table table(header);
  std::vector<std::string> row{service.get_string("name"),
                               service.get_string("dag"),
                               service.get_string("url"),
                               up_or_down(service, "front_up"),
                               up_or_down(service, "revision_up"),
                               service.get_string("revision"),
                               short_time(service.find("deployed_at"))};
  if (wide) row.push_back(short_time(service.find("logical_date")));
  table.add(row);
  return table;
}

}  // namespace

Handler setup_service_get(CLI::App& app) {
  auto name = std::make_shared<std::string>();
  app.add_option("name", *name, "name of the service")->required();
  return [name](Session& session) {
    const auto body = session.call("GET", service_path(*name));
    if (!body) return session.fail(body.error());
    print_body(session, *body, {"", "name", service_table});
    return kOk;
  };
}

Handler setup_service_logs(CLI::App& app) {
  auto name = std::make_shared<std::string>();
  auto view = std::make_shared<LogView>();
  app.add_option("name", *name, "name of the service")->required();
  app.add_flag("-f,--follow", view->follow, "go on while the service is up");
  app.add_flag("--timestamps", view->timestamps, "begin each line with its instant");
  return [name, view](Session& session) {
    return show_log(
        session, [&](std::int64_t offset) { return service_path(*name) + "/logs?offset=" + std::to_string(offset); },
        *view);
  };
}

Handler setup_service_rollback(CLI::App& app) {
  auto name = std::make_shared<std::string>();
  auto to = std::make_shared<std::string>();
  auto watch = std::make_shared<bool>(false);
  app.add_option("name", *name, "name of the service")->required();
  app.add_option("--to", *to, "the run that deployed what is to be live; default what was live before");
  app.add_flag("--watch", *watch, "follow the run that deploys it again");
  return [name, to, watch](Session& session) {
    Value body{Value::Object{}};
    if (!to->empty()) body["run"] = *to;
    const auto reply = session.call("POST", service_path(*name) + "/rollback", body);
    if (!reply) return session.fail(reply.error());
    if (*watch) return watch_run(session, reply->find("run")->get_string("id"));
    return print_run(session, *reply);
  };
}

}  // namespace slipway::cli
