// What stands in front of the command of a task with `inputs`: it fetches them, then becomes the command.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <filesystem>
#include <ostream>

#include "cli/bring.h"
#include "cli/session.h"
#include "cli/verbs.h"
#include "slipway/base/step.h"
#include "slipway/base/value.h"
#include "slipway/steps/ending.h"
#include "slipway/steps/fetch.h"

namespace slipway::cli {
namespace {

// As the engine names the variable that holds the path.
std::string variable_of(std::string_view name) {
  std::string variable = "SLIPWAY_INPUT_";
  for (const char c : name)
    variable += c >= 'a' && c <= 'z'                               ? static_cast<char>(c - 'a' + 'A')
                : (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ? c
                                                                   : '_';
  return variable;
}

// What an earlier attempt left is replaced as a whole.
Result<void> fetch_one(const Session& session, const std::string& name, const std::string& uri) {
  const std::filesystem::path path = session.variable(variable_of(name));
  std::error_code error;
  std::filesystem::remove_all(path, error);
  std::filesystem::create_directories(path.parent_path(), error);
  if (error) return errno_error(path.parent_path().string(), error.value());
  const auto report = bring(session, {uri, path});
  if (!report)
    return Error{report.error().code, "input `" + name + "`: " + report.error().message, report.error().help};
  session.err << "slipway: input `" << name << "`: " << report->byte_count << " bytes from " << uri << "\n";
  return {};
}

Result<void> fetch_all(const Session& session) {
  SLIPWAY_TRY_ASSIGN(const Value inputs, parse_json(session.variable("SLIPWAY_INPUTS")));
  if (!inputs.is_object()) return Error{ErrorCode::InvalidArgument, "SLIPWAY_INPUTS is no map from name to URI", {}};
  for (const auto& [name, uri] : inputs.as_object())
    if (uri.is_string()) SLIPWAY_TRY(fetch_one(session, name, uri.as_string()));
  return {};
}

int become(const Session& session, const std::vector<std::string>& words) {
  std::vector<char*> argv;
  for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  session.err.flush();
  // This program ignores it, and exec would hand that on.
  std::signal(SIGPIPE, SIG_DFL);
  ::execvp(argv[0], argv.data());
  const int why = errno;
  session.err << "slipway: program `" << words.front() << "`: " << errno_error("", why).message << "\n";
  return why == ENOENT ? 127 : 126;
}

}  // namespace

Handler setup_fetch_inputs(CLI::App& app) {
  auto command = std::make_shared<std::vector<std::string>>();
  app.add_option("command", *command, "the command and its arguments, behind --")->required();
  return [command](Session& session) {
    const auto fetched = fetch_all(session);
    if (fetched) return become(session, *command);
    return steps::end_step({session.out, session.err, session.variable("SLIPWAY_OUTPUT")},
                           Result<Value>(fetched.error()));
  };
}

}  // namespace slipway::cli
