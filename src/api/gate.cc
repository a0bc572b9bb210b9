#include "api/gate.h"

#include <algorithm>

#include "api/words.h"

namespace slipway::api {
namespace {

// The host without its port: "localhost:8080" -> "localhost", "[::1]:8080" -> "[::1]".
std::string_view host_name(std::string_view host) {
  const auto colon = host.rfind(':');
  const auto bracket = host.rfind(']');
  const bool has_port = colon != std::string_view::npos && (bracket == std::string_view::npos || bracket < colon);
  return has_port ? host.substr(0, colon) : host;
}

// Every name in `given` is one of `known`, and those without ? are there.
Result<void> check_names(const std::vector<std::string>& given, std::string_view known, std::string_view what) {
  std::vector<std::string> names, missing;
  for (std::string name : words(known)) {
    const bool optional = name.back() == '?';
    if (optional) name.pop_back();
    if (!optional && std::find(given.begin(), given.end(), name) == given.end()) missing.push_back(name);
    names.push_back(std::move(name));
  }
  for (const auto& name : given)
    if (std::find(names.begin(), names.end(), name) == names.end())
      return Error{ErrorCode::InvalidArgument, "`" + name + "` is no " + std::string(what) + " of this route",
                   names.empty() ? "it takes none" : "it takes: " + join(names)};
  // A name that is not known may be the missing one, misspelt: it is told first.
  if (!missing.empty())
    return Error{ErrorCode::InvalidArgument, std::string(what) + " `" + missing.front() + "` is missing", {}};
  return {};
}

}  // namespace

Result<void> check_origin(const http::Request& request, const std::vector<std::string>& hosts) {
  const std::string host = request.header("Host");
  if (std::find(hosts.begin(), hosts.end(), host_name(host)) == hosts.end())
    return Error{ErrorCode::Forbidden, "host `" + host + "` is not one this server answers to",
                 "use one of: " + join(hosts)};
  const std::string origin = request.header("Origin");
  const bool foreign = !origin.empty() && origin != "http://" + host && origin != "https://" + host;
  const bool cross_site = request.header("Sec-Fetch-Site") == "cross-site";
  if (foreign || cross_site) return Error{ErrorCode::Forbidden, "the request comes from a page of another site", {}};
  return {};
}

Result<vault::Identity> identify(const http::Request& request, const Backend& backend) {
  constexpr std::string_view kScheme = "Bearer ";
  const std::string header = request.header("Authorization");
  if (header.compare(0, kScheme.size(), kScheme) != 0)
    return Error{ErrorCode::Unauthorized, "the request carries no token",
                 "send `Authorization: Bearer TOKEN`; the token of this machine's daemon is in <home>/token"};
  SLIPWAY_TRY_ASSIGN(const auto records, backend.store.blobs("token"));
  return vault::authenticate(std::string_view(header).substr(kScheme.size()), records, backend.clock.now());
}

Result<void> check_request(const Route& route, const Call& call) {
  std::vector<std::string> query;
  for (const auto& [name, text] : call.request.query) query.push_back(name);
  SLIPWAY_TRY(check_names(query, route.query, "query parameter"));
  std::vector<std::string> members;
  for (const auto& [name, value] : call.body.as_object()) members.push_back(name);
  return check_names(members, route.body, "member");
}

}  // namespace slipway::api
