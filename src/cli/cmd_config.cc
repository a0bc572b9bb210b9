#include <CLI/CLI.hpp>
#include <algorithm>
#include <ostream>

#include "cli/config.h"
#include "cli/exit_code.h"
#include "cli/print.h"
#include "cli/session.h"
#include "cli/verbs.h"

namespace slipway::cli {

Handler setup_config_list(CLI::App& app) {
  auto origins = std::make_shared<bool>(false);
  app.add_flag("--show-origin", *origins, "also where each value comes from");
  return [origins](Session& session) {
    const auto config = Config::load(session.env);
    if (!config) return session.fail(config.error());
    Value::Array settings;
    for (const Setting& setting : kSettings) {
      const Resolved resolved = config->get(setting.name);
      settings.push_back(Value::Object{
          {"name", setting.name}, {"value", resolved.value}, {"origin", resolved.origin}, {"doc", setting.doc}});
    }
    print_body(session, Value::Object{{"settings", settings}},
               {"settings", "name", [&](const Value& body, bool wide) {
                  const bool with_origin = *origins || wide;
                  Table table(with_origin ? std::vector<std::string>{"SETTING", "VALUE", "ORIGIN"}
                                          : std::vector<std::string>{"SETTING", "VALUE"});
                  for (const Value& item : body.find("settings")->as_array()) {
                    std::vector<std::string> row{item.get_string("name"), item.get_string("value")};
                    if (with_origin) row.push_back(item.get_string("origin"));
                    table.add(row);
                  }
                  return table;
                }});
    return kOk;
  };
}

Handler setup_config_get(CLI::App& app) {
  auto name = std::make_shared<std::string>();
  app.add_option("setting", *name, "name of the setting")->required();
  return [name](Session& session) {
    const auto known =
        std::any_of(kSettings.begin(), kSettings.end(), [&](const Setting& s) { return s.name == *name; });
    if (!known)
      return session.fail({ErrorCode::NotFound, "`" + *name + "` is no setting", "`slipway config list` shows all"});
    const auto config = Config::load(session.env);
    if (!config) return session.fail(config.error());
    const Resolved resolved = config->get(*name);
    if (for_programs(session.format()))
      print_body(session, Value::Object{{"name", *name}, {"value", resolved.value}, {"origin", resolved.origin}},
                 {"", "value", {}});
    else
      session.out << resolved.value << "\n";
    return kOk;
  };
}

namespace {

Value lint_report(const std::vector<ConfigFile>& files) {
  Value::Array reports;
  for (const ConfigFile& file : files) {
    Value::Array problems;
    for (const Diagnostic& problem : file.problems.items()) problems.push_back(to_value(problem, file.source.name));
    reports.push_back(Value::Object{
        {"file", file.source.name}, {"valid", !file.problems.has_errors()}, {"diagnostics", std::move(problems)}});
  }
  return Value::Object{{"files", std::move(reports)}};
}

void print_lint(Session& session, const std::vector<ConfigFile>& files) {
  for (const ConfigFile& file : files) {
    for (const Diagnostic& problem : file.problems.items()) session.out << render(problem, file.source) << "\n";
    if (!file.problems.has_errors() && !session.globals.quiet) session.out << file.source.name << ": no mistakes\n";
  }
  if (!files.empty() || session.globals.quiet) return;
  session.out << "no config file; these were looked for:\n";
  for (const std::string& path : config_files(session.env)) session.out << "  " << path << "\n";
}

int lint(Session& session) {
  const auto files = check_config_files(session.env);
  if (!files) return session.fail(files.error());
  if (session.format() == Format::Table || session.format() == Format::Wide)
    print_lint(session, *files);
  else
    print_body(session, lint_report(*files), {"files", "file", {}});
  const bool wrong =
      std::any_of(files->begin(), files->end(), [](const ConfigFile& file) { return file.problems.has_errors(); });
  return wrong ? kInvalid : kOk;
}

}  // namespace

Handler setup_config_lint(CLI::App&) { return lint; }

}  // namespace slipway::cli
