#include "slipway/http/server.h"

#include <gtest/gtest.h>

#include <future>
#include <stdexcept>
#include <thread>

#include "slipway/http/transport.h"

namespace slipway::http {
namespace {

class ServerTest : public testing::Test {
 protected:
  void serve(Handler handler, ServerOptions options = {}) {
    auto started = Server::start(options, std::move(handler), Logger());
    ASSERT_TRUE(started) << started.error().message;
    server_ = *std::move(started);
  }
  std::string url(const std::string& target) const {
    return "http://127.0.0.1:" + std::to_string(server_->port()) + target;
  }
  Result<Reply> send(const std::string& method, const std::string& target, const std::string& body = "") {
    return client_->send({.method = method, .url = url(target), .body = body});
  }

  std::unique_ptr<Server> server_;
  std::unique_ptr<Transport> client_ = make_curl_transport();
};

Response echo(const Request& request) {
  Response response;
  response.body = request.method + " " + request.path +
                  " q=" + (request.query.count("q") ? request.query.at("q") : "-") + " body=" + request.body;
  response.headers.emplace_back("X-Seen", request.header("x-sent"));
  return response;
}

TEST_F(ServerTest, HandsOverMethodPathQueryHeadersAndBody) {
  serve(echo);
  const auto reply =
      client_->send({.method = "POST", .url = url("/a%20b?q=1%262+3&x"), .headers = {{"X-Sent", "yes"}}, .body = "hi"});
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->status, 200);
  EXPECT_EQ(reply->body, "POST /a b q=1&2 3 body=hi");
  EXPECT_EQ(reply->headers.at("x-seen"), "yes");
}

TEST_F(ServerTest, KeepsConnectionsForTheNextRequest) {
  serve([](const Request& request) { return Response{200, "text/plain", request.peer, {}}; });
  const auto first = send("GET", "/");
  const auto second = send("GET", "/");
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->body, second->body);
}

TEST_F(ServerTest, ClientRefusesLinkLocalAddressesWhenTold) {
  serve(echo);
  for (const char* address : {"http://169.254.169.254/", "http://[fe80::1]/", "http://[::ffff:169.254.169.254]/"}) {
    const auto reply = client_->send({.url = address, .timeout = std::chrono::seconds(5), .refuse_link_local = true});
    ASSERT_FALSE(reply) << address;
    EXPECT_EQ(reply.error().code, ErrorCode::Unavailable) << reply.error().message;
  }
  EXPECT_TRUE(client_->send({.url = url("/"), .refuse_link_local = true}));
}

TEST_F(ServerTest, RefusesLargeBodies) {
  serve(echo, {.body_bytes_max = 10});
  const auto reply = send("POST", "/", std::string(11, 'x'));
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->status, 413);
  EXPECT_EQ(send("POST", "/", std::string(10, 'x'))->status, 200);
}

TEST_F(ServerTest, TurnsExceptionsInto500) {
  serve([](const Request&) -> Response { throw std::runtime_error("secret detail"); });
  const auto reply = send("GET", "/");
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->status, 500);
  EXPECT_EQ(reply->body.find("secret detail"), std::string::npos);
}

TEST_F(ServerTest, AnswersHeadWithoutABody) {
  serve([](const Request&) { return Response{200, "text/plain", "12345", {}}; });
  const auto reply = send("HEAD", "/");
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->body, "");
  EXPECT_EQ(reply->headers.at("Content-Length"), "5");
}

TEST_F(ServerTest, SaysWhenTheQueueIsFull) {
  std::promise<void> release;
  auto gate = release.get_future().share();
  std::promise<void> entered;
  serve(
      [&, gate](const Request&) {
        entered.set_value();
        gate.wait();
        return Response{};
      },
      {.workers = 1, .queue_max = 1});
  std::thread slow([this] { EXPECT_EQ(make_curl_transport()->send({.url = url("/")})->status, 200); });
  entered.get_future().wait();
  const auto refused = send("GET", "/");
  release.set_value();
  slow.join();
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->status, 503);
  EXPECT_EQ(refused->headers.at("retry-after"), "1");
}

TEST_F(ServerTest, DrainsWhatIsInWork) {
  std::promise<void> entered;
  std::promise<void> release;
  auto gate = release.get_future().share();
  serve([&, gate](const Request&) {
    entered.set_value();
    gate.wait();
    return Response{200, "text/plain", "done", {}};
  });
  std::thread client([this] {
    const auto reply = make_curl_transport()->send({.url = url("/")});
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->body, "done");
  });
  entered.get_future().wait();
  std::thread drainer([this] { server_->drain(std::chrono::seconds(20)); });
  release.set_value();
  drainer.join();
  client.join();
  const auto after = make_curl_transport()->send({.url = url("/")});
  ASSERT_FALSE(after);
  EXPECT_EQ(after.error().code, ErrorCode::Unavailable);
}

TEST(Server, NamesATakenPort) {
  auto first = Server::start(
      {}, [](const Request&) { return Response{}; }, Logger());
  ASSERT_TRUE(first);
  const auto second = Server::start(
      {.port = (*first)->port()}, [](const Request&) { return Response{}; }, Logger());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::Conflict);
}

TEST(CurlTransport, TellsWhyItFailed) {
  const auto client = make_curl_transport();
  const auto refused = client->send({.url = "http://127.0.0.1:1/"});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::Unavailable);
  const auto scheme = client->send({.url = "ftp://127.0.0.1/"});
  ASSERT_FALSE(scheme);
  EXPECT_EQ(scheme.error().code, ErrorCode::InvalidArgument);
}

}  // namespace
}  // namespace slipway::http
