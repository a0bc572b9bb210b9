#include "slipway/kube/config.h"

#include <gtest/gtest.h>

#include "slipway/base/base64.h"
#include "support/files.h"
#include "support/temp_folder.h"

namespace slipway::kube {
namespace {

using test::spill;

constexpr const char* kPem = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";

class KubeConfig : public testing::Test {
 protected:
  // A config of one context `c`, cluster `k` and user `u` with these lines in them.
  std::filesystem::path write(const std::string& cluster, const std::string& user, const std::string& context = "") {
    const auto file = folder_ / "config";
    spill(file,
          "apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts:\n- name: c\n  context: {cluster: k, user: u" +
              context + "}\nclusters:\n- name: k\n  cluster:\n" + cluster + "users:\n- name: u\n  user:\n" + user);
    return file;
  }
  Result<ClientConfig> load(const std::string& user, const std::string& cluster = "    server: https://h:6443\n") {
    return load_config({.file = write(cluster, user)});
  }

  test::TempFolder folder_;
};

TEST_F(KubeConfig, ReadsEveryFieldOfAPersonsFile) {
  const auto config = load_config(
      {.file = write("    server: https://h:6443/k8s/clusters/c-1/\n"
                     "    tls-server-name: kubernetes.default\n"
                     "    certificate-authority-data: " +
                         to_base64(kPem) + "\n    proxy-url: socks5://p:1080\n    disable-compression: true\n",
                     "    token: abc\n    as: bob\n    as-uid: '7'\n    as-groups: [a, b]\n"
                     "    as-user-extra: {scopes: [x, y]}\n",
                     ", namespace: team")});
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->cluster.server, "https://h:6443/k8s/clusters/c-1");
  EXPECT_EQ(config->cluster.tls_server_name, "kubernetes.default");
  EXPECT_EQ(config->cluster.ca.data.reveal(), kPem);
  EXPECT_EQ(config->cluster.proxy_url, "socks5://p:1080");
  EXPECT_TRUE(config->cluster.disable_compression);
  EXPECT_EQ(config->user.login, Login::Token);
  EXPECT_EQ(config->user.token.reveal(), "abc");
  EXPECT_EQ(config->user.impersonate.user, "bob");
  EXPECT_EQ(config->user.impersonate.uid, "7");
  EXPECT_EQ(config->user.impersonate.groups, (std::vector<std::string>{"a", "b"}));
  const std::vector<std::pair<std::string, std::string>> extra{{"scopes", "x"}, {"scopes", "y"}};
  EXPECT_EQ(config->user.impersonate.extra, extra);
  EXPECT_EQ(config->namespace_name, "team");
  EXPECT_EQ(config->source, (folder_ / "config").string() + ", context `c`");
}

TEST_F(KubeConfig, DataBeatsAFile) {
  const auto config = load("    token: t\n",
                           "    server: https://h\n    certificate-authority: /etc/ca.crt\n"
                           "    certificate-authority-data: " +
                               to_base64(kPem) + "\n");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->cluster.ca.data.reveal(), kPem);
  EXPECT_TRUE(config->cluster.ca.file.empty());
}

TEST_F(KubeConfig, RelativeNamesAreRelativeToTheirFile) {
  const auto config = load("    client-certificate: pki/me.crt\n    client-key: ../me.key\n    tokenFile: token\n",
                           "    server: https://h\n    certificate-authority: pki/ca.crt\n");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->cluster.ca.file, folder_ / "pki/ca.crt");
  EXPECT_EQ(config->user.certificate.file, folder_ / "pki/me.crt");
  EXPECT_EQ(config->user.key.file, folder_.path().parent_path() / "me.key");
  EXPECT_EQ(config->user.token_file, folder_ / "token");
  const auto exec = load("    exec: {apiVersion: client.authentication.k8s.io/v1beta1, command: ./bin/login}\n");
  ASSERT_TRUE(exec) << exec.error().message;
  EXPECT_EQ(exec->user.exec.command, (folder_ / "bin/login").string());
}

