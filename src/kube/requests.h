// An ApiCall as an HTTP request to the cluster of a config.
#pragma once

#include <memory>
#include <string>

#include "slipway/http/loop.h"
#include "slipway/kube/api.h"
#include "slipway/kube/credentials.h"

namespace slipway::kube {

// The parts of a request that are the same for every call.
struct Target {
  std::string base;        // "https://h:6443/prefix"
  std::string connect_to;  // with tls-server-name: where it really is
  std::string host;        // the Host header then
};
[[nodiscard]] Target target_of(const ClusterConfig& cluster);

[[nodiscard]] http::StreamCall make_request(const ClientConfig& config, const Target& target, const ApiCall& call,
                                            const Identity& identity, const std::string& user_agent);

// A request without a reply. `sent` is false if the server has surely not seen it.
[[nodiscard]] Failure failure_of_error(const Error& error, bool sent);

}  // namespace slipway::kube
