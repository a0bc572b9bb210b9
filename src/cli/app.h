// argv -> verb -> exit code. The only entry point; main.cc calls it with the process's own streams.
#pragma once

#include <string>
#include <vector>

namespace slipway::cli {

class Session;

// `arguments` without the program's name.
int run(const std::vector<std::string>& arguments, Session& session);

}  // namespace slipway::cli
