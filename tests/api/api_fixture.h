// The API over a real store in a temporary home, with the engine replaced by one that records commands.
#pragma once

#include <gmock/gmock.h>

#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "slipway/api/api.h"
#include "store/story.h"

namespace slipway::api {

using store::expect_ok;
using store::header;
using store::kNoon;
using store::run_id;
using store::Story;

constexpr const char* kDagText = R"(dag: nightly
description: Train a model
tags: [llm]
schedule: {name: daily, cron: "@daily", timezone: Europe/Paris}
params:
  limit: {type: integer, default: 3, minimum: 1}
tasks:
  prepare: {run: [echo, prepare]}
  train: {needs: prepare, run: [echo, train]}
)";

class FixedClock final : public Clock {
 public:
  [[nodiscard]] Instant now() const override { return kNoon; }
  [[nodiscard]] MonoInstant monotonic() const override { return MonoInstant(); }
};

// Answers every command with `reply`; `on_command` may change the store first, as the engine would.
class RecordingControl final : public Control {
 public:
  Result<engine::Reply> call(engine::Command command, engine::Origin origin) override {
    origins.push_back(std::move(origin));
    if (on_command) on_command(command);
    commands.push_back(std::move(command));
    return reply;
  }
  Result<std::string> why(const RunId& run, const TaskKey& key) override {
    return "asked about " + run.str() + " " + key.str();
  }
  Result<std::vector<engine::PoolUse>> pools() override { return pool_uses; }

  template <class Command>
  [[nodiscard]] const Command& last() const {
    return std::get<Command>(commands.back());
  }

  std::vector<engine::Command> commands;
  std::vector<engine::Origin> origins;  // of each
  std::function<void(const engine::Command&)> on_command;
  Result<engine::Reply> reply = engine::Reply{};
  std::vector<engine::PoolUse> pool_uses{{PoolId("default"), 2, 1, 3, "the local slots"},
                                         {PoolId("gpu"), 4, 4, 1, "the cards"},
                                         {PoolId("nowhere"), std::nullopt, 0, 2, {}}};
};

class ApiTest : public ::testing::Test {
 protected:
  ApiTest() {
    for (const auto& row : vault::kRoles.rows()) {
      const auto token = vault::issue_token(row.value, "test", kNoon);
      expect_ok(store->commit({.blobs = {{{"token", token.id}, token.record}}}));
      tokens.emplace(row.value, token.text.reveal());
    }
  }

  // run_id(1): over. run_id(2): running, with an attempt of `prepare`. A DAG, a variable, a secret, a service and a
  // backfill.
  void fill() {
    Story over(header(1));
    over.start().finish_task().end(run::RunState::Failed, {"train: not wanted"});
    store::Batch batch = over.batch();
    batch.versions[0].text = kDagText;
    batch.dags = {{.id = DagId("nightly"),
                   .version = VersionId("v1"),
                   .paused = false,
                   .present = true,
                   .cursors = {},
                   .error = "",
                   .file = "nightly.yaml"}};
    batch.vars = {{"BUCKET", Value("b")}};
    batch.services = {{.name = ServiceId("sentiment"),
                       .dag = DagId("nightly"),
                       .revision = AttemptId{run_id(1), TaskKey{TaskId("serve")}, 1},
                       .url = "http://127.0.0.1:8000",
                       .logical_date = kNoon,
                       .deployed_at = kNoon}};
    batch.backfills = {backfill()};
    expect_ok(store->commit(batch));
    Story active(header(2));
    active.start();
    expect_ok(store->commit(active.batch()));
    expect_ok(store->commit({.blobs = {{{"secret", "HF_TOKEN"}, "sealed"}}}));
  }

  // Of 30 ticks, 12 are done, and one run is under way.
  static run::Backfill backfill() {
    return {.id = run_id(7).str(),
            .dag = DagId("nightly"),
            .schedule = "daily",
            .first = kNoon - std::chrono::hours(24 * 30),
            .last = kNoon - std::chrono::hours(24),
            .max_active = 2,
            .reprocess = run::Reprocess::Failed,
            .params = Value::Object{{"limit", 5}},
            .created_at = kNoon,
            .next = kNoon - std::chrono::hours(24 * 17),
            .ticks = 30,
            .created = 8,
            .cleared = 2,
            .left = 3,
            .succeeded = 7,
            .failed = 2};
  }

  [[nodiscard]] http::Request request(const std::string& method, const std::string& target,
                                      const std::string& body = "") const {
    http::Request request;
    request.method = method;
    const auto mark = target.find('?');
    request.path = "/api/v1" + target.substr(0, mark);
    for (std::string rest = mark == std::string::npos ? "" : target.substr(mark + 1); !rest.empty();) {
      const auto pair = rest.substr(0, rest.find('&'));
      rest.erase(0, pair.size() + 1);
      request.query[pair.substr(0, pair.find('='))] = pair.substr(pair.find('=') + 1);
    }
    request.headers["Host"] = "localhost:8080";
    request.headers["Authorization"] = "Bearer " + tokens.at(vault::Role::Admin);
    request.body = body;
    return request;
  }
  http::Response send(const std::string& method, const std::string& target, const std::string& body = "") {
    return handler(request(method, target, body));
  }
  Value get(const std::string& target) {
    const auto response = send("GET", target);
    EXPECT_EQ(response.status, 200) << response.body;
    return expect_ok(parse_json(response.body));
  }
  // The status and the detail of an error.
  std::string refused(const http::Response& response) {
    EXPECT_EQ(response.content_type, "application/problem+json");
    const auto body = expect_ok(parse_json(response.body));
    EXPECT_EQ(body.get_int("status"), response.status);
    return std::to_string(response.status) + " " + body.get_string("detail");
  }
  std::string refused(const std::string& method, const std::string& target, const std::string& body = "") {
    return refused(send(method, target, body));
  }

  test::TempFolder folder;
  std::unique_ptr<store::Store> store = expect_ok(store::open_sqlite(folder / "slipway.db"));
  vault::Vault vault = expect_ok(vault::Vault::open(folder.path(), vault::Vault::IfAbsent::Create));
  std::map<vault::Role, std::string> tokens;
  RecordingControl control;
  FixedClock clock;
  std::vector<std::string> stopped;     // services whose processes were asked to end
  std::optional<Error> trouble;         // why the daemon is degraded
  std::optional<RemoteService> remote;  // where every service is said to be
  EventStream events{clock};
  http::Handler handler = make_handler(Backend{.control = control,
                                               .store = *store,
                                               .vault = vault,
                                               .clock = clock,
                                               .events = events,
                                               .log = Logger(),
                                               .home = folder.path().string(),
                                               .version = "1.2.3",
                                               .stop_service = [this](const ServiceId& name) -> Result<void> {
                                                 stopped.push_back(name.str());
                                                 return {};
                                               },
                                               .retention = {},
                                               .trouble = [this] { return trouble; },
                                               .remote_service = [this](const ServiceId&) { return remote; }});
};

}  // namespace slipway::api
