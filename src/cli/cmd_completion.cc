// completion: made from the command table.
#include <CLI/CLI.hpp>
#include <map>
#include <ostream>
#include <set>
#include <sstream>

#include "cli/exit_code.h"
#include "cli/session.h"
#include "cli/verbs.h"

namespace slipway::cli {
namespace {

// The words that may follow what was typed: "" -> dag, run, …; "auth token" -> create, list, revoke.
std::map<std::string, std::set<std::string>> words() {
  std::map<std::string, std::set<std::string>> next;
  for (const Command& command : commands()) {
    if (command.internal) continue;
    const std::string path(command.path);
    std::size_t begin = 0;
    for (auto end = path.find(' '); end != std::string::npos; begin = end + 1, end = path.find(' ', begin))
      next[path.substr(0, begin == 0 ? 0 : begin - 1)].insert(path.substr(begin, end - begin));
    next[path.substr(0, begin == 0 ? 0 : begin - 1)].insert(path.substr(begin));
  }
  return next;
}

std::string joined(const std::set<std::string>& parts) {
  std::string out;
  for (const auto& part : parts) out += (out.empty() ? "" : " ") + part;
  return out;
}

std::string bash_script() {
  std::string out =
      "_slipway() {\n  local cur=${COMP_WORDS[COMP_CWORD]}\n  local IFS=$' \\n'\n"
      "  case \"${COMP_WORDS[*]:1:COMP_CWORD-1}\" in\n";
  for (const auto& [before, next] : words())
    out += "    '" + before + "') COMPREPLY=($(compgen -W \"" + joined(next) + "\" -- \"$cur\")) ;;\n";
  return out + "    *) COMPREPLY=($(compgen -f -- \"$cur\")) ;;\n  esac\n}\ncomplete -F _slipway slipway\n";
}

std::string zsh_script() {
  std::string out = "#compdef slipway\n_slipway() {\n  case \"${(j: :)words[2,CURRENT-1]}\" in\n";
  for (const auto& [before, next] : words()) out += "    '" + before + "') compadd " + joined(next) + " ;;\n";
  return out + "    *) _files ;;\n  esac\n}\ncompdef _slipway slipway\n";
}

// "__fish_seen_subcommand_from auth; and __fish_seen_subcommand_from token"
std::string fish_condition(const std::string& before) {
  if (before.empty()) return "__fish_use_subcommand";
  std::istringstream parts(before);
  std::string out;
  for (std::string word; parts >> word;) out += (out.empty() ? "" : "; and ") + ("__fish_seen_subcommand_from " + word);
  return out;
}

std::string fish_script() {
  std::string out;
  const auto line = [&](std::string_view path, std::string_view summary) {
    std::string quoted;
    for (const char c : summary) quoted += c == '\'' ? "\\'" : std::string(1, c);
    const auto space = path.rfind(' ');
    const std::string before(space == std::string_view::npos ? "" : path.substr(0, space));
    out += "complete -c slipway -n '" + fish_condition(before) + "' -a " + std::string(path.substr(space + 1)) +
           " -d '" + quoted + "'\n";
  };
  for (const Command& command : commands())
    if (!command.internal) line(command.path, command.summary);
  for (const Group& group : groups()) line(group.path, group.summary);
  return out;
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

}  // namespace slipway::cli
