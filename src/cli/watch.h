// Following a run until it is over.
#pragma once

#include <string>

#include "cli/session.h"

namespace slipway::cli {

// Shows the run while it goes on: a tree redrawn in place on a terminal, otherwise a line per change. Returns the run's
// exit code (0, 1, 9), 8 when --timeout passed, 130 on Ctrl-C (the run goes on; a second line says how to stop it).
[[nodiscard]] int watch_run(Session& session, const std::string& run);
// The same without showing anything.
[[nodiscard]] int wait_for_run(Session& session, const std::string& run);
// The same, showing what its tasks write, a line "task | text" each, in the order of arrival.
[[nodiscard]] int follow_logs(Session& session, const std::string& run);

// The run of an API body {"run", "tasks"}, as --output says. Always 0.
int print_run(Session& session, const Value& body);

}  // namespace slipway::cli
