// What an attempt is given besides its command: an account, files with secrets. Nothing happens for one that asks for
// neither.
#pragma once

#include <string>

#include "slipway/base/result.h"
#include "slipway/exec/local_executor.h"

namespace slipway::exec {

// Where the attempt's secrets lie while it runs.
[[nodiscard]] std::filesystem::path secret_folder(const LocalOptions& options, const AttemptId& id);

// Checks what is asked for, opens folders and completes the environment. The attempt's workspace and artifacts are
// there. InvalidArgument where trying again would not help.
[[nodiscard]] Result<void> provide(const LocalOptions& options, LaunchSpec& spec);

// What the shim is told: "uid:gid:gid,gid", empty for the daemon's own.
[[nodiscard]] std::string account_of(const LaunchSpec& spec);

}  // namespace slipway::exec