TEST_F(KubeConfig, ATokenFileBeatsATokenAndBothBeatAPlugin) {
  const std::string exec = "    exec: {apiVersion: client.authentication.k8s.io/v1beta1, command: login}\n";
  EXPECT_EQ(load("    tokenFile: /t\n    token: a\n" + exec)->user.login, Login::TokenFile);
  EXPECT_EQ(load("    token: a\n" + exec)->user.login, Login::Token);
  EXPECT_EQ(load("    client-certificate: c\n    client-key: k\n" + exec)->user.login, Login::Certificate);
  EXPECT_EQ(load(exec)->user.login, Login::Exec);
  EXPECT_EQ(load("    {}\n")->user.login, Login::Anonymous);
}

TEST_F(KubeConfig, ReadsAPlugin) {
  const auto config = load(
      "    exec:\n      apiVersion: client.authentication.k8s.io/v1\n      command: gke-gcloud-auth-plugin\n"
      "      args: [--verbose, 1]\n      env:\n      - {name: A, value: b}\n      installHint: install it\n"
      "      provideClusterInfo: true\n      interactiveMode: IfAvailable\n",
      "    server: https://h\n    extensions:\n    - name: client.authentication.k8s.io/exec\n"
      "      extension: {audience: x}\n");
  ASSERT_TRUE(config) << config.error().message;
  const ExecConfig& exec = config->user.exec;
  EXPECT_EQ(exec.version, ExecVersion::V1);
  EXPECT_EQ(exec.command, "gke-gcloud-auth-plugin");
  EXPECT_EQ(exec.args, (std::vector<std::string>{"--verbose", "1"}));
  EXPECT_EQ(exec.env.at(0), (std::pair<std::string, std::string>("A", "b")));
  EXPECT_EQ(exec.install_hint, "install it");
  EXPECT_TRUE(exec.provide_cluster_info);
  EXPECT_EQ(exec.cluster_extra, R"({"audience":"x"})");
}

struct BadCase {
  const char* cluster;
  const char* user;
  ErrorCode code;
  const char* message;  // behind the file's name
};

TEST_F(KubeConfig, ErrorsNamePlaceFieldAndCure) {
  const BadCase cases[] = {
      {"    server: h:6443\n", "    token: a\n", ErrorCode::InvalidArgument,
       ":10:13: cluster `k`: server `h:6443` is no URL"},
      {"    insecure-skip-tls-verify: true\n", "    {}\n", ErrorCode::InvalidArgument,
       ": cluster `k`: server is missing"},
      {"    server: https://h\n    insecure-skip-tls-verify: true\n    certificate-authority: ca\n", "    {}\n",
       ErrorCode::InvalidArgument,
       ":11:31: cluster `k`: insecure-skip-tls-verify is set, and so is a certificate authority"},
      {"    server: https://h\n    insecure-skip-tls-verify: 'yes'\n", "    {}\n", ErrorCode::InvalidArgument,
       ":11:31: cluster `k`: insecure-skip-tls-verify must be true or false"},
      {"    server: https://h\n    certificate-authority-data: '%%'\n", "    {}\n", ErrorCode::InvalidArgument,
       ":11:33: cluster `k`: certificate-authority-data is no base64 of a PEM text"},
      {"    server: https://h\n    proxy-url: ftp://p\n", "    {}\n", ErrorCode::InvalidArgument,
       ":11:16: cluster `k`: proxy-url `ftp://p` is no URL of a proxy"},
      {"    server: http://h\n", "    token: a\n", ErrorCode::InvalidArgument,
       ":10:13: cluster `k`: server is http, and the user's credentials must not go over it"},
      {"    server: https://h\n", "    username: a\n    password: b\n", ErrorCode::Unsupported,
       ":14:15: user `u`: username is basic authentication, which Kubernetes dropped in 1.19"},
      {"    server: https://h\n", "    auth-provider: {name: gcp}\n", ErrorCode::Unsupported,
       ":14:20: user `u`: auth-provider was removed from Kubernetes in 1.26"},
      {"    server: https://h\n", "    client-certificate: c\n", ErrorCode::InvalidArgument,
       ": user `u`: client-key is missing beside its other half"},
      {"    server: https://h\n", "    token: [a]\n", ErrorCode::InvalidArgument,
       ":14:12: user `u`: token must be text"},
      {"    server: https://h\n", "    as-groups: [a]\n", ErrorCode::InvalidArgument,
       ": user `u`: as is missing, though other as-… fields are set"},
      {"    server: https://h\n", "    exec: {apiVersion: client.authentication.k8s.io/v1alpha1, command: x}\n",
       ErrorCode::Unsupported,
       ":14:24: user `u`: exec.apiVersion `client.authentication.k8s.io/v1alpha1` is too old or unknown"},
      {"    server: https://h\n", "    exec: {apiVersion: client.authentication.k8s.io/v1, command: x}\n",
       ErrorCode::InvalidArgument, ": user `u`: exec.interactiveMode is missing"},
      {"    server: https://h\n",
       "    exec: {apiVersion: client.authentication.k8s.io/v1, command: x, interactiveMode: Always}\n",
       ErrorCode::Unsupported, ":14:86: user `u`: exec.interactiveMode is `Always`, and a daemon has no terminal"},
      {"    server: https://h\n", "    exec: {apiVersion: client.authentication.k8s.io/v1beta1}\n",
       ErrorCode::InvalidArgument, ": user `u`: exec.command is missing"},
  };
  for (const BadCase& bad : cases) {
    const auto config = load(bad.user, bad.cluster);
    ASSERT_FALSE(config) << bad.message;
    EXPECT_EQ(config.error().code, bad.code) << bad.message;
    EXPECT_EQ(config.error().message, (folder_ / "config").string() + bad.message);
  }
}

