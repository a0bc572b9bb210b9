// The process: its streams, its environment, its arguments. Everything else is below cli::run.
#include <unistd.h>

#include <csignal>
#include <iostream>

#include "cli/app.h"
#include "cli/session.h"

namespace {

std::map<std::string, std::string> environment() {
  std::map<std::string, std::string> env;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const auto equals = text.find('=');
    if (equals != std::string_view::npos) env.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return env;
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // a closed pipe is a write error, not a death
  slipway::cli::Session session(std::cout, std::cerr, environment());
  session.out_is_terminal = isatty(STDOUT_FILENO) == 1;
  session.err_is_terminal = isatty(STDERR_FILENO) == 1;
  const int code = slipway::cli::run(std::vector<std::string>(argv + 1, argv + argc), session);
  std::cout.flush();
  return code;
}
