// What every request passes before its handler: where it comes from, whom it speaks for, what it carries.
#pragma once

#include <string>
#include <vector>

#include "api/call.h"

namespace slipway::api {

// Forbidden for a page of another site in the browser of somebody who may: a rebound DNS name shows in Host, a foreign
// page in Origin or Sec-Fetch-Site.
[[nodiscard]] Result<void> check_origin(const http::Request& request, const std::vector<std::string>& hosts);
// Unauthorized without a valid bearer token.
[[nodiscard]] Result<vault::Identity> identify(const http::Request& request, const Backend& backend);
// InvalidArgument for a query parameter or member that the route does not know, or lacks one it needs.
[[nodiscard]] Result<void> check_request(const Route& route, const Call& call);

}  // namespace slipway::api