TEST_F(KubeConfig, UnknownNamesSayWhatThereIs) {
  const auto file = write("    server: https://h\n", "    {}\n");
  const auto config = load_config({.file = file, .context = "prod"});
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().code, ErrorCode::NotFound);
  EXPECT_EQ(config.error().message, file.string() + ": there is no context `prod`");
  EXPECT_EQ(config.error().help, "it has `c`");
}

TEST_F(KubeConfig, PlainHttpIsGoodEnoughForLoopbackAndForNobody) {
  EXPECT_TRUE(load("    token: a\n", "    server: http://127.0.0.1:8001\n"));
  EXPECT_TRUE(load("    {}\n", "    server: http://far.example\n"));
}

TEST_F(KubeConfig, MergesTheListTheFirstFileWins) {
  spill(folder_ / "a",
        "contexts:\n- {name: one, context: {cluster: k, user: u}}\nusers:\n- {name: u, user: {token: from-a}}\n");
  spill(folder_ / "b",
        "current-context: one\nclusters:\n- {name: k, cluster: {server: https://b}}\n"
        "users:\n- {name: u, user: {token: from-b, as: x}}\ncontexts:\n- {name: one, context: {cluster: none}}\n");
  const std::string list =
      (folder_ / "a").string() + "::" + (folder_ / "absent").string() + ":" + (folder_ / "b").string();
  const auto config = load_config({.environment = {{"KUBECONFIG", list}}});
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->cluster.server, "https://b");
  EXPECT_EQ(config->user.token.reveal(), "from-a");
  EXPECT_EQ(config->user.impersonate.user, "");  // no field of the second `u`
}

TEST_F(KubeConfig, AnEmptyListOfFilesIsAnError) {
  const auto config = load_config({.environment = {{"KUBECONFIG", (folder_ / "absent").string()}}});
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().message, "kubeconfig " + (folder_ / "absent").string() + " does not exist");
}

TEST_F(KubeConfig, WithoutCurrentContextOneMustBeNamed) {
  spill(folder_ / "config",
        "contexts:\n- {name: one, context: {cluster: k}}\nclusters:\n- {name: k, cluster: {server: 'https://k'}}\n");
  EXPECT_EQ(load_config({.file = folder_ / "config"}).error().message,
            (folder_ / "config").string() + ": current-context is not set");
  const auto named = load_config({.file = folder_ / "config", .context = "one"});
  ASSERT_TRUE(named) << named.error().message;
  EXPECT_EQ(named->user.login, Login::Anonymous);
}

