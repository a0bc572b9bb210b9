#include "kube/exec_plugin.h"

#include "slipway/base/base64.h"
#include "slipway/base/value.h"

namespace slipway::kube {
namespace {

constexpr Duration kRefreshBefore = std::chrono::minutes(1);

Error bad_reply(const ExecConfig& exec, std::string_view what) {
  return {ErrorCode::Unauthorized, "credential plugin `" + exec.command + "`: " + std::string(what),
          "run it by hand, with its arguments"};
}

Value cluster_info(const ClientConfig& config, std::string_view ca_pem) {
  const ClusterConfig& cluster = config.cluster;
  Value info(Value::Object{{"server", cluster.server}});
  if (!cluster.tls_server_name.empty()) info["tls-server-name"] = cluster.tls_server_name;
  if (cluster.insecure_skip_tls_verify) info["insecure-skip-tls-verify"] = true;
  if (!ca_pem.empty()) info["certificate-authority-data"] = to_base64(ca_pem);
  if (!cluster.proxy_url.empty()) info["proxy-url"] = cluster.proxy_url;
  if (!config.user.exec.cluster_extra.empty())
    if (auto extra = parse_json(config.user.exec.cluster_extra)) info["config"] = *std::move(extra);
  return info;
}

}  // namespace

std::string exec_info(const ClientConfig& config, std::string_view ca_pem) {
  Value spec(Value::Object{{"interactive", false}});
  if (config.user.exec.provide_cluster_info) spec["cluster"] = cluster_info(config, ca_pem);
  return Value(Value::Object{{"apiVersion", std::string(kExecVersions.text(config.user.exec.version))},
                             {"kind", "ExecCredential"},
                             {"spec", std::move(spec)}})
      .dump();
}

std::vector<std::pair<std::string, std::string>> exec_environment(const Environment& daemon, const ExecConfig& exec,
                                                                  std::string info) {
  Environment all = daemon;
  for (const auto& [name, value] : exec.env) all.insert_or_assign(name, value);
  all.insert_or_assign("KUBERNETES_EXEC_INFO", std::move(info));
  return {all.begin(), all.end()};
}

Result<Identity> read_exec_reply(const ExecConfig& exec, std::string_view output) {
  const auto reply = parse_json(output, {.bytes_max = 1U << 20U});
  if (!reply) return bad_reply(exec, "its output is no JSON");
  const std::string_view version = kExecVersions.text(exec.version);
  if (reply->get_string("kind") != "ExecCredential") return bad_reply(exec, "its output is no ExecCredential");
  if (reply->get_string("apiVersion") != version)
    return bad_reply(exec, "it answers in `" + reply->get_string("apiVersion") + "`, the kubeconfig says `" +
                               std::string(version) + "`");
  const Value* status = reply->find("status");
  if (status == nullptr) return bad_reply(exec, "its answer has no status");
  Identity identity;
  identity.token = Secret(status->get_string("token"));
  identity.certificate_pem = status->get_string("clientCertificateData");
  identity.key_pem = Secret(status->get_string("clientKeyData"));
  if (identity.certificate_pem.empty() != identity.key_pem.empty())
    return bad_reply(exec, "its answer has half of a client certificate and its key");
  if (identity.token.empty() && identity.certificate_pem.empty())
    return bad_reply(exec, "its answer has neither a token nor a certificate");
  const std::string expires = status->get_string("expirationTimestamp");
  if (expires.empty()) return identity;
  const auto at = parse_rfc3339(expires);
  if (!at) return bad_reply(exec, "expirationTimestamp `" + expires + "` is no time");
  identity.unusable_at = *at;
  identity.refresh_at = *at - kRefreshBefore;
  return identity;
}

Error exec_failure(const ExecConfig& exec, const Result<ProgramEnd>& end) {
  const std::string hint = exec.install_hint.empty() ? "run it by hand, with its arguments" : exec.install_hint;
  const std::string what = "credential plugin `" + exec.command + "`";
  if (!end) {
    Error error = end.error().in(what);
    error.help = hint;
    return error;
  }
  std::string last = end->errors;
  while (!last.empty() && last.back() == '\n') last.pop_back();
  if (const auto line = last.rfind('\n'); line != std::string::npos) last.erase(0, line + 1);
  return {ErrorCode::Unauthorized,
          what + " ended with exit code " + std::to_string(end->exit_code) + (last.empty() ? "" : ": " + last), hint};
}

}  // namespace slipway::kube
