// A verb is a value: its words, one line of help, and a function that declares its options and returns its handler.
// One file per verb (cmd_<verb>.cc), one row in commands.cc. Handlers parse, call, print; logic lives in the layers
// below.
#pragma once

#include <functional>
#include <span>
#include <string_view>

namespace CLI {
class App;
}

namespace slipway::cli {

class Session;

// Runs the verb after its options were read; returns the exit code (exit_code.h).
using Handler = std::function<int(Session&)>;

struct Command {
  std::string_view path;     // "run start"
  std::string_view summary;  // one line, lower case, no full stop
  Handler (*setup)(CLI::App& app);
  bool internal = false;  // left out of help and completion
};

// Every verb, in the order of help.
[[nodiscard]] std::span<const Command> commands();

// One line per group of verbs ("run", "runs of a DAG").
struct Group {
  std::string_view path;
  std::string_view summary;
};
[[nodiscard]] std::span<const Group> groups();

}  // namespace slipway::cli
