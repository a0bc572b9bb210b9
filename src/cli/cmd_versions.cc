// dag versions, dag diff, dag plan.
#include <CLI/CLI.hpp>
#include <ostream>

#include "cli/dag_files.h"
#include "cli/exit_code.h"
#include "cli/pod_preview.h"
#include "cli/print.h"
#include "cli/session.h"
#include "cli/verbs.h"
#include "slipway/dag/parse.h"

namespace slipway::cli {
namespace {

constexpr std::size_t kShownDigits = 12;

Table versions_table(const Value& body, bool wide) {
  Table table({"VERSION", "FIRST SEEN", "CURRENT", "FILE"});
  for (const Value& version : list_of(body, "versions")) {
    const std::string id = version.get_string("id");
    const Value* current = version.find("current");
    table.add({wide ? id : id.substr(0, kShownDigits), short_time(version.find("first_seen")),
               current != nullptr && current->is_bool() && current->as_bool() ? "yes" : "",
               version.get_string("file")});
  }
  return table;
}

void print_plan(Session& session, const Value& plan) {
  const std::string change = plan.get_string("change");
  const std::string what = change == "none"     ? "is active as it stands in the file"
                           : change == "create" ? "would be new"
                                                : "would get a new version";
  session.out << plan.get_string("dag") << " " << what << "\n";
  print_difference(session, plan);
  for (const Value& schedule : list_of(plan, "schedules")) {
    session.out << "\nschedule " << schedule.get_string("name") << " (" << schedule.get_string("change") << ")  "
                << plain(schedule.find("expression")) << "  " << schedule.get_string("timezone") << "\n";
    for (const Value& tick : list_of(schedule, "next")) session.out << "  next " << short_time(&tick) << "\n";
  }
}

// What the cluster says of the tasks' pods; kOk if nothing.
int ask_cluster(Session& session, const dag::Dag& dag) {
  const auto params = dag::resolve_params(dag, Value(Value::Object{}));
  const Value values = params.value ? *params.value : Value(Value::Object{});
  const auto problems = dry_run_pods(session, {dag, values, Value(Value::Object{}), "", SystemClock().now()});
  if (!problems) return session.fail(problems.error());
  for (const PodProblem& problem : *problems)
    session.err << "task " << problem.task << ": the cluster refuses its pod: " << problem.message << "\n";
  return problems->empty() ? kOk : kInvalid;
}

}  // namespace

void print_difference(Session& session, const Value& difference) {
  for (const Value& task : list_of(difference, "added")) session.out << "+ task " << plain(&task) << "\n";
  for (const Value& task : list_of(difference, "removed")) session.out << "- task " << plain(&task) << "\n";
  for (const Value& change : list_of(difference, "changed")) {
    const auto side = [&](const char* name) {
      const Value* value = change.find(name);
      return value == nullptr || value->is_null() ? std::string("nothing") : plain(value);
    };
    session.out << "~ " << change.get_string("field") << ": " << side("before") << " -> " << side("after") << "\n";
  }
  const std::string text = difference.get_string("text");
  if (!text.empty()) session.out << "\n" << text;
}

Handler setup_dag_versions(CLI::App& app) {
  auto id = std::make_shared<std::string>();
  app.add_option("dag", *id, "id of the DAG")->required();
  return [id](Session& session) {
    const auto body = session.call("GET", "/dags/" + http::percent_encode(*id) + "/versions");
    if (!body) return session.fail(body.error());
    print_body(session, *body, {"versions", "id", versions_table});
    return kOk;
  };
}

Handler setup_dag_diff(CLI::App& app) {
  struct Options {
    std::string dag, from, to;
  };
  auto options = std::make_shared<Options>();
  app.add_option("dag", options->dag, "id of the DAG")->required();
  app.add_option("from", options->from, "a version, or a unique prefix; default the one before");
  app.add_option("to", options->to, "a version, or a unique prefix; default the current one");
  return [options](Session& session) {
    std::string path = "/dags/" + http::percent_encode(options->dag) + "/diff";
    if (!options->from.empty()) path += "?from=" + http::percent_encode(options->from);
    if (!options->to.empty()) path += "&to=" + http::percent_encode(options->to);
    const auto body = session.call("GET", path);
    if (!body) return session.fail(body.error());
    if (session.format() == Format::Table || session.format() == Format::Wide)
      print_difference(session, *body);
    else
      print_body(session, *body, {"", "to", {}});
    return kOk;
  };
}

Handler setup_dag_plan(CLI::App& app) {
  auto file = std::make_shared<std::string>();
  auto cluster = std::make_shared<bool>(false);
  app.add_option("file", *file, "a DAG file")->required();
  app.add_flag("--cluster", *cluster, "also let the cluster judge the tasks' pods and objects, without creating them");
  return [file, cluster](Session& session) {
    const auto checked = check_file(*file);
    if (!checked) return session.fail(checked.error());
    if (!checked->dag) {
      for (const Diagnostic& diagnostic : checked->diagnostics.items())
        session.err << render(diagnostic, checked->source) << "\n";
      return kInvalid;
    }
    const auto plan =
        session.call("POST", "/plan",
                     Value::Object{{"text", checked->source.text},
                                   {"file", checked->source.name},
                                   {"files", Value::Object(checked->beside.begin(), checked->beside.end())}});
    if (!plan) return session.fail(plan.error());
    if (session.format() == Format::Table || session.format() == Format::Wide)
      print_plan(session, *plan);
    else
      print_body(session, *plan, {"", "dag", {}});
    if (*cluster)
      if (const int judged = ask_cluster(session, *checked->dag); judged != kOk) return judged;
    return plan->get_string("change") == "none" ? kOk : kChanges;
  };
}

}  // namespace slipway::cli
