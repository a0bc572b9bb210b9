#include "cli/app.h"

#include <CLI/CLI.hpp>
#include <ostream>

#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/session.h"
#include "slipway/base/diagnostics.h"

namespace slipway::cli {

void add_globals(CLI::App& app, Globals& globals) {
  app.add_option("-o,--output", globals.output, "table, wide, json, jsonl, yaml or name")
      ->check([](const std::string& text) {
        return kFormats.parse(text) ? std::string()
                                    : "`" + text + "` is no output format; use table, wide, json, jsonl, yaml or name";
      });
  app.add_option("--home", globals.home, "folder of the database, logs and token [SLIPWAY_HOME]");
  app.add_option("--server", globals.server, "address of the daemon [SLIPWAY_SERVER]");
  app.add_option("--timeout", globals.timeout, "give up after this long, e.g. 30s");
  app.add_flag("--no-color", globals.no_color, "no colours [NO_COLOR]");
  app.add_flag("--ascii", globals.ascii, "no characters outside ASCII");
  app.add_flag("-q,--quiet", globals.quiet, "no talk on stderr but errors");
  app.add_flag("-v,--verbose", globals.verbose, "more talk on stderr; repeat for debug");
  app.add_flag("--no-input", globals.no_input, "never ask");
  app.add_flag("-y,--yes", globals.yes, "answer yes to questions");
}

namespace {

std::string last_word(std::string_view path) {
  const auto space = path.rfind(' ');
  return std::string(space == std::string_view::npos ? path : path.substr(space + 1));
}

CLI::App& find_or_add(CLI::App& parent, const std::string& word, const std::string& summary) {
  for (CLI::App* app : parent.get_subcommands([](const CLI::App*) { return true; }))
    if (app->get_name() == word) return *app;
  CLI::App& made = *parent.add_subcommand(word, summary);
  made.fallthrough();  // global options may stand behind the verb
  made.require_subcommand(0, 1);
  return made;
}

struct Verb {
  const Command* command;
  CLI::App* app;
  Handler handler;
};

std::string summary_of(std::string_view path) {
  for (const Group& group : groups())
    if (group.path == path) return std::string(group.summary);
  return "";
}

// What the last word stands below: "auth token" of "auth token create".
CLI::App& add_groups(CLI::App& root, std::string_view path) {
  CLI::App* app = &root;
  for (auto end = path.find(' '); end != std::string_view::npos; end = path.find(' ', end + 1))
    app = &find_or_add(*app, last_word(path.substr(0, end)), summary_of(path.substr(0, end)));
  return *app;
}

std::vector<Verb> add_verbs(CLI::App& root) {
  std::vector<Verb> verbs;
  for (const Command& command : commands()) {
    CLI::App& parent = add_groups(root, command.path);
    CLI::App& app = *parent.add_subcommand(last_word(command.path), std::string(command.summary));
    app.fallthrough();
    if (command.internal) app.group("");
    verbs.push_back({&command, &app, command.setup(app)});
  }
  return verbs;
}

std::vector<std::string> words_below(const CLI::App& app) {
  std::vector<std::string> words;
  for (const CLI::App* child : app.get_subcommands([](const CLI::App*) { return true; }))
    if (!child->get_group().empty()) words.push_back(child->get_name());
  return words;
}

// The deepest verb that was named, to say what was expected there.
const CLI::App& deepest(const CLI::App& root) {
  const CLI::App* app = &root;
  while (!app->get_subcommands().empty()) app = app->get_subcommands().back();
  return *app;
}

int explain_usage(const CLI::App& root, const CLI::ParseError& problem, const std::vector<std::string>& arguments,
                  const Session& session) {
  const CLI::App& at = deepest(root);
  const auto words = words_below(at);
  if (!words.empty()) {
    for (const std::string& argument : arguments) {
      if (argument.rfind('-', 0) == 0 || argument == at.get_name()) continue;
      if (const auto near = nearest(argument, words))
        return session.usage(
            "`" + argument + "` is no command of `slipway" + (&at == &root ? "" : " " + at.get_name()) + "`",
            "did you mean `" + *near + "`?");
    }
  }
  std::string name = "slipway";
  for (const CLI::App* app = &root; !app->get_subcommands().empty(); app = app->get_subcommands().back())
    name += " " + app->get_subcommands().back()->get_name();
  return session.usage(problem.what(), "`" + name + " --help` lists what it takes");
}

}  // namespace

int run(const std::vector<std::string>& arguments, Session& session) {
  CLI::App root("slipway takes a model from data to a served endpoint, and does it again every day", "slipway");
  root.require_subcommand(0, 1);
  root.set_help_flag("-h,--help", "what this command does and takes");
  bool version = false;
  root.add_flag("--version", version, "print the version");
  add_globals(root, session.globals);
  const auto verbs = add_verbs(root);
  try {
    std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
    root.parse(std::move(reversed));
  } catch (const CLI::CallForHelp&) {
    session.out << deepest(root).help();
    return kOk;
  } catch (const CLI::ParseError& problem) {
    return explain_usage(root, problem, arguments, session);
  }
  if (version) return run({"version"}, session);
  for (const Verb& verb : verbs)
    if (verb.app->parsed()) return verb.handler(session);
  const CLI::App& at = deepest(root);
  session.out << at.help();
  return arguments.empty() || &at != &root ? kOk : kUsage;
}

}  // namespace slipway::cli
