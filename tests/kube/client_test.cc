#include "slipway/kube/client.h"

#include <gtest/gtest.h>

#include <future>

#include "kube/requests.h"
#include "support/files.h"
#include "support/scripted_server.h"
#include "support/temp_folder.h"

namespace slipway::kube {
namespace {

using http::Request;
using test::Peer;
using test::ScriptedServer;
using namespace std::chrono_literals;

const ObjectPath kPodsOfA{kPods, "a", ""};
const ObjectPath kPod{kPods, "a", "p"};

Value pod_named(const char* name) { return Value(Value::Object{{"metadata", Value::Object{{"name", name}}}}); }

class ClientTest : public testing::Test {
 protected:
  void connect(const ScriptedServer& server) { connect(server.url()); }
  void connect(const std::string& url) {
    config_.cluster.server = url;
    auto client = Client::create(config_, options_, {.clock = clock_, .run = run_}, Logger());
    ASSERT_TRUE(client) << client.error().message;
    client_ = *std::move(client);
  }

  SystemClock clock_;
  test::TempFolder folder_;
  ClientConfig config_;
  ClientOptions options_{.retry = {.first = 1ms, .longest = 2ms}};
  ProgramRunner run_ = run_program;
  std::unique_ptr<Client> client_;
};

TEST_F(ClientTest, SendsWhoWeAreAndGivesTheObject) {
  ScriptedServer server([](const Request&, Peer& peer) { peer.reply(200, R"({"kind":"Pod"})"); });
  config_.user.login = Login::Token;
  config_.user.token = Secret("abc");
  config_.user.impersonate = {.user = "bob", .groups = {"g", "h"}, .extra = {{"a/b", "c"}}};
  options_.user_agent = "slipway/1";
  connect(server);
  const Answer answer = client_->call_and_wait(get_call(kPod));
  ASSERT_TRUE(answer) << answer.failure->message;
  EXPECT_EQ(answer.object.get_string("kind"), "Pod");
  const Request seen = server.requests().at(0);
  EXPECT_EQ(seen.path, "/api/v1/namespaces/a/pods/p");
  EXPECT_EQ(seen.header("Authorization"), "Bearer abc");
  EXPECT_EQ(seen.header("Accept"), "application/json");
  EXPECT_EQ(seen.header("User-Agent"), "slipway/1");
  EXPECT_EQ(seen.header("Impersonate-User"), "bob");
  EXPECT_EQ(seen.header("Impersonate-Group"), "g,h");
  EXPECT_EQ(seen.header("Impersonate-Extra-a%2Fb"), "c");
}

TEST_F(ClientTest, ALostReplyOfACreateEndsAsAlreadyExistsThatMayBeOurs) {
  std::atomic<int> count{0};
  ScriptedServer server([&](const Request&, Peer& peer) {
    if (++count == 1) return peer.reset();
    peer.reply(409, R"({"kind":"Status","reason":"AlreadyExists","message":"pods \"p\" already exists"})");
  });
  connect(server);
  const Answer answer = client_->call_and_wait(create_call(kPodsOfA, pod_named("p")));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.failure->kind, FailureKind::AlreadyExists);
  EXPECT_TRUE(answer.failure->maybe_done);
  EXPECT_EQ(client_->stats().retries, 1U);
}

TEST_F(ClientTest, RepeatsWhatIsThrottledOrOverloaded) {
  std::atomic<int> count{0};
  ScriptedServer server([&](const Request&, Peer& peer) {
    switch (++count) {
      case 1: return peer.close();
      case 2: return peer.reply(429, "", {{"Retry-After", "0"}, {"X-Kubernetes-PF-FlowSchema-UID", "f"}});
      case 3: return peer.reply(503, "");
      default: return peer.reply(200, "{}");
    }
  });
  connect(server);
  EXPECT_TRUE(client_->call_and_wait(get_call(kPod)));
  EXPECT_EQ(client_->stats().throttled, 1U);
  EXPECT_EQ(client_->stats().retries, 3U);
}

TEST_F(ClientTest, ADeleteByNameIsNotRepeatedIntoTheDark) {
  ScriptedServer server([](const Request&, Peer& peer) { peer.reply(500, ""); });
  connect(server);
  const Answer answer = client_->call_and_wait(delete_call(kPod, {}));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.failure->kind, FailureKind::Overloaded);
  EXPECT_TRUE(answer.failure->maybe_done);
  EXPECT_EQ(server.requests().size(), 1U);
}

TEST_F(ClientTest, HandsUpWhatTheCallerMustJudge) {
  ScriptedServer server([](const Request&, Peer& peer) {
    peer.reply(422, R"({"kind":"Status","reason":"Invalid","details":{"causes":[{"field":"spec.x","message":"m"}]}})");
  });
  connect(server);
  const Answer answer = client_->call_and_wait(create_call(kPodsOfA, pod_named("p")));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.failure->kind, FailureKind::Invalid);
  EXPECT_EQ(answer.failure->causes.at(0).field, "spec.x");
  EXPECT_FALSE(answer.failure->maybe_done);
  EXPECT_EQ(server.requests().size(), 1U);
}

