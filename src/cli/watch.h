// Following a run until it is over.
#pragma once

#include <string>

#include "cli/session.h"

namespace slipway::cli {

// Shows the run while it goes on: a tree redrawn in place on a terminal, otherwise a line per change. Returns the run's
// exit code (0, 1, 9), 8 when --timeout passed, 130 on Ctrl-C (the run goes on; a second line says how to stop it).
[[nodiscard]] int watch_run(Session& session, const std::string& run);

}  // namespace slipway::cli
