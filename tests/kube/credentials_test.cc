#include "slipway/kube/credentials.h"

#include <gtest/gtest.h>

#include "kube/exec_plugin.h"
#include "support/files.h"
#include "support/scripted_server.h"
#include "support/sim_clock.h"
#include "support/temp_folder.h"

namespace slipway::kube {
namespace {

using test::spill;
using namespace std::chrono_literals;

const Instant kStart = *parse_rfc3339("2024-11-01T00:00:00Z");

// Gives what the test says, and counts.
class FakeSource final : public IdentitySource {
 public:
  explicit FakeSource(std::function<Result<Identity>(int)> give) : give_(std::move(give)) {}
  Result<Identity> fetch() override { return give_(++calls); }
  int calls = 0;

 private:
  std::function<Result<Identity>(int)> give_;
};

Identity identity(const std::string& token, std::optional<Instant> refresh = {}, std::optional<Instant> unusable = {}) {
  Identity out;
  out.token = Secret(token);
  out.refresh_at = refresh;
  out.unusable_at = unusable;
  return out;
}

class IdentityCacheTest : public testing::Test {
 protected:
  void use(std::function<Result<Identity>(int)> give) {
    auto source = std::make_unique<FakeSource>(std::move(give));
    source_ = source.get();
    cache_ = std::make_unique<IdentityCache>(std::move(source), clock_, Logger());
  }
  std::string token() {
    const auto got = cache_->refresh();
    return got ? (*got)->token.reveal() : "error: " + got.error().message;
  }

  test::SimClock clock_{kStart};
  FakeSource* source_ = nullptr;
  std::unique_ptr<IdentityCache> cache_;
};

TEST_F(IdentityCacheTest, AsksOnceForWhatNeverExpires) {
  use([](int) { return identity("t"); });
  EXPECT_EQ(cache_->held().identity, nullptr);
  EXPECT_EQ(token(), "t");
  clock_.advance(24h);
  EXPECT_EQ(token(), "t");
  EXPECT_EQ(source_->calls, 1);
}

TEST_F(IdentityCacheTest, RefreshesWhenDueAndUsesTheOldOneMeanwhile) {
  use([&](int n) { return identity("t" + std::to_string(n), clock_.now() + 60s, clock_.now() + 120s); });
  EXPECT_EQ(token(), "t1");
  EXPECT_FALSE(cache_->held().stale);
  clock_.advance(61s);
  EXPECT_TRUE(cache_->held().stale);
  EXPECT_EQ(cache_->held().identity->token.reveal(), "t1");
  EXPECT_EQ(token(), "t2");
  EXPECT_FALSE(cache_->held().stale);
}

TEST_F(IdentityCacheTest, AFailedRefreshKeepsWhatIsUsableAndLeavesTheSourceAlone) {
  use([&](int n) -> Result<Identity> {
    if (n > 1) return Error{ErrorCode::Io, "no", {}};
    return identity("t1", kStart + 60s, kStart + 120s);
  });
  EXPECT_EQ(token(), "t1");
  clock_.advance(61s);
  EXPECT_EQ(token(), "t1");
  EXPECT_FALSE(cache_->held().stale);  // not asked for again for 10 s
  EXPECT_EQ(token(), "t1");
  EXPECT_EQ(source_->calls, 2);
  clock_.advance(11s);
  EXPECT_EQ(token(), "t1");
  EXPECT_EQ(source_->calls, 3);
  clock_.advance(60s);  // past the end
  EXPECT_EQ(token(), "error: no");
  EXPECT_EQ(cache_->held().identity, nullptr);
}

TEST_F(IdentityCacheTest, ARejectedOneIsReplacedOnceAndThenNotAgainSoSoon) {
  use([](int n) { return identity("t" + std::to_string(n)); });
  EXPECT_EQ(token(), "t1");
  const auto first = cache_->held().identity;
  cache_->rejected(first);
  EXPECT_EQ(cache_->held().identity, nullptr);
  EXPECT_EQ(token(), "t2");
  cache_->rejected(first);  // somebody else's older request
  EXPECT_EQ(token(), "t2");
  cache_->rejected(cache_->held().identity);
  EXPECT_EQ(token(), "error: the server does not take the credentials");
  EXPECT_EQ(source_->calls, 2);
  clock_.advance(11s);
  EXPECT_EQ(token(), "t3");
}

TEST_F(IdentityCacheTest, RefusesWhatCannotBeSent) {
  use([](int) { return identity("t", {}, kStart); });
  EXPECT_EQ(token(), "error: the credentials were expired at 2024-11-01T00:00:00.000000Z");
  use([](int) { return identity("a\r\nX: y"); });
  EXPECT_EQ(token(), "error: the token holds a space or a control character");
}

class SourceTest : public testing::Test {
 protected:
  Result<std::unique_ptr<IdentitySource>> make() {
    return make_identity_source(config_, {.clock = clock_,
                                          .run = [&](const ProgramCall& call) -> Result<ProgramEnd> {
                                            call_ = call;
                                            return end_;
                                          },
                                          .transport = transport_.get(),
                                          .environment = {{"HOME", "/h"}, {"A", "daemon"}}});
  }
  Result<Identity> fetch() {
    auto source = make();
    if (!source) return source.error();
    return (*source)->fetch();
  }
  void plugin(const std::string& status, const std::string& version = "client.authentication.k8s.io/v1beta1") {
    config_.user.login = Login::Exec;
    config_.user.exec.version = ExecVersion::V1Beta1;
    config_.user.exec.command = "login";
    end_ = ProgramEnd{0, R"({"kind":"ExecCredential","apiVersion":")" + version + R"(","status":)" + status + "}", ""};
  }

