// argv -> verb -> exit code. The only entry point; main.cc calls it with the process's own streams.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace slipway::cli {

class Session;
struct Globals;

// `arguments` without the program's name.
int run(const std::vector<std::string>& arguments, Session& session);

// Declares the options that every verb takes.
void add_globals(CLI::App& app, Globals& globals);

}  // namespace slipway::cli
