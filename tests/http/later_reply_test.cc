#include "slipway/http/later_reply.h"

#include <gtest/gtest.h>

#include <boost/asio.hpp>
#include <future>
#include <thread>

#include "slipway/http/server.h"
#include "slipway/http/transport.h"

namespace slipway::http {
namespace {

using boost::asio::ip::tcp;

class LaterReplyTest : public testing::Test {
 protected:
  // Serves one reply, which the test writes.
  void serve() {
    auto started = Server::start(
        {.workers = 1}, [this](const Request&) { return Response{.later = reply_}; }, Logger());
    ASSERT_TRUE(started) << started.error().message;
    server_ = *std::move(started);
  }
  std::future<Result<Reply>> get(const std::string& method = "GET") {
    return std::async(std::launch::async, [this, method] {
      return make_curl_transport()->send(
          {.method = method, .url = "http://127.0.0.1:" + std::to_string(server_->port()) + "/"});
    });
  }
  // A connection that has sent `request` and reads by hand.
  tcp::socket& ask(const std::string& request) {
    socket_.connect({boost::asio::ip::make_address("127.0.0.1"), server_->port()});
    boost::asio::write(socket_, boost::asio::buffer(request));
    return socket_;
  }
  std::string read_until(const std::string& end) {
    boost::asio::read_until(socket_, boost::asio::dynamic_buffer(received_), end);
    return received_;
  }
  std::future<void> gone() {
    auto promise = std::make_shared<std::promise<void>>();
    reply_->on_gone([promise] { promise->set_value(); });
    return promise->get_future();
  }

  std::shared_ptr<LaterReply> reply_ = std::make_shared<LaterReply>(1000);
  std::unique_ptr<Server> server_;
  boost::asio::io_context io_;
  tcp::socket socket_{io_};
  std::string received_;
};

const std::string kAsk = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

TEST_F(LaterReplyTest, ComesWhole) {
  serve();
  auto client = get();
  reply_->send({.status = 201, .content_type = "text/plain", .body = "late", .headers = {{"X-A", "b"}}});
  const auto reply = client.get();
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->status, 201);
  EXPECT_EQ(reply->body, "late");
  EXPECT_EQ(reply->headers.at("x-a"), "b");
  EXPECT_EQ(reply->headers.at("Content-Length"), "4");
}

TEST_F(LaterReplyTest, ComesInPiecesThatTheClientSeesAtOnce) {
  serve();
  ask(kAsk);
  reply_->begin({.content_type = "text/event-stream", .body = "one"});
  EXPECT_NE(read_until("one\r\n").find("Transfer-Encoding: chunked\r\n"), std::string::npos);
  EXPECT_TRUE(reply_->write("two"));
  EXPECT_TRUE(read_until("3\r\ntwo\r\n").ends_with("3\r\none\r\n3\r\ntwo\r\n"));
  reply_->end();
  EXPECT_TRUE(read_until("\r\n0\r\n\r\n").ends_with("two\r\n0\r\n\r\n"));
  EXPECT_FALSE(reply_->write("three"));
}

TEST_F(LaterReplyTest, ConnectionServesTheNextRequest) {
  serve();
  ask(kAsk);
  reply_->begin({.body = "one"});
  reply_->end();
  read_until("\r\n0\r\n\r\n");
  reply_ = std::make_shared<LaterReply>();
  reply_->send({.status = 200, .content_type = "text/plain", .body = "again"});
  boost::asio::write(socket_, boost::asio::buffer(kAsk));
  EXPECT_TRUE(read_until("again").ends_with("\r\n\r\nagain"));
}

TEST_F(LaterReplyTest, OldClientsReadUntilTheEndOfTheConnection) {
  serve();
  ask("GET / HTTP/1.0\r\n\r\n");
  reply_->begin({.body = "one"});
  reply_->write("two");
  reply_->end();
  boost::system::error_code end;
  boost::asio::read(socket_, boost::asio::dynamic_buffer(received_), end);
  EXPECT_EQ(end, boost::asio::error::eof);
  EXPECT_TRUE(received_.ends_with("\r\n\r\nonetwo")) << received_;
}

TEST_F(LaterReplyTest, HeadOfAStreamEndsAtOnce) {
  serve();
  auto client = get("HEAD");
  reply_->begin({.content_type = "text/event-stream", .body = "one"});
  const auto reply = client.get();
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->body, "");
  gone().wait();
}

TEST_F(LaterReplyTest, SaysThatTheClientHasGone) {
  serve();
  ask(kAsk);
  auto before_any_byte = gone();
  socket_.close();
  before_any_byte.wait();
  EXPECT_FALSE(reply_->write("x"));
  gone().wait();  // known already
}

TEST_F(LaterReplyTest, SaysSoInTheMiddleToo) {
  serve();
  ask(kAsk);
  reply_->begin({.body = "one"});
  read_until("one\r\n");
  auto later = gone();
  socket_.close();
  later.wait();
}

TEST_F(LaterReplyTest, CutsAClientThatDoesNotRead) {
  serve();
  auto lost = gone();
  reply_->begin({.body = "one"});
  EXPECT_FALSE(reply_->write(std::string(1001, 'x'))) << "nothing has taken the first yet";
  ask(kAsk);
  lost.wait();
}

TEST_F(LaterReplyTest, ServerDestroyedMeanwhile) {
  serve();
  ask(kAsk);
  reply_->begin({.body = "one"});
  read_until("one\r\n");
  auto lost = gone();
  server_.reset();
  lost.wait();
  EXPECT_FALSE(reply_->write("x"));
}

TEST_F(LaterReplyTest, DrainWaitsForItsEnd) {
  serve();
  ask(kAsk);
  reply_->begin({.body = "one"});
  read_until("one\r\n");
  auto drained = std::async(std::launch::async, [this] { server_->drain(std::chrono::seconds(20)); });
  EXPECT_EQ(drained.wait_for(std::chrono::milliseconds(20)), std::future_status::timeout);
  reply_->write("two");
  reply_->end();
  drained.wait();
  EXPECT_TRUE(read_until("\r\n0\r\n\r\n").ends_with("two\r\n0\r\n\r\n"));
}

}  // namespace
}  // namespace slipway::http
