// The whole API behind a real server, asked by a real client.
#include "api/api_fixture.h"
#include "slipway/http/server.h"
#include "slipway/http/transport.h"

namespace slipway::api {
namespace {

class SocketTest : public ApiTest {
 protected:
  SocketTest() { fill(); }

  http::Reply ask(const std::string& method, const std::string& target, const http::Headers& headers,
                  const std::string& body = "") {
    http::Call call;
    call.method = method;
    call.url = "http://127.0.0.1:" + std::to_string(server->port()) + "/api/v1" + target;
    call.headers = headers;
    call.body = body;
    return expect_ok(client->send(call));
  }
  http::Headers bearer() const { return {{"Authorization", "Bearer " + tokens.at(vault::Role::Admin)}}; }

  std::unique_ptr<http::Server> server = expect_ok(http::Server::start({}, handler, Logger()));
  std::unique_ptr<http::Transport> client = http::make_curl_transport();
};

TEST_F(SocketTest, ServesHealthToEverybodyAndRunsToTokens) {
  EXPECT_EQ(ask("GET", "/health", {}).body, R"({"status":"ok"})");
  EXPECT_EQ(ask("GET", "/runs", {}).status, 401);
  const auto runs = ask("GET", "/runs", bearer());
  EXPECT_EQ(runs.status, 200);
  EXPECT_EQ(runs.body, send("GET", "/runs").body);
  EXPECT_EQ(ask("HEAD", "/runs", bearer()).status, 200);
}

TEST_F(SocketTest, CarriesBodiesAndHeadersBothWays) {
  Story started(header(3));
  expect_ok(store->commit(started.batch()));
  control.reply = engine::Reply{started.id, false};
  auto headers = bearer();
  headers["Idempotency-Key"] = "once";
  const auto reply = ask("POST", "/dags/nightly/runs", headers, R"({"params": {"limit": 4}})");
  EXPECT_EQ(reply.status, 201);
  EXPECT_EQ(reply.headers.at("Location"), "/api/v1/runs/" + started.id.str());
  EXPECT_EQ(control.last<engine::TriggerRun>().idempotency_key, "once");
  EXPECT_EQ(control.last<engine::TriggerRun>().params, Value(Value::Object{{"limit", 4}}));
}

TEST_F(SocketTest, DecodesAPathOnce) {
  EXPECT_EQ(ask("GET", "/runs/%40latest", bearer()).status, 200);
  EXPECT_EQ(ask("GET", "/runs/%2540latest", bearer()).status, 404);
  EXPECT_EQ(ask("GET", "/runs/..%2f..%2fkey", bearer()).status, 404);
}

TEST_F(SocketTest, RefusesAReboundName) {
  auto headers = bearer();
  headers["Host"] = "rebound.example";
  EXPECT_EQ(ask("GET", "/runs", headers).status, 403);
}

TEST_F(SocketTest, SendsNoContentWithoutABody) {
  const auto reply = ask("DELETE", "/vars/BUCKET", bearer());
  EXPECT_EQ(reply.status, 204);
  EXPECT_EQ(reply.body, "");
}

}  // namespace
}  // namespace slipway::api
