#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <ostream>

#include "cli/dag_files.h"
#include "cli/exit_code.h"

#include "cli/print.h"
#include "cli/session.h"
#include "cli/verbs.h"
#include "slipway/dag/layout.h"
#include "slipway/dag/parse.h"

namespace slipway::cli {
namespace {

Value file_report(const CheckedFile& file) {
  Value::Array diagnostics;
  for (const Diagnostic& diagnostic : file.diagnostics.items())
    diagnostics.push_back(to_value(diagnostic, file.source.name));
  Value report = Value::Object{
      {"file", file.source.name}, {"valid", !file.diagnostics.has_errors()}, {"diagnostics", diagnostics}};
  report["dag"] = file.dag ? Value(file.dag->id.str()) : Value();
  return report;
}

int validate(const std::vector<std::string>& paths, Session& session) {
  const auto files = check_paths(paths);
  if (!files) return session.fail(files.error());
  Value::Array reports;
  std::size_t errors = 0;
  for (const CheckedFile& file : *files) {
    reports.push_back(file_report(file));
    errors += file.diagnostics.has_errors() ? 1 : 0;
  }
  if (session.format() == Format::Json || session.format() == Format::Jsonl || session.format() == Format::Yaml) {
    print_body(session, Value::Object{{"files", reports}}, {"files", "file", {}});
    return errors > 0 ? kInvalid : kOk;
  }
  for (const CheckedFile& file : *files) {
    for (const Diagnostic& diagnostic : file.diagnostics.items())
      session.out << render(diagnostic, file.source) << "\n";
    if (!file.diagnostics.has_errors() && !session.globals.quiet)
      session.out << file.source.name << ": " << file.dag->id << " is valid, " << file.dag->tasks.size() << " tasks\n";
  }
  return errors > 0 ? kInvalid : kOk;
}

Table dags_table(const Value& body, bool wide) {
  std::vector<std::string> header{"DAG", "STATE", "NEXT", "FILE"};
  if (wide) header.insert(header.end(), {"OWNER", "TAGS", "DESCRIPTION"});
  Table table(header);
  for (const Value& dag : list_of(body, "dags")) {
    const Value* paused = dag.find("paused");
    const bool is_paused = paused != nullptr && paused->is_bool() && paused->as_bool();
    const std::string state = !dag.get_string("error").empty() ? "invalid" : is_paused ? "paused" : "active";
    std::vector<std::string> row{dag.get_string("id"), state, short_time(dag.find("next")), dag.get_string("file")};
    if (wide) row.insert(row.end(), {dag.get_string("owner"), plain(dag.find("tags")), dag.get_string("description")});
    table.add(row);
  }
  return table;
}

Value fields_body(const std::vector<dag::FieldDoc>& rows) {
  Value::Array fields;
  for (const auto& row : rows)
    fields.push_back(Value::Object{{"field", row.path},
                                   {"type", row.type},
                                   {"default", row.default_text},
                                   {"applies_to", row.applies_to},
                                   {"status", row.status},
                                   {"meaning", row.doc}});
  return Value::Object{{"fields", std::move(fields)}};
}

Table fields_table(const Value& body, bool) {
  Table table({"FIELD", "TYPE", "DEFAULT", "FOR", "STATUS", "MEANING"});
  for (const Value& field : list_of(body, "fields"))
    table.add({field.get_string("field"), field.get_string("type"), field.get_string("default"),
               field.get_string("applies_to"), field.get_string("status"), field.get_string("meaning")});
  return table;
}

int show(Session& session, const dag::Dag& dag, const std::string& graph) {
  if (for_programs(session.format()))
    print_body(session, dag::graph_value(dag, dag::lay_out(dag)), {"", "dag", {}});
  else
    session.out << (graph == "svg" ? dag::draw_svg(dag) : graph == "dot" ? dag::draw_dot(dag) : dag::draw_ascii(dag));
  return kOk;
}

Handler setup_pause(CLI::App& app, bool paused) {
  auto id = std::make_shared<std::string>();
  app.add_option("dag", *id, "id of the DAG")->required();
  return [id, paused](Session& session) {
    const auto body =
        session.call("POST", "/dags/" + http::percent_encode(*id) + "/pause", Value::Object{{"paused", paused}});
    return print_done(session, body, *id + (paused ? " is paused" : " is active"), "id");
  };
}

}  // namespace

Handler setup_dag_validate(CLI::App& app) {
  auto paths = std::make_shared<std::vector<std::string>>();
  app.add_option("path", *paths, "DAG files, or folders of them")->required();
  return [paths](Session& session) { return validate(*paths, session); };
}

Handler setup_dag_list(CLI::App&) {
  return [](Session& session) {
    const auto body = session.call("GET", "/dags");
    if (!body) return session.fail(body.error());
    print_body(session, *body, {"dags", "id", dags_table});
    return kOk;
  };
}

Handler setup_dag_show(CLI::App& app) {
  struct Options {
    std::string name;
    std::string graph = "ascii";
  };
  auto options = std::make_shared<Options>();
  app.add_option("dag", options->name, "a DAG file, or the id of a DAG that the daemon knows")->required();
  app.add_option("--graph", options->graph, "ascii, dot or svg")->check(CLI::IsMember({"ascii", "dot", "svg"}));
  return [options](Session& session) {
    const auto file = find_dag(session, options->name);
    if (!file) return session.fail(file.error());
    if (!file->dag) return print_problems(session, *file);
    return show(session, *file->dag, options->graph);
  };
}

Handler setup_dag_schema(CLI::App&) {
  return [](Session& session) {
    session.out << dag::json_schema().dump_pretty() << "\n";
    return kOk;
  };
}

Handler setup_dag_explain(CLI::App& app) {
  auto path = std::make_shared<std::string>();
  auto markdown = std::make_shared<bool>(false);
  app.add_option("field", *path, "a field, e.g. tasks.*.retry; default all");
  app.add_flag("--markdown", *markdown, "all of them, as the table of docs/dag-format.md");
  return [path, markdown](Session& session) {
    if (*markdown) {
      session.out << dag::explain_markdown();
      return kOk;
    }
    const auto rows = dag::explain(*path);
    if (rows.empty())
      return session.fail(
          {ErrorCode::NotFound, "the language has no field `" + *path + "`", "`slipway dag explain` lists all"});
    print_body(session, fields_body(rows), {"fields", "field", fields_table});
    return kOk;
  };
}

Handler setup_dag_pause(CLI::App& app) { return setup_pause(app, true); }
Handler setup_dag_unpause(CLI::App& app) { return setup_pause(app, false); }

Handler setup_schedule_next(CLI::App& app) {
  struct Options {
    std::string name, cron, zone = "UTC", after;
    int count = 5;
  };
  auto options = std::make_shared<Options>();
  app.add_option("dag", options->name, "a DAG file, or the id of a DAG that the daemon knows");
  app.add_option("--cron", options->cron, "a cron expression instead of a DAG");
  app.add_option("--timezone", options->zone, "IANA zone of --cron");
  app.add_option("--after", options->after, "first instant to look after, RFC 3339; default now");
  app.add_option("-n", options->count, "how many ticks")->check(CLI::Range(1, 10000));
  return [options](Session& session) {
    if (options->name.empty() == options->cron.empty())
      return session.usage("name a DAG, or give --cron",
                           "slipway schedule next --cron '0 6 * * 1-5' --timezone Europe/Paris");
    Instant after = SystemClock().now();
    if (!options->after.empty()) {
      const auto parsed = parse_rfc3339(options->after);
      if (!parsed) return session.usage(parsed.error().message, parsed.error().help);
      after = *parsed;
    }
    std::vector<dag::Schedule> schedules;
    if (!options->cron.empty()) {
      const auto cron = dag::parse_cron(options->cron);
      if (!cron) return session.fail(cron.error());
      const auto zone = dag::load_time_zone(options->zone);
      if (!zone) return session.fail(zone.error());
      dag::Schedule schedule;
      schedule.cron = *cron;
      schedule.zone = *zone;
      schedules.push_back(schedule);
    } else {
      const auto file = find_dag(session, options->name);
      if (!file) return session.fail(file.error());
      if (!file->dag) return print_problems(session, *file);
      schedules = file->dag->schedules;
    }
    std::vector<Instant> ticks;
    for (const auto& schedule : schedules) {
      std::optional<Instant> tick = after;
      for (int i = 0; i < options->count && (tick = dag::next_tick(schedule, *tick)); ++i) ticks.push_back(*tick);
    }
    std::sort(ticks.begin(), ticks.end());
    ticks.resize(std::min(ticks.size(), static_cast<std::size_t>(options->count)));
    Value::Array list;
    for (const Instant tick : ticks) list.emplace_back(to_rfc3339(tick));
    if (for_programs(session.format()))
      print_body(session, Value::Object{{"ticks", std::move(list)}}, {"ticks", "", {}});
    else
      for (const Value& tick : list) session.out << tick.as_string() << "\n";
    return kOk;
  };
}

}  // namespace slipway::cli
