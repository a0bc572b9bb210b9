// How to reach a cluster and as whom: kubeconfig files, the service account of a pod, the environment. Reading only;
// tokens that expire are the business of credentials.h.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "slipway/base/enum_table.h"
#include "slipway/base/result.h"
#include "slipway/base/secret.h"

namespace slipway::kube {

using Environment = std::map<std::string, std::string, std::less<>>;

// PEM that stands in the config itself, or the file it is in. At most one is set; data wins over a file.
struct PemSource {
  Secret data;
  std::filesystem::path file;

  [[nodiscard]] bool empty() const { return data.empty() && file.empty(); }
};

struct ClusterConfig {
  std::string server;           // "https://10.0.0.1:6443", with a path if the API is below one, without a / at the end
  std::string tls_server_name;  // the name its certificate must have; empty: the server's host
  PemSource ca;                 // empty: the system's roots
  bool insecure_skip_tls_verify = false;
  std::string proxy_url;  // http, https or socks5; empty: none
  std::string no_proxy;
  bool disable_compression = false;
};

enum class ExecVersion : unsigned char { V1, V1Beta1 };
inline constexpr EnumTable<ExecVersion, 2> kExecVersions{{{
    {ExecVersion::V1, "client.authentication.k8s.io/v1", "the stable form"},
    {ExecVersion::V1Beta1, "client.authentication.k8s.io/v1beta1", "what GKE's plugin answers"},
}}};

// A program that prints credentials.
struct ExecConfig {
  ExecVersion version = ExecVersion::V1;
  std::string command;  // absolute, or looked up in PATH; one with a / was relative to its kubeconfig's folder
  std::vector<std::string> args;
  std::vector<std::pair<std::string, std::string>> env;  // beside the daemon's
  std::string install_hint;
  bool provide_cluster_info = false;
  std::string cluster_extra;  // JSON of the cluster's extension for exec plugins; empty: none
};

struct Impersonation {
  std::string user;  // empty: nobody is impersonated
  std::string uid;
  std::vector<std::string> groups;
  std::vector<std::pair<std::string, std::string>> extra;  // a key may repeat
};

enum class Login : unsigned char { Anonymous, Certificate, Token, TokenFile, Exec, Metadata };
inline constexpr EnumTable<Login, 6> kLogins{{{
    {Login::Anonymous, "anonymous", "no credentials"},
    {Login::Certificate, "certificate", "a client certificate only"},
    {Login::Token, "token", "a bearer token that stands in the config"},
    {Login::TokenFile, "token-file", "a bearer token in a file, which is read again and again"},
    {Login::Exec, "exec", "a program that prints credentials"},
    {Login::Metadata, "metadata", "the metadata server of a machine or pod on Google Cloud"},
}}};

struct UserConfig {
  Login login = Login::Anonymous;
  PemSource certificate;  // may stand beside a token
  PemSource key;
  Secret token;
  std::filesystem::path token_file;
  ExecConfig exec;
  std::string metadata_host;  // "metadata.google.internal"
  Impersonation impersonate;
};

struct ClientConfig {
  ClusterConfig cluster;
  UserConfig user;
  std::string namespace_name = "default";
  std::string source;  // for people: "/home/a/.kube/config, context `prod`", "the pod's service account"
};

struct LoadOptions {
  std::optional<std::filesystem::path> file;  // this kubeconfig and no other
  std::string context;                        // empty: current-context
  // KUBECONFIG, HOME, HTTPS_PROXY, NO_PROXY, KUBERNETES_SERVICE_HOST, KUBERNETES_SERVICE_PORT, GCE_METADATA_HOST.
  Environment environment;
  std::filesystem::path service_account = "/var/run/secrets/kubernetes.io/serviceaccount";
  bool metadata_token = false;  // as the machine's or pod's Google service account, whatever the user entry says
};

// `file`, else the files of KUBECONFIG (merged, the first to set a thing wins, missing files are passed over), else
// ~/.kube/config if there is one, else the pod's service account. Relative names are relative to the folder of their
// kubeconfig. Errors name file, line, field and cure: NotFound (no config, no such context, cluster or user),
// InvalidArgument (what the file says), Unsupported (basic auth, auth-provider, an old plugin version).
[[nodiscard]] Result<ClientConfig> load_config(const LoadOptions& options);

// NotFound unless KUBERNETES_SERVICE_HOST and _PORT and the token file are there.
[[nodiscard]] Result<ClientConfig> in_cluster_config(const LoadOptions& options);

}  // namespace slipway::kube
