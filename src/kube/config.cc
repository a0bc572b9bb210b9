#include "slipway/kube/config.h"

#include <algorithm>

#include "kube/kubeconfig.h"
#include "slipway/base/base64.h"
#include "slipway/base/file.h"

namespace slipway::kube {
namespace {

constexpr std::string_view kMetadataHost = "metadata.google.internal";

std::string from_environment(const LoadOptions& options, std::string_view name) {
  const auto it = options.environment.find(name);
  return it == options.environment.end() ? std::string() : it->second;
}

bool starts_with(std::string_view text, std::string_view head) { return text.substr(0, head.size()) == head; }

// `https://host:6443/` -> `https://host:6443`
Result<std::string> server_url(const Field& field) {
  SLIPWAY_TRY_ASSIGN(std::string url, field.text());
  if (!starts_with(url, "https://") && !starts_with(url, "http://"))
    return field.error(ErrorCode::InvalidArgument, url.empty() ? "is missing" : "`" + url + "` is no URL",
                       "write https://HOST:PORT");
  while (url.back() == '/') url.pop_back();
  return url;
}

bool is_loopback(std::string_view url) {
  constexpr std::string_view kHosts[] = {"http://127.", "http://localhost", "http://[::1]"};
  return std::any_of(std::begin(kHosts), std::end(kHosts), [&](auto host) { return starts_with(url, host); });
}

// `NAME-data` as base64, or the file `NAME`.
Result<PemSource> pem(const Field& owner, std::string_view name) {
  PemSource out;
  const Field field = owner[std::string(name) + "-data"];
  SLIPWAY_TRY_ASSIGN(std::string data, field.text());
  std::erase_if(data, [](char c) { return c == '\n' || c == '\r' || c == ' '; });
  if (data.empty()) {
    SLIPWAY_TRY_ASSIGN(out.file, owner[name].path());
    return out;
  }
  auto bytes = from_base64(data);
  if (!bytes || bytes->find("-----BEGIN ") == std::string::npos)
    return field.error(ErrorCode::InvalidArgument, "is no base64 of a PEM text", "encode it with `base64 -w0 FILE`");
  out.data = Secret(*std::move(bytes));
  return out;
}

Result<void> check_proxy(const Field& field, const std::string& url) {
  constexpr std::string_view kSchemes[] = {"http://", "https://", "socks5://"};
  if (url.empty() || std::any_of(std::begin(kSchemes), std::end(kSchemes), [&](auto s) { return starts_with(url, s); }))
    return {};
  return field.error(ErrorCode::InvalidArgument, "`" + url + "` is no URL of a proxy",
                     "write http://, https:// or socks5://HOST:PORT");
}

Result<ClusterConfig> read_cluster(const Field& entry) {
  ClusterConfig out;
  SLIPWAY_TRY_ASSIGN(out.server, server_url(entry["server"]));
  SLIPWAY_TRY_ASSIGN(out.tls_server_name, entry["tls-server-name"].text());
  SLIPWAY_TRY_ASSIGN(out.ca, pem(entry, "certificate-authority"));
  SLIPWAY_TRY_ASSIGN(out.insecure_skip_tls_verify, entry["insecure-skip-tls-verify"].boolean());
  SLIPWAY_TRY_ASSIGN(out.proxy_url, entry["proxy-url"].text());
  SLIPWAY_TRY_ASSIGN(out.disable_compression, entry["disable-compression"].boolean());
  SLIPWAY_TRY(check_proxy(entry["proxy-url"], out.proxy_url));
  if (out.insecure_skip_tls_verify && !out.ca.empty())
    return entry["insecure-skip-tls-verify"].error(
        ErrorCode::InvalidArgument, "is set, and so is a certificate authority", "remove one of the two");
  return out;
}

Result<Impersonation> read_impersonation(const Field& entry) {
  Impersonation out;
  SLIPWAY_TRY_ASSIGN(out.user, entry["as"].text());
  SLIPWAY_TRY_ASSIGN(out.uid, entry["as-uid"].text());
  SLIPWAY_TRY_ASSIGN(const auto groups, entry["as-groups"].list());
  for (const Field& group : groups) {
    SLIPWAY_TRY_ASSIGN(std::string name, group.text());
    out.groups.push_back(std::move(name));
  }
  const Field extra = entry["as-user-extra"];
  if (extra.present() && extra.node()->kind != text::NodeKind::Map)
    return extra.error(ErrorCode::InvalidArgument, "must be a map of lists", {});
  for (std::size_t i = 0; extra.present() && i < extra.node()->entries.size(); ++i) {
    const std::string& key = extra.node()->entries[i].key;
    SLIPWAY_TRY_ASSIGN(const auto values, extra[key].list());
    for (const Field& value : values) {
      SLIPWAY_TRY_ASSIGN(std::string text, value.text());
      out.extra.emplace_back(key, std::move(text));
    }
  }
  if (out.user.empty() && (!out.uid.empty() || !out.groups.empty() || !out.extra.empty()))
    return entry["as"].error(ErrorCode::InvalidArgument, "is missing, though other as-… fields are set",
                             "name the user to impersonate");
  return out;
}

Result<ExecConfig> read_exec(const Field& exec) {
  ExecConfig out;
  SLIPWAY_TRY_ASSIGN(const std::string version, exec["apiVersion"].text());
  const auto known = kExecVersions.parse(version);
  if (!known)
    return exec["apiVersion"].error(ErrorCode::Unsupported,
                                    version.empty() ? "is missing" : "`" + version + "` is too old or unknown",
                                    "update the plugin; it must speak client.authentication.k8s.io/v1 or v1beta1");
  out.version = *known;
  SLIPWAY_TRY_ASSIGN(out.command, exec["command"].text());
  if (out.command.empty())
    return exec["command"].error(ErrorCode::InvalidArgument, "is missing", "name the program that prints credentials");
  if (out.command.find('/') != std::string::npos) {
    SLIPWAY_TRY_ASSIGN(const auto path, exec["command"].path());
    out.command = path.string();
  }
  SLIPWAY_TRY_ASSIGN(const auto args, exec["args"].list());
  for (const Field& arg : args) {
    SLIPWAY_TRY_ASSIGN(std::string text, arg.text());
    out.args.push_back(std::move(text));
  }
  SLIPWAY_TRY_ASSIGN(const auto env, exec["env"].list());
  for (const Field& variable : env) {
    SLIPWAY_TRY_ASSIGN(std::string name, variable["name"].text());
    SLIPWAY_TRY_ASSIGN(std::string value, variable["value"].text());
    if (name.empty()) return variable.error(ErrorCode::InvalidArgument, "has no name", {});
    out.env.emplace_back(std::move(name), std::move(value));
  }
  SLIPWAY_TRY_ASSIGN(out.install_hint, exec["installHint"].text());
  SLIPWAY_TRY_ASSIGN(out.provide_cluster_info, exec["provideClusterInfo"].boolean());
  SLIPWAY_TRY_ASSIGN(const std::string mode, exec["interactiveMode"].text());
  if (mode == "Always")
    return exec["interactiveMode"].error(ErrorCode::Unsupported, "is `Always`, and a daemon has no terminal",
                                         "use a plugin that works without one, or a token");
  const bool mode_known = mode == "Never" || mode == "IfAvailable" || (mode.empty() && *known == ExecVersion::V1Beta1);
  if (!mode_known)
    return exec["interactiveMode"].error(ErrorCode::InvalidArgument,
                                         mode.empty() ? "is missing" : "`" + mode + "` is unknown",
                                         "write Never, IfAvailable or Always");
  return out;
}

Result<void> refuse_old_logins(const Field& entry) {
  for (const char* name : {"username", "password"})
    if (entry[name].present())
      return entry[name].error(ErrorCode::Unsupported, "is basic authentication, which Kubernetes dropped in 1.19",
                               "use a token, a client certificate or an exec plugin");
  if (entry["auth-provider"].present())
    return entry["auth-provider"].error(ErrorCode::Unsupported, "was removed from Kubernetes in 1.26",
                                        "use `exec`; for GKE: gcloud container clusters get-credentials");
  return {};
}

Result<UserConfig> read_user(const Field& entry) {
  UserConfig out;
  SLIPWAY_TRY(refuse_old_logins(entry));
  SLIPWAY_TRY_ASSIGN(out.impersonate, read_impersonation(entry));
  SLIPWAY_TRY_ASSIGN(out.certificate, pem(entry, "client-certificate"));
  SLIPWAY_TRY_ASSIGN(out.key, pem(entry, "client-key"));
  SLIPWAY_TRY_ASSIGN(std::string token, entry["token"].text());
  SLIPWAY_TRY_ASSIGN(out.token_file, entry["tokenFile"].path());
  if (out.certificate.empty() != out.key.empty())
    return entry[out.key.empty() ? "client-key" : "client-certificate"].error(
        ErrorCode::InvalidArgument, "is missing beside its other half", "set both or none");
  out.token = Secret(std::move(token));
  if (!out.token_file.empty()) {
    out.login = Login::TokenFile;
  } else if (!out.token.empty()) {
    out.login = Login::Token;
  } else if (!out.certificate.empty()) {
    out.login = Login::Certificate;
  } else if (entry["exec"].present()) {
    out.login = Login::Exec;
    SLIPWAY_TRY_ASSIGN(out.exec, read_exec(entry["exec"]));
  }
  return out;
}

// What a plugin may be told of its cluster, from the extension that is reserved for it.
Result<std::string> exec_extension(const Field& cluster) {
  SLIPWAY_TRY_ASSIGN(const auto extensions, cluster["extensions"].list());
  for (const Field& extension : extensions) {
    SLIPWAY_TRY_ASSIGN(const std::string name, extension["name"].text());
    if (name == "client.authentication.k8s.io/exec" && extension["extension"].present())
      return text::to_value(*extension["extension"].node()).dump();
  }
  return std::string();
}

Result<void> check_encryption(const Field& cluster, const ClientConfig& config) {
  if (starts_with(config.cluster.server, "https:") || is_loopback(config.cluster.server) ||
      config.user.login == Login::Anonymous)
    return {};
  return cluster["server"].error(ErrorCode::InvalidArgument, "is http, and the user's credentials must not go over it",
                                 "write https://HOST:PORT");
}

void take_proxy(const LoadOptions& options, ClusterConfig& cluster) {
  const bool encrypted = starts_with(cluster.server, "https:");
  const auto first_of = [&](std::initializer_list<const char*> names) {
    for (const char* name : names)
      if (std::string value = from_environment(options, name); !value.empty()) return value;
    return std::string();
  };
  if (!cluster.proxy_url.empty()) return;  // what the file says holds for every host
  cluster.proxy_url = encrypted ? first_of({"HTTPS_PROXY", "https_proxy"}) : first_of({"HTTP_PROXY", "http_proxy"});
  if (!cluster.proxy_url.empty()) cluster.no_proxy = first_of({"NO_PROXY", "no_proxy"});
  if (!cluster.proxy_url.empty() && cluster.proxy_url.find("://") == std::string::npos)
    cluster.proxy_url.insert(0, "http://");
}

void take_metadata(const LoadOptions& options, ClientConfig& config) {
  if (!options.metadata_token) return;
  Impersonation as = std::move(config.user.impersonate);
  config.user = {};
  config.user.impersonate = std::move(as);
  config.user.login = Login::Metadata;
  const std::string host = from_environment(options, "GCE_METADATA_HOST");
  config.user.metadata_host = host.empty() ? std::string(kMetadataHost) : host;
}

Result<ClientConfig> from_files(const std::vector<std::filesystem::path>& files, const LoadOptions& options) {
  SLIPWAY_TRY_ASSIGN(const Kubeconfig kubeconfig, Kubeconfig::read(files));
  std::string context = options.context;
  if (context.empty()) {
    SLIPWAY_TRY_ASSIGN(context, kubeconfig.current_context());
  }
  if (context.empty())
    return Error{ErrorCode::NotFound, kubeconfig.names() + ": current-context is not set",
                 "run `kubectl config use-context NAME`, or name a context"};
  SLIPWAY_TRY_ASSIGN(const Field entry, kubeconfig.entry("context", context));
  ClientConfig config;
  config.source = kubeconfig.names() + ", context `" + context + "`";
  SLIPWAY_TRY_ASSIGN(const std::string cluster_name, entry["cluster"].text());
  SLIPWAY_TRY_ASSIGN(const std::string user_name, entry["user"].text());
  SLIPWAY_TRY_ASSIGN(std::string namespace_name, entry["namespace"].text());
  if (cluster_name.empty()) return entry["cluster"].error(ErrorCode::InvalidArgument, "is missing", "name a cluster");
  if (!namespace_name.empty()) config.namespace_name = std::move(namespace_name);
  SLIPWAY_TRY_ASSIGN(const Field cluster, kubeconfig.entry("cluster", cluster_name));
  SLIPWAY_TRY_ASSIGN(config.cluster, read_cluster(cluster));
  if (!user_name.empty() && !options.metadata_token) {
    SLIPWAY_TRY_ASSIGN(const Field user, kubeconfig.entry("user", user_name));
    SLIPWAY_TRY_ASSIGN(config.user, read_user(user));
  }
  if (config.user.exec.provide_cluster_info) {
    SLIPWAY_TRY_ASSIGN(config.user.exec.cluster_extra, exec_extension(cluster));
  }
  take_proxy(options, config.cluster);
  take_metadata(options, config);
  SLIPWAY_TRY(check_encryption(cluster, config));
  return config;
}

// An empty part of the list is no file; the same file twice is the same file.
std::vector<std::filesystem::path> colon_list(std::string_view text) {
  std::vector<std::filesystem::path> out;
  while (!text.empty()) {
    const auto part = text.substr(0, text.find(':'));
    text.remove_prefix(std::min(text.size(), part.size() + 1));
    if (!part.empty() && std::find(out.begin(), out.end(), part) == out.end()) out.emplace_back(part);
  }
  return out;
}

}  // namespace

Result<ClientConfig> in_cluster_config(const LoadOptions& options) {
  std::string host = from_environment(options, "KUBERNETES_SERVICE_HOST");
  const std::string port = from_environment(options, "KUBERNETES_SERVICE_PORT");
  if (host.empty() || port.empty())
    return Error{ErrorCode::NotFound, "KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set",
                 "this process does not run in a pod"};
  if (host.find(':') != std::string::npos && host.front() != '[') host = "[" + host + "]";
  std::error_code ignored;
  ClientConfig config;
  config.source = "the pod's service account";
  config.cluster.server = "https://" + host + ":" + port;
  config.user.login = Login::TokenFile;
  config.user.token_file = options.service_account / "token";
  if (!options.metadata_token && !std::filesystem::exists(config.user.token_file, ignored))
    return Error{ErrorCode::NotFound, "the pod has no service account token: " + config.user.token_file.string(),
                 "set automountServiceAccountToken: true, and serviceAccountName"};
  if (std::filesystem::exists(options.service_account / "ca.crt", ignored))
    config.cluster.ca.file = options.service_account / "ca.crt";
  if (auto name = read_whole_file(options.service_account / "namespace", 1024); name) {
    while (!name->empty() && (name->back() == '\n' || name->back() == ' ')) name->pop_back();
    if (!name->empty()) config.namespace_name = *std::move(name);
  }
  take_proxy(options, config.cluster);
  take_metadata(options, config);
  return config;
}

Result<ClientConfig> load_config(const LoadOptions& options) {
  if (options.file) return from_files({*options.file}, options);
  if (const std::string list = from_environment(options, "KUBECONFIG"); !list.empty())
    return from_files(colon_list(list), options);
  const std::string home = from_environment(options, "HOME");
  const std::filesystem::path usual = std::filesystem::path(home) / ".kube/config";
  std::error_code ignored;
  if (!home.empty() && std::filesystem::exists(usual, ignored)) return from_files({usual}, options);
  if (!options.context.empty())
    return Error{ErrorCode::NotFound, "context `" + options.context + "` is asked for, and there is no kubeconfig",
                 "set KUBECONFIG"};
  auto config = in_cluster_config(options);
  if (config || config.error().message.find("KUBERNETES_SERVICE_HOST") == std::string::npos) return config;
  return Error{
      ErrorCode::NotFound,
      "no way to a cluster is known: KUBECONFIG is not set, " + usual.string() + " does not exist, and this is no pod",
      "set KUBECONFIG, or run in a cluster"};
}

}  // namespace slipway::kube
