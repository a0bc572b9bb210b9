// What is said to a credential plugin and what its answer means; pure.
#pragma once

#include <string>
#include <string_view>

#include "slipway/kube/credentials.h"

namespace slipway::kube {

// KUBERNETES_EXEC_INFO: an ExecCredential with its spec.
[[nodiscard]] std::string exec_info(const ClientConfig& config, std::string_view ca_pem);

// The plugin's environment: the daemon's, the config's on top, and exec_info.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> exec_environment(const Environment& daemon,
                                                                                const ExecConfig& exec,
                                                                                std::string info);

// An ExecCredential with its status. Errors name the plugin and what is wrong with its answer.
[[nodiscard]] Result<Identity> read_exec_reply(const ExecConfig& exec, std::string_view output);

// A plugin that did not end well; its last words and the install hint are in it.
[[nodiscard]] Error exec_failure(const ExecConfig& exec, const Result<ProgramEnd>& end);

}  // namespace slipway::kube
