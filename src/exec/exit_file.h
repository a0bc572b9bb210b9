// The end of an attempt as its shim wrote it down.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "slipway/exec/executor.h"

namespace slipway::exec {

struct Ending {
  std::string process;                // "pid:start_ticks" of the shim, without the boot
  std::optional<Instant> started_at;  // nullopt: the command never ran
  Report report;                      // Exited, LaunchFailed, or Lost if the file cannot be understood
};

// nullopt while there is no file `exit`.
[[nodiscard]] std::optional<Ending> read_ending(const std::filesystem::path& home, const AttemptId& id);

}  // namespace slipway::exec
