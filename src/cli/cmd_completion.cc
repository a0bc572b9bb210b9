// completion and help topics: both are made from the command table.
#include <CLI/CLI.hpp>
#include <map>
#include <ostream>
#include <set>

#include "cli/exit_code.h"
#include "cli/session.h"
#include "cli/verbs.h"

namespace slipway::cli {
namespace {

// First words, and second words by group.
std::map<std::string, std::set<std::string>> words() {
  std::map<std::string, std::set<std::string>> words;
  for (const Command& command : commands()) {
    if (command.internal) continue;
    const std::string path(command.path);
    const auto space = path.find(' ');
    words[path.substr(0, space)];
    if (space != std::string::npos) words[path.substr(0, space)].insert(path.substr(space + 1));
  }
  return words;
}

std::string joined(const std::set<std::string>& parts) {
  std::string out;
  for (const auto& part : parts) out += (out.empty() ? "" : " ") + part;
  return out;
}

std::set<std::string> first_words() {
  std::set<std::string> first;
  for (const auto& [word, second] : words()) first.insert(word);
  return first;
}

std::string bash_script() {
  std::string out =
      "_slipway() {\n  local cur=${COMP_WORDS[COMP_CWORD]}\n  case $COMP_CWORD in\n    1) COMPREPLY=($(compgen -W \"" +
      joined(first_words()) + "\" -- \"$cur\")) ;;\n    2) case ${COMP_WORDS[1]} in\n";
  for (const auto& [word, second] : words())
    if (!second.empty())
      out += "      " + word + ") COMPREPLY=($(compgen -W \"" + joined(second) + "\" -- \"$cur\")) ;;\n";
  return out +
         "      *) COMPREPLY=($(compgen -f -- \"$cur\")) ;;\n    esac ;;\n    *) COMPREPLY=($(compgen -f -- \"$cur\")) "
         ";;\n  esac\n}\ncomplete -F _slipway slipway\n";
}

std::string zsh_script() {
  std::string out = "#compdef slipway\n_slipway() {\n  case $CURRENT in\n    2) compadd " + joined(first_words()) +
                    " ;;\n    3) case $words[2] in\n";
  for (const auto& [word, second] : words())
    if (!second.empty()) out += "      " + word + ") compadd " + joined(second) + " ;;\n";
  return out + "      *) _files ;;\n    esac ;;\n    *) _files ;;\n  esac\n}\ncompdef _slipway slipway\n";
}

std::string fish_script() {
  std::string out;
  for (const Command& command : commands()) {
    if (command.internal) continue;
    const std::string path(command.path);
    const auto space = path.find(' ');
    const std::string when =
        space == std::string::npos ? "__fish_use_subcommand" : "__fish_seen_subcommand_from " + path.substr(0, space);
    out += "complete -c slipway -n '" + when + "' -a " + (space == std::string::npos ? path : path.substr(space + 1)) +
           " -d '" + std::string(command.summary) + "'\n";
  }
  for (const Group& group : groups())
    out += "complete -c slipway -n __fish_use_subcommand -a " + std::string(group.path) + " -d '" +
           std::string(group.summary) + "'\n";
  return out;
}

int print_exit_codes(Session& session) {
  for (const ExitCode& code : kExitCodes) {
    const std::string number = std::to_string(code.number);
    session.out << std::string(4 - number.size(), ' ') << number << "  " << code.name
                << std::string(14 - code.name.size(), ' ') << code.doc << "\n";
  }
  return kOk;
}

int print_environment(Session& session) {
  session.out << "Read by slipway:\n"
                 "  SLIPWAY_HOME      folder of the database, logs and token\n"
                 "  SLIPWAY_SERVER    address of the daemon, e.g. http://127.0.0.1:8480\n"
                 "  SLIPWAY_TOKEN     token for the API; default the home's token file\n"
                 "  NO_COLOR          no colours\n"
                 "  XDG_STATE_HOME    where the default home lies\n\n"
                 "Given to every task: SLIPWAY_DAG, SLIPWAY_RUN, SLIPWAY_TASK, SLIPWAY_MAP_INDEX, SLIPWAY_ATTEMPT, "
                 "SLIPWAY_ATTEMPT_ID,\n"
                 "SLIPWAY_LOGICAL_DATE, SLIPWAY_INTERVAL_START, SLIPWAY_INTERVAL_END, SLIPWAY_OUTPUT, "
                 "SLIPWAY_WORKSPACE, SLIPWAY_ARTIFACTS,\n"
                 "SLIPWAY_URL, SLIPWAY_PARAM_<NAME>, TRACEPARENT; docs/dag-format.md says what each holds.\n";
  return kOk;
}

}  // namespace

Handler setup_completion(CLI::App& app) {
  auto shell = std::make_shared<std::string>();
  app.add_option("shell", *shell, "bash, zsh or fish")->required()->check(CLI::IsMember({"bash", "zsh", "fish"}));
  return [shell](Session& session) {
    session.out << (*shell == "bash" ? bash_script() : *shell == "zsh" ? zsh_script() : fish_script());
    return kOk;
  };
}

Handler setup_help(CLI::App& app) {
  auto topic = std::make_shared<std::string>();
  app.add_option("topic", *topic, "exit-codes or environment")
      ->required()
      ->check(CLI::IsMember({"exit-codes", "environment"}));
  return [topic](Session& session) {
    return *topic == "exit-codes" ? print_exit_codes(session) : print_environment(session);
  };
}

}  // namespace slipway::cli
