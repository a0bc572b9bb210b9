// The setup function of every verb. Each stands in cmd_<name>.cc.
#pragma once

#include "cli/command.h"

namespace slipway::cli {

Handler setup_version(CLI::App& app);

}  // namespace slipway::cli