TEST_F(ClientTest, AnExpiredTokenIsReadAgainAndTheCallRepeatedOnce) {
  ScriptedServer server([&](const Request& request, Peer& peer) {
    if (request.header("Authorization") == "Bearer new") return peer.reply(200, "{}");
    test::spill(folder_ / "token", "new");  // the kubelet was faster than our minute
    peer.reply(401, R"({"kind":"Status","reason":"Unauthorized"})");
  });
  test::spill(folder_ / "token", "old");
  config_.user.login = Login::TokenFile;
  config_.user.token_file = folder_ / "token";
  connect(server);
  EXPECT_TRUE(client_->call_and_wait(get_call(kPod)));
  EXPECT_EQ(server.requests().size(), 2U);
}

TEST_F(ClientTest, A401ThatStaysIsHandedUpAfterOneMoreTry) {
  ScriptedServer server([](const Request&, Peer& peer) { peer.reply(401, ""); });
  config_.user.login = Login::Token;
  config_.user.token = Secret("bad");
  connect(server);
  EXPECT_EQ(client_->call_and_wait(get_call(kPod)).failure->kind, FailureKind::Unauthorized);
  EXPECT_EQ(server.requests().size(), 2U);
}

TEST_F(ClientTest, ManyCallsRunAPluginOnce) {
  ScriptedServer server([](const Request& request, Peer& peer) {
    EXPECT_EQ(request.header("Authorization"), "Bearer p");
    peer.reply(200, "{}");
  });
  std::atomic<int> runs{0};
  run_ = [&](const ProgramCall&) -> Result<ProgramEnd> {
    ++runs;
    return ProgramEnd{
        0, R"({"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","status":{"token":"p"}})", ""};
  };
  config_.user.login = Login::Exec;
  config_.user.exec.command = "login";
  connect(server);
  std::vector<std::promise<bool>> answers(20);
  for (auto& answer : answers) client_->call(get_call(kPod), [&](Answer a) { answer.set_value(static_cast<bool>(a)); });
  for (auto& answer : answers) EXPECT_TRUE(answer.get_future().get());
  EXPECT_EQ(runs, 1);
}

TEST_F(ClientTest, AFailingPluginFailsTheCallWithItsWords) {
  run_ = [](const ProgramCall&) -> Result<ProgramEnd> { return ProgramEnd{1, "", "not logged in"}; };
  config_.user.login = Login::Exec;
  config_.user.exec.command = "login";
  config_.user.exec.install_hint = "log in";
  connect("http://127.0.0.1:1");
  const Answer answer = client_->call_and_wait(get_call(kPod));
  EXPECT_EQ(answer.failure->kind, FailureKind::Unauthorized);
  EXPECT_EQ(answer.failure->message, "credential plugin `login` ended with exit code 1: not logged in (log in)");
}

TEST_F(ClientTest, SaysWhenThereIsNoServer) {
  connect("http://127.0.0.1:1");
  const Answer answer = client_->call_and_wait(create_call(kPodsOfA, pod_named("p")));
  EXPECT_EQ(answer.failure->kind, FailureKind::Unreachable);
  EXPECT_FALSE(answer.failure->maybe_done);
  EXPECT_EQ(client_->stats().requests, 6U);
}

TEST_F(ClientTest, AnAnswerThatIsNoJsonIsNoAnswer) {
  ScriptedServer server([](const Request&, Peer& peer) { peer.reply(200, "<html>log in</html>"); });
  connect(server);
  EXPECT_EQ(client_->call_and_wait(get_call(kPod)).failure->kind, FailureKind::Unexpected);
}

TEST_F(ClientTest, KeepsToItsLimits) {
  std::promise<void> release;
  auto gate = release.get_future().share();
  ScriptedServer server([gate](const Request&, Peer& peer) {
    gate.wait();
    peer.reply(200, "{}");
  });
  options_.in_flight_max = 2;
  options_.waiting_max = 3;
  connect(server);
  std::vector<std::promise<Answer>> answers(6);
  for (auto& answer : answers) client_->call(get_call(kPod), [&](Answer a) { answer.set_value(std::move(a)); });
  const Answer refused = answers[5].get_future().get();  // two are sent, three wait
  EXPECT_EQ(refused.failure->kind, FailureKind::TooManyRequests);
  ASSERT_TRUE(server.wait_for_requests(2));
  EXPECT_EQ(server.requests().size(), 2U);
  release.set_value();
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(answers[static_cast<std::size_t>(i)].get_future().get());
}

