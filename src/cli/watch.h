// Following a run, or what else goes on by itself, until it is over.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "cli/session.h"

namespace slipway::cli {

// Shows the run while it goes on: a tree redrawn in place on a terminal, otherwise a line per change; where the output
// is for programs, only how it ended. Returns the run's
// exit code (0, 1, 9), 8 when --timeout passed, 130 on Ctrl-C (the run goes on; a second line says how to stop it).
[[nodiscard]] int watch_run(Session& session, const std::string& run);
// The same without showing anything.
[[nodiscard]] int wait_for_run(Session& session, const std::string& run);
// The same, and then the run as --output says.
[[nodiscard]] int wait_and_print(Session& session, const std::string& run);
// The same, showing what its tasks write, a line "task | text" each, in the order of arrival.
[[nodiscard]] int follow_logs(Session& session, const std::string& run);

// Looks again and again at something that goes on by itself, until `look` gives an exit code, --timeout passes (8) or
// Ctrl-C comes (130, and a line that says how to stop it). At most a fifth of the time is spent on looking. `kind` is
// "run" or "backfill"; `id` may become known with the first look.
using Look = std::function<Result<std::optional<int>>()>;
[[nodiscard]] int look_until_over(Session& session, const std::string& kind, const std::string& id, const Look& look);

// The run of an API body {"run", "tasks"}, as --output says. Always 0.
int print_run(Session& session, const Value& body);

}  // namespace slipway::cli
