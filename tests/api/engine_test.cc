// The API before the real engine and the real store, over a socket; only the processes are played.
#include <atomic>
#include <thread>

#include "api/api_fixture.h"
#include "slipway/http/transport.h"
#include "support/fake_executor.h"

namespace slipway::api {
namespace {

// The vault's secrets as the engine reads them.
class StoredSecrets final : public engine::SecretSource {
 public:
  StoredSecrets(const store::Store& store, const vault::Vault& vault) : store_(store), vault_(vault) {}
  Result<Secret> get(const std::string& name) override {
    SLIPWAY_TRY_ASSIGN(const auto sealed, store_.blobs("secret"));
    return vault::SealedSecrets(vault_, sealed).get(name);
  }
  std::vector<std::string> names() override {
    return vault::SealedSecrets(vault_, store_.blobs("secret").value_or(std::map<std::string, std::string>())).names();
  }

 private:
  const store::Store& store_;
  const vault::Vault& vault_;
};

constexpr const char* kPipeline = R"(dag: pipeline
params:
  limit: {type: integer, default: 3, minimum: 1}
tasks:
  prepare: {run: [prepare, "${{ params.limit }}", "${{ vars.BUCKET }}"], secrets: [HF_TOKEN]}
  train: {needs: prepare, run: [train]}
)";

class EngineTest : public ApiTest {
 protected:
  EngineTest() {
    executor.set_sink(&engine);
    loop = std::thread([this] { drive(); });
  }
  ~EngineTest() override {
    stopping = true;
    loop.join();
  }

  // The engine's thread, which the fake executor shares.
  void drive() {
    EXPECT_TRUE(engine.recover());
    while (!stopping) {
      EXPECT_TRUE(engine.step());
      executor.pump();
      engine.wait(system_clock.now() + std::chrono::milliseconds(1));
    }
  }
  test::Script play(const exec::LaunchSpec& spec) {
    const std::lock_guard lock(mutex);
    launched.push_back(spec);
    test::Script script;
    if (spec.argv.front() == "train" && train_fails) script.exit_code = 3;
    if (spec.argv.front() == "train" && train_hangs) script.run_time = std::nullopt;
    return script;
  }

  http::Reply ask(const std::string& method, const std::string& target, const std::string& body = "",
                  const std::string& key = "") {
    http::Call call;
    call.method = method;
    call.url = "http://127.0.0.1:" + std::to_string(server->port()) + "/api/v1" + target;
    call.headers = {{"Authorization", "Bearer " + tokens.at(vault::Role::Admin)}};
    if (!key.empty()) call.headers["Idempotency-Key"] = key;
    call.body = body;
    return expect_ok(client->send(call));
  }
  Value body_of(const http::Reply& reply) { return expect_ok(parse_json(reply.body)); }
  void publish(const std::string& text) {
    engine::DagFolder folder_content;
    folder_content.files = {{"pipeline.yaml", text, true}};
    folder_content.complete = true;
    expect_ok(engine.call(folder_content, std::chrono::seconds(10)));
  }
  std::string start(const std::string& body = "") {
    const auto reply = ask("POST", "/dags/pipeline/runs", body);
    EXPECT_EQ(reply.status, 201) << reply.body;
    return body_of(reply).find("run")->get_string("id");
  }
  // Asks until the task or, for an empty name, the run is in the state; the last body.
  Value await(const std::string& id, const std::string& task, const std::string& state) {
    for (int n = 0; n < 100'000; ++n) {
      const auto body = body_of(ask("GET", "/runs/" + id));
      std::string now = body.find("run")->get_string("state");
      for (const Value& row : body.find("tasks")->as_array())
        if (row.get_string("task") == task) now = row.get_string("state");
      if (now == state) return body;
    }
    ADD_FAILURE() << "run " << id << " never came to " << state;
    return {};
  }