TEST_F(ClientTest, TheBucketDelaysWhatIsTooMuch) {
  ScriptedServer server([](const Request&, Peer& peer) { peer.reply(200, "{}"); });
  options_.others = {.per_second = 1000, .burst = 2};
  connect(server);
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(client_->call_and_wait(get_call(kPod)));
  std::vector<std::promise<void>> answers(10);
  for (auto& answer : answers) client_->call(get_call(kPod), [&](const Answer&) { answer.set_value(); });
  for (auto& answer : answers) answer.get_future().wait();
  EXPECT_GE(client_->stats().delayed, 1U);
}

TEST_F(ClientTest, StreamsTellHeadBytesAndEnd) {
  ScriptedServer server([](const Request&, Peer& peer) {
    peer.begin(200);
    peer.chunk("a");
    peer.chunk("b");
    peer.end();
  });
  connect(server);
  std::string seen;
  std::promise<std::optional<Failure>> ended;
  client_->open(watch_call(kPodsOfA, {}), {.on_open = [&] { seen += "open "; },
                                           .on_data =
                                               [&](std::string_view bytes) {
                                                 seen += bytes;
                                                 return http::Flow::Go;
                                               },
                                           .on_end = [&](auto failure) { ended.set_value(std::move(failure)); }});
  EXPECT_FALSE(ended.get_future().get());
  EXPECT_EQ(seen, "open ab");
}

TEST_F(ClientTest, StreamsGiveTheirFailureAndTryCredentialsOnceMore) {
  ScriptedServer server([](const Request&, Peer& peer) { peer.reply(401, ""); });
  connect(server);
  std::promise<std::optional<Failure>> ended;
  client_->open(watch_call(kPodsOfA, {}), {.on_data = [](std::string_view) { return http::Flow::Go; },
                                           .on_end = [&](auto failure) { ended.set_value(std::move(failure)); }});
  EXPECT_EQ(ended.get_future().get()->kind, FailureKind::Unauthorized);
  EXPECT_EQ(server.requests().size(), 2U);
}

TEST_F(ClientTest, AClosedStreamIsSilent) {
  ScriptedServer server([](const Request&, Peer& peer) {
    peer.begin(200);
    peer.hold();
  });
  connect(server);
  std::atomic<int> ends{0};
  const auto id = client_->open(watch_call(kPodsOfA, {}), {.on_data = [](std::string_view) { return http::Flow::Go; },
                                                           .on_end = [&](const auto&) { ++ends; }});
  ASSERT_TRUE(server.wait_for_requests(1));
  client_->close(id);
  std::promise<void> after;
  client_->loop().post([&] { after.set_value(); });
  after.get_future().wait();
  EXPECT_EQ(ends, 0);
}

TEST_F(ClientTest, WhoWaitsIsAnsweredWhenTheClientEnds) {
  ScriptedServer server([](const Request&, Peer& peer) { peer.hold(); });
  connect(server);
  auto waiting =
      std::async(std::launch::async, [client = client_.get()] { return client->call_and_wait(get_call(kPod)); });
  ASSERT_TRUE(server.wait_for_requests(1));
  client_.reset();
  EXPECT_EQ(waiting.get().failure->kind, FailureKind::Interrupted);
}

struct TargetCase {
  const char* server;
  const char* name;
  const char* text;  // base, connect_to, host
};

TEST(Targets, CarryTheNameOfTheCertificate) {
  const TargetCase cases[] = {
      {"https://h:6443/x", "", "https://h:6443/x||"},
      {"https://10.0.0.1:6443/x", "k.local", "https://k.local:6443/x|10.0.0.1:6443|10.0.0.1:6443"},
      {"https://10.0.0.1", "k.local", "https://k.local:443|10.0.0.1:443|10.0.0.1"},
      {"https://[fd00::1]:6443", "k.local", "https://k.local:6443|[fd00::1]:6443|[fd00::1]:6443"},
      {"https://[fd00::1]", "k.local", "https://k.local:443|[fd00::1]:443|[fd00::1]"},
  };
  for (const TargetCase& c : cases) {
    ClusterConfig cluster;
    cluster.server = c.server;
    cluster.tls_server_name = c.name;
    const Target target = target_of(cluster);
    EXPECT_EQ(target.base + "|" + target.connect_to + "|" + target.host, c.text);
  }
}

TEST(Requests, WatchesAndLogsHaveAConnectionOfTheirOwn) {
  ClientConfig config;
  config.cluster.server = "https://h";
  const Target target = target_of(config.cluster);
  const auto watch = make_request(config, target, watch_call(kPodsOfA, {}), {}, "x");
  EXPECT_TRUE(watch.own_connection);
  EXPECT_FALSE(watch.compressed);
  EXPECT_TRUE(make_request(config, target, log_call(kPod, {}), {}, "x").own_connection);
  EXPECT_TRUE(make_request(config, target, list_call(kPodsOfA, {}), {}, "x").compressed);
  config.cluster.disable_compression = true;
  EXPECT_FALSE(make_request(config, target, list_call(kPodsOfA, {}), {}, "x").compressed);
}

}  // namespace
}  // namespace slipway::kube
