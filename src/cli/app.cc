#include "cli/app.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <optional>
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

// "slipway run start" of the deepest verb that was named.
std::string named_so_far(const CLI::App& root) {
  std::string name = "slipway";
  for (const CLI::App* app = &root; !app->get_subcommands().empty(); app = app->get_subcommands().back())
    name += " " + app->get_subcommands().back()->get_name();
  return name;
}

// The long options that may stand there, with those of every verb.
std::vector<std::string> options_at(const CLI::App& at, const CLI::App& root) {
  std::vector<std::string> names;
  for (const CLI::App* app : {&at, &root})
    for (const CLI::Option* option : app->get_options())
      for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  return names;
}

std::string did_you_mean(const std::string& word, const std::vector<std::string>& known, const std::string& otherwise) {
  const auto near = nearest(word, known);
  return near ? "did you mean `" + *near + "`?" : otherwise;
}

// The first argument that nothing took, if any.
std::optional<std::string> left_over(const CLI::App& root, const std::vector<std::string>& arguments) {
  const auto left = root.remaining(true);
  for (const std::string& argument : arguments)
    if (std::find(left.begin(), left.end(), argument) != left.end()) return argument;
  return std::nullopt;
}

// One sentence for what nobody takes: a command that does not exist, an option, or an argument too many.
int explain_left_over(const CLI::App& root, const std::string& argument, const Session& session) {
  const CLI::App& at = deepest(root);
  const std::string name = named_so_far(root);
  const std::string list = "`" + name + " --help` lists what it takes";
  if (argument.rfind('-', 0) == 0) {
    const std::string option = argument.substr(0, argument.find('='));
    return session.usage("`" + option + "` is no option of `" + name + "`",
                         did_you_mean(option, options_at(at, root), list));
  }
  const auto words = words_below(at);
  if (words.empty()) return session.usage("`" + argument + "` is one argument too many for `" + name + "`", list);
  return session.usage("`" + argument + "` is no command of `" + name + "`",
                       did_you_mean(argument, words, "`" + name + " --help` lists its commands"));
}

int explain_usage(const CLI::App& root, const CLI::ParseError& problem, const std::vector<std::string>& arguments,
                  const Session& session) {
  if (const auto argument = left_over(root, arguments)) return explain_left_over(root, *argument, session);
  return session.usage(problem.what(), "`" + named_so_far(root) + " --help` lists what it takes");
}

}  // namespace

int run(const std::vector<std::string>& arguments, Session& session) {
  CLI::App root("slipway takes a model from data to a served endpoint, and does it again every day", "slipway");
  root.require_subcommand(0, 1);
  root.set_help_flag("-h,--help", "what this command does and takes");
  bool version = false;
  root.add_flag("--version", version, "print the version");
  add_globals(root, session.globals);
  root.footer("Options of every command: slipway --help");  // of the verbs, which take it over
  const auto verbs = add_verbs(root);
  root.footer("slipway NOUN VERB --help: what a command takes; slipway help: topics");
  try {
    std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
    root.parse(std::move(reversed));
  } catch (const CLI::CallForHelp&) {
    const auto unknown = left_over(root, arguments);
    if (unknown && !words_below(deepest(root)).empty()) return explain_left_over(root, *unknown, session);
    session.out << root.help();
    return kOk;
  } catch (const CLI::ParseError& problem) {
    return explain_usage(root, problem, arguments, session);
  }
  if (version) return run({"version"}, session);
  for (const Verb& verb : verbs)
    if (verb.app->parsed()) return verb.handler(session);
  const CLI::App& at = deepest(root);
  session.out << root.help();
  return arguments.empty() || &at != &root ? kOk : kUsage;
}

}  // namespace slipway::cli