  SystemClock system_clock;
  Rng rng{1};
  std::mutex mutex;
  std::vector<exec::LaunchSpec> launched;  // guarded by mutex
  std::atomic<bool> train_fails{false}, train_hangs{false}, stopping{false};
  test::FakeMachine machine{[this](const exec::LaunchSpec& spec) { return play(spec); }};
  test::FakeExecutor executor{machine, system_clock, rng};
  StoredSecrets secrets{*store, vault};
  engine::Engine engine{{.home = folder.path().string(), .server_url = "", .tool = "/bin/slipway", .base_env = {}},
                        *store,
                        executor,
                        secrets,
                        system_clock,
                        rng,
                        Logger()};
  std::unique_ptr<http::Server> server = expect_ok(
      http::Server::start({},
                          make_handler(Deps{.engine = engine,
                                            .store = *store,
                                            .vault = vault,
                                            .clock = system_clock,
                                            .events = events,
                                            .log = Logger(),
                                            .home = folder.path().string(),
                                            .version = "1.2.3",
                                            .stop_service = [](const ServiceId&) -> Result<void> { return {}; }}),
                          Logger()));
  std::unique_ptr<http::Transport> client = http::make_curl_transport();
  std::thread loop;
};

TEST_F(EngineTest, RunsWhatIsAskedFor) {
  publish(kPipeline);
  EXPECT_EQ(ask("PUT", "/vars/BUCKET", R"({"value": "b"})").body, R"({"name":"BUCKET","value":"b"})");
  EXPECT_EQ(ask("PUT", "/secrets/HF_TOKEN", R"({"value": "hf_secret"})").status, 204);
  const auto id = start(R"({"params": {"limit": 7}})");
  const auto body = await(id, "", "success");
  EXPECT_EQ(body.find("tasks")->as_array().at(0).get_string("task"), "prepare");
  for (const Value& task : body.find("tasks")->as_array()) EXPECT_EQ(task.get_string("state"), "success");
  EXPECT_EQ(body.find("run")->get_string("trigger"), "api");
  {
    const std::lock_guard lock(mutex);
    ASSERT_EQ(launched.size(), 2U);
    EXPECT_EQ(launched[0].argv, (std::vector<std::string>{"prepare", "7", "b"}));
    EXPECT_EQ(launched[0].secret_env.at("HF_TOKEN").reveal(), "hf_secret");
  }
  const auto attempts = ask("GET", "/runs/" + id + "/tasks/prepare/attempts").body;
  EXPECT_THAT(attempts, ::testing::HasSubstr(R"("argv":["prepare","7","b"])"));
  EXPECT_THAT(attempts, ::testing::Not(::testing::HasSubstr("hf_secret")));
  EXPECT_THAT(expect_ok(store->check()), ::testing::IsEmpty());
}

TEST_F(EngineTest, ARepeatedKeyNamesTheFirstRun) {
  publish(kPipeline);
  const auto first = ask("POST", "/dags/pipeline/runs", "", "k");
  const auto again = ask("POST", "/dags/pipeline/runs", "", "k");
  EXPECT_EQ(first.status, 201);
  EXPECT_EQ(again.status, 200);
  EXPECT_EQ(body_of(again).find("run")->get_string("id"), body_of(first).find("run")->get_string("id"));
}

TEST_F(EngineTest, AFailedRunIsRetried) {
  publish(kPipeline);
  expect_ok(engine.call(engine::SetVar{"BUCKET", Value("b")}, std::chrono::seconds(10)));
  EXPECT_EQ(ask("PUT", "/secrets/HF_TOKEN", R"({"value": "hf_secret"})").status, 204);
  train_fails = true;
  const auto id = start();
  const auto failed = await(id, "", "failed");
  EXPECT_EQ(failed.find("tasks")->as_array().at(1).get_int("exit_code"), 3);
  EXPECT_EQ(failed.find("tasks")->as_array().at(1).get_string("class"), "user");
  EXPECT_EQ(ask("POST", "/runs/" + id + "/cancel").status, 409);
  train_fails = false;
  EXPECT_EQ(ask("POST", "/runs/" + id + "/retry").status, 200);
  const auto body = await(id, "", "success");
  EXPECT_EQ(body.find("tasks")->as_array().at(0).get_int("attempt"), 1);
  EXPECT_EQ(body.find("tasks")->as_array().at(1).get_int("attempt"), 2);
}

TEST_F(EngineTest, ARunIsCancelledAndSaysWhyItWaits) {
  publish(kPipeline);
  expect_ok(engine.call(engine::SetVar{"BUCKET", Value("b")}, std::chrono::seconds(10)));
  EXPECT_EQ(ask("PUT", "/secrets/HF_TOKEN", R"({"value": "hf_secret"})").status, 204);
  train_hangs = true;
  const auto first = start();
  await(first, "train", "active");
  const auto second = start();  // max_active_runs is 1
  EXPECT_NE(body_of(ask("GET", "/runs/" + second + "/tasks/prepare/why")).get_string("why"), "");
  EXPECT_EQ(body_of(ask("GET", "/runs?state=queued")).find("runs")->as_array().size(), 1U);
  EXPECT_EQ(ask("POST", "/runs/" + second + "/cancel").status, 200);
  EXPECT_EQ(ask("POST", "/runs/" + first + "/cancel", R"({"now": true})").status, 200);
  await(first, "", "cancelled");
  await(second, "", "cancelled");
}

TEST_F(EngineTest, RefusalsKeepTheirWords) {
  publish("dag: pipeline\ntasks:\n  a: {run: [x], needs: b}\n");
  const auto invalid = ask("POST", "/dags/pipeline/runs");
  EXPECT_GE(invalid.status, 400) << invalid.body;
  EXPECT_LT(invalid.status, 500) << invalid.body;
  publish(kPipeline);
  const auto bad = ask("POST", "/dags/pipeline/runs", R"({"params": {"limit": 0}})");
  EXPECT_EQ(bad.status, 400) << bad.body;
  EXPECT_THAT(body_of(bad).get_string("detail"), ::testing::HasSubstr("limit"));
  EXPECT_EQ(ask("POST", "/dags/other/runs").status, 404);
  EXPECT_EQ(ask("POST", "/dags/pipeline/pause", R"({"paused": true})").status, 200);
  EXPECT_TRUE(body_of(ask("GET", "/dags/pipeline")).find("dag")->find("paused")->as_bool());
}

}  // namespace
}  // namespace slipway::api