  test::SimClock clock_{kStart};
  test::TempFolder folder_;
  ClientConfig config_;
  std::unique_ptr<http::Transport> transport_ = http::make_curl_transport();
  ProgramCall call_;
  Result<ProgramEnd> end_ = ProgramEnd{};
};

TEST_F(SourceTest, ReadsATokenFileAgainAndAgain) {
  config_.user.login = Login::TokenFile;
  config_.user.token_file = folder_ / "token";
  spill(folder_ / "token", "one\n");
  auto source = make();
  ASSERT_TRUE(source);
  const auto first = (*source)->fetch();
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_EQ(first->token.reveal(), "one");
  EXPECT_EQ(first->refresh_at, kStart + 50s);
  EXPECT_EQ(first->unusable_at, std::nullopt);
  spill(folder_ / "token", "two\n");
  EXPECT_EQ((*source)->fetch()->token.reveal(), "two");
  spill(folder_ / "token", "\n");
  EXPECT_EQ((*source)->fetch().error().message, "token file " + (folder_ / "token").string() + " is empty");
}

TEST_F(SourceTest, ReadsCertificatesAgainWhereTheyAreFiles) {
  config_.user.login = Login::Certificate;
  config_.user.certificate.file = folder_ / "crt";
  config_.user.key.file = folder_ / "key";
  EXPECT_FALSE(make());  // missing at the start is an error then
  spill(folder_ / "crt", "-----BEGIN CERTIFICATE-----\n");
  spill(folder_ / "key", "abc");
  EXPECT_EQ(make().error().message, "client-key: " + (folder_ / "key").string() + " is no PEM text");
  spill(folder_ / "key", "-----BEGIN PRIVATE KEY-----\n");
  const auto got = fetch();
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(got->certificate_pem, "-----BEGIN CERTIFICATE-----\n");
  EXPECT_EQ(got->key_pem.reveal(), "-----BEGIN PRIVATE KEY-----\n");
  EXPECT_EQ(got->refresh_at, kStart + 5min);
}

TEST_F(SourceTest, RunsAPluginWithItsEnvironmentAndTheCluster) {
  plugin(R"({"token":"t","expirationTimestamp":"2024-11-01T01:00:00Z"})");
  config_.user.exec.args = {"--x"};
  config_.user.exec.env = {{"A", "config"}};
  config_.user.exec.provide_cluster_info = true;
  config_.user.exec.cluster_extra = R"({"audience":"z"})";
  config_.cluster.server = "https://h";
  const auto got = fetch();
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(got->token.reveal(), "t");
  EXPECT_EQ(got->unusable_at, kStart + 1h);
  EXPECT_EQ(got->refresh_at, kStart + 59min);
  EXPECT_EQ(call_.command, "login");
  EXPECT_EQ(call_.args, std::vector<std::string>{"--x"});
  EXPECT_EQ(call_.timeout, 30s);
  const std::vector<std::pair<std::string, std::string>> env{
      {"A", "config"},
      {"HOME", "/h"},
      {"KUBERNETES_EXEC_INFO",
       R"({"apiVersion":"client.authentication.k8s.io/v1beta1","kind":"ExecCredential","spec":{"cluster":)"
       R"({"config":{"audience":"z"},"server":"https://h"},"interactive":false}})"}};
  EXPECT_EQ(call_.env, env);
}

TEST_F(SourceTest, APluginMayGiveACertificate) {
  plugin(R"({"clientCertificateData":"C","clientKeyData":"K"})");
  const auto got = fetch();
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(got->certificate_pem, "C");
  EXPECT_EQ(got->key_pem.reveal(), "K");
  EXPECT_EQ(got->unusable_at, std::nullopt);
}

TEST_F(SourceTest, PluginErrorsNameThePluginAndTheCure) {
  struct Case {
    std::string status;
    std::string version;
    const char* message;
  };
  const std::string v = "client.authentication.k8s.io/v1beta1";
  const Case cases[] = {
      {"{}", v, "its answer has neither a token nor a certificate"},
      {R"({"clientCertificateData":"C"})", v, "its answer has half of a client certificate and its key"},
      {R"({"token":"t","expirationTimestamp":"soon"})", v, "expirationTimestamp `soon` is no time"},
      {R"({"token":"t"})", "client.authentication.k8s.io/v1",
       "it answers in `client.authentication.k8s.io/v1`, the kubeconfig says `client.authentication.k8s.io/v1beta1`"},
      {"{", v, "its output is no JSON"},
  };
  for (const Case& c : cases) {
    plugin(c.status, c.version);
    const auto got = fetch();
    ASSERT_FALSE(got) << c.message;
    EXPECT_EQ(got.error().message, std::string("credential plugin `login`: ") + c.message);
  }
  plugin("{}");
  end_ = ProgramEnd{1, "", "first\nnot logged in\n"};
  EXPECT_EQ(fetch().error().message, "credential plugin `login` ended with exit code 1: not logged in");
  config_.user.exec.install_hint = "install it";
  end_ = Error{ErrorCode::NotFound, "starting `login`: No such file or directory", {}};
  EXPECT_EQ(fetch().error().message, "credential plugin `login`: starting `login`: No such file or directory");
  EXPECT_EQ(fetch().error().help, "install it");
}

TEST_F(SourceTest, AsksTheMetadataServer) {
  test::ScriptedServer server([](const http::Request& request, test::Peer& peer) {
    EXPECT_EQ(request.path, "/computeMetadata/v1/instance/service-accounts/default/token");
    EXPECT_EQ(request.header("Metadata-Flavor"), "Google");
    peer.reply(200, R"({"access_token":"g","expires_in":3599,"token_type":"Bearer"})");
  });
  config_.user.login = Login::Metadata;
  config_.user.metadata_host = "127.0.0.1:" + std::to_string(server.port());
  const auto got = fetch();
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(got->token.reveal(), "g");
  EXPECT_EQ(got->refresh_at, kStart + 3599s - 5min);
  EXPECT_EQ(got->unusable_at, kStart + 3599s - 1min);
}

TEST_F(SourceTest, AMetadataServerWithoutAnAccount) {
  test::ScriptedServer server([](const http::Request&, test::Peer& peer) { peer.reply(404, "no"); });
  config_.user.login = Login::Metadata;
  config_.user.metadata_host = "127.0.0.1:" + std::to_string(server.port());
  EXPECT_EQ(fetch().error().code, ErrorCode::Unauthorized);
  config_.user.metadata_host = "127.0.0.1:1";
  EXPECT_EQ(fetch().error().code, ErrorCode::Unavailable);
}

ProgramCall shell(const std::string& script) { return {.command = "sh", .args = {"-c", script}, .env = {{"X", "y"}}}; }

TEST(RunProgram, KeepsOutputErrorsAndExitCode) {
  const auto end = run_program(shell("echo out $X; echo err >&2; cat; exit 3"));
  ASSERT_TRUE(end) << end.error().message;
  EXPECT_EQ(end->output, "out y\n");
  EXPECT_EQ(end->errors, "err\n");
  EXPECT_EQ(end->exit_code, 3);
  EXPECT_EQ(run_program(shell("kill -9 $$"))->exit_code, 137);
}

TEST(RunProgram, HasLimits) {
  ProgramCall slow = shell("cat /dev/zero | tail -c 1");
  slow.timeout = 50ms;
  EXPECT_EQ(run_program(slow).error().code, ErrorCode::TimedOut);
  ProgramCall loud = shell("head -c 100000 /dev/zero");
  loud.output_bytes_max = 1000;
  EXPECT_EQ(run_program(loud).error().code, ErrorCode::TooLarge);
  EXPECT_EQ(run_program({.command = "no-such-program-here"}).error().code, ErrorCode::NotFound);
  EXPECT_EQ(run_program(shell("head -c 100000 /dev/zero >&2"))->errors.size(), 4096U);
}

}  // namespace
}  // namespace slipway::kube
