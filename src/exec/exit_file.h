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

// nullopt while there is no file `exit`; an error if that cannot be told now (no descriptor left, no permission).
[[nodiscard]] Result<std::optional<Ending>> read_ending(const std::filesystem::path& home, const AttemptId& id);

}  // namespace slipway::exec
