#include "kube/requests.h"

namespace slipway::kube {
namespace {

using Headers = std::vector<std::pair<std::string, std::string>>;

void add_impersonation(const Impersonation& as, Headers& headers) {
  if (as.user.empty()) return;
  headers.emplace_back("Impersonate-User", as.user);
  if (!as.uid.empty()) headers.emplace_back("Impersonate-Uid", as.uid);
  for (const std::string& group : as.groups) headers.emplace_back("Impersonate-Group", group);
  for (const auto& [key, value] : as.extra)
    headers.emplace_back("Impersonate-Extra-" + http::percent_encode(key), value);
}

}  // namespace

Target target_of(const ClusterConfig& cluster) {
  if (cluster.tls_server_name.empty()) return {cluster.server, "", ""};
  const auto host_at = cluster.server.find("://") + 3;
  const auto host_end = std::min(cluster.server.find('/', host_at), cluster.server.size());
  const std::string authority = cluster.server.substr(host_at, host_end - host_at);
  const auto colon = authority.rfind(':');
  const bool has_port = colon != std::string::npos && authority.find(']', colon) == std::string::npos;
  const std::string port = has_port ? authority.substr(colon) : ":443";
  return {cluster.server.substr(0, host_at) + cluster.tls_server_name + port + cluster.server.substr(host_end),
          has_port ? authority : authority + port, authority};
}

http::StreamCall make_request(const ClientConfig& config, const Target& target, const ApiCall& call,
                              const Identity& identity, const std::string& user_agent) {
  http::StreamCall out;
  out.method = call.method;
  out.url = target.base + call.target();
  out.body = call.body;
  out.connect_to = target.connect_to;
  out.proxy = config.cluster.proxy_url;
  out.no_proxy = config.cluster.no_proxy;
  out.own_connection = call.verb == Verb::Watch || call.verb == Verb::Log;
  out.compressed = !out.own_connection && !config.cluster.disable_compression;
  out.timeout = call.timeout;
  if (!target.host.empty()) out.headers.emplace_back("Host", target.host);
  out.headers.emplace_back("User-Agent", user_agent);
  if (call.verb != Verb::Log) out.headers.emplace_back("Accept", "application/json");
  if (!call.content_type.empty()) out.headers.emplace_back("Content-Type", call.content_type);
  if (!identity.token.empty()) out.headers.emplace_back("Authorization", "Bearer " + identity.token.reveal());
  add_impersonation(config.user.impersonate, out.headers);
  return out;
}

Failure failure_of_error(const Error& error, bool sent) {
  Failure failure;
  failure.message = error.message;
  failure.kind = sent ? FailureKind::Interrupted : FailureKind::Unreachable;
  if (error.code == ErrorCode::TooLarge) failure.kind = FailureKind::TooLarge;
  if (error.code == ErrorCode::InvalidArgument || error.code == ErrorCode::Unauthorized)
    failure.kind = FailureKind::Misconfigured;
  if (failure.kind == FailureKind::Misconfigured && !error.help.empty()) failure.message += " (" + error.help + ")";
  return failure;
}

}  // namespace slipway::kube
