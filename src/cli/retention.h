// How long the server keeps runs that are over.
#pragma once

#include "cli/config.h"
#include "slipway/engine/prune.h"

namespace slipway::cli {

// From the settings retention_runs and retention_age; InvalidArgument, naming the setting and where it was made.
[[nodiscard]] Result<engine::Retention> retention_from(const Config& config);

}  // namespace slipway::cli
