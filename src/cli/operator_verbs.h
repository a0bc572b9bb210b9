// The setup functions of verbs for whoever runs a daemon; verbs.h has those of its users.
#pragma once

#include "cli/command.h"

namespace slipway::cli {

Handler setup_dag_render(CLI::App& app);
Handler setup_service_get(CLI::App& app);
Handler setup_service_logs(CLI::App& app);
Handler setup_config_lint(CLI::App& app);
Handler setup_debug_bundle(CLI::App& app);
Handler setup_man(CLI::App& app);

}  // namespace slipway::cli