TEST_F(KubeConfig, ASyntaxErrorHasItsPlace) {
  spill(folder_ / "config", "clusters: [\n");
  const auto config = load_config({.file = folder_ / "config"});
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().message,
            (folder_ / "config").string() + ":1:11: the `[` is not closed, or a `,` is missing");
}

TEST_F(KubeConfig, UsesTheFileOfTheHome) {
  spill(
      folder_ / ".kube/config",
      R"({"current-context":"c","contexts":[{"name":"c","context":{"cluster":"k"}}],"clusters":[{"name":"k","cluster":{"server":"https://json"}}]})");
  const auto config = load_config({.environment = {{"HOME", folder_.path().string()}}});
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->cluster.server, "https://json");
}

TEST_F(KubeConfig, TheProxyOfTheEnvironmentIsForThoseWithoutTheirOwn) {
  const Environment environment{{"HTTPS_PROXY", "proxy:3128"}, {"NO_PROXY", "10.0.0.0/8"}};
  const auto config =
      load_config({.file = write("    server: https://h\n", "    token: a\n"), .environment = environment});
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->cluster.proxy_url, "http://proxy:3128");
  EXPECT_EQ(config->cluster.no_proxy, "10.0.0.0/8");
  const auto own = load_config({.file = write("    server: https://h\n    proxy-url: http://own\n", "    token: a\n"),
                                .environment = environment});
  EXPECT_EQ(own->cluster.proxy_url, "http://own");
  EXPECT_EQ(own->cluster.no_proxy, "");
}

class InCluster : public KubeConfig {
 protected:
  LoadOptions options(const std::string& host = "10.96.0.1") {
    return {.environment = {{"KUBERNETES_SERVICE_HOST", host}, {"KUBERNETES_SERVICE_PORT", "443"}},
            .service_account = folder_.path()};
  }
};

TEST_F(InCluster, ReadsTheServiceAccount) {
  spill(folder_ / "token", "t");
  spill(folder_ / "ca.crt", kPem);
  spill(folder_ / "namespace", "ml\n");
  const auto config = load_config(options());
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->cluster.server, "https://10.96.0.1:443");
  EXPECT_EQ(config->cluster.ca.file, folder_ / "ca.crt");
  EXPECT_EQ(config->user.login, Login::TokenFile);
  EXPECT_EQ(config->user.token_file, folder_ / "token");
  EXPECT_EQ(config->namespace_name, "ml");
  EXPECT_EQ(config->source, "the pod's service account");
}

TEST_F(InCluster, BracketsAnAddressOfVersion6) {
  spill(folder_ / "token", "t");
  EXPECT_EQ(load_config(options("fd00::1"))->cluster.server, "https://[fd00::1]:443");
}

TEST_F(InCluster, SaysThatTheTokenIsNotMounted) {
  const auto config = load_config(options());
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().message, "the pod has no service account token: " + (folder_ / "token").string());
  EXPECT_EQ(config.error().help, "set automountServiceAccountToken: true, and serviceAccountName");
}

TEST_F(InCluster, SaysThatThereIsNothing) {
  const auto config = load_config({.environment = {{"HOME", folder_.path().string()}}});
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().code, ErrorCode::NotFound);
  EXPECT_EQ(config.error().help, "set KUBECONFIG, or run in a cluster");
  EXPECT_FALSE(load_config({.context = "x", .environment = options().environment}));
}

TEST_F(InCluster, AMetadataTokenReplacesTheUser) {
  LoadOptions wanted{.file = write("    server: https://h\n", "    username: a\n"), .metadata_token = true};
  EXPECT_EQ(load_config(wanted)->user.metadata_host, "metadata.google.internal");
  wanted.environment["GCE_METADATA_HOST"] = "127.0.0.1:9";
  const auto config = load_config(wanted);
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->user.login, Login::Metadata);
  EXPECT_EQ(config->user.metadata_host, "127.0.0.1:9");
}

}  // namespace
}  // namespace slipway::kube
