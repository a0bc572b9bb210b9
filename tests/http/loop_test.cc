#include "slipway/http/loop.h"

#include <gtest/gtest.h>

#include <future>

#include "support/scripted_server.h"

namespace slipway::http {
namespace {

using test::Peer;
using test::ScriptedServer;
using namespace std::chrono_literals;

class LoopTest : public testing::Test {
 protected:
  StreamEnd run(StreamCall call, std::function<Flow(std::string_view)> on_data = {}) {
    std::promise<StreamEnd> ended;
    loop_->send(std::move(call),
                {.on_data = std::move(on_data), .on_end = [&](StreamEnd end) { ended.set_value(std::move(end)); }});
    return ended.get_future().get();
  }

  SystemClock clock_;
  std::unique_ptr<Loop> loop_ = make_curl_loop(clock_);
};

TEST_F(LoopTest, SendsMethodHeadersAndBodyAndCollectsTheReply) {
  ScriptedServer server([](const Request& request, Peer& peer) {
    peer.reply(201, request.method + " " + request.path + " " + request.header("X-A") + " " + request.body,
               {{"X-Back", "yes"}});
  });
  const StreamEnd end =
      run({.method = "PATCH", .url = server.url() + "/a/../b", .headers = {{"X-A", "1"}, {"X-A", "2"}}, .body = "hi"});
  ASSERT_TRUE(end.reply) << end.reply.error().message;
  EXPECT_EQ(end.reply->status, 201);
  EXPECT_EQ(end.reply->body, "PATCH /a/../b 1,2 hi");
  EXPECT_EQ(end.reply->headers.at("x-back"), "yes");
}

TEST_F(LoopTest, HandsOverBytesAsTheyCome) {
  std::promise<void> first;
  ScriptedServer server([&](const Request&, Peer& peer) {
    peer.begin(200);
    peer.chunk("one");
    first.get_future().wait();  // only sent once the client has the first
    peer.chunk("two");
    peer.end();
  });
  std::string seen;
  const StreamEnd end = run({.url = server.url()}, [&](std::string_view bytes) {
    if (seen.empty()) first.set_value();
    seen += bytes;
    return Flow::Go;
  });
  ASSERT_TRUE(end.reply);
  EXPECT_EQ(seen, "onetwo");
  EXPECT_EQ(end.reply->body, "");
}

TEST_F(LoopTest, CollectsWhatIsNoSuccessAlsoForAStream) {
  ScriptedServer server([](const Request&, Peer& peer) { peer.reply(410, "gone"); });
  int calls = 0;
  const StreamEnd end = run({.url = server.url()}, [&](std::string_view) { return ++calls, Flow::Go; });
  EXPECT_EQ(end.reply->body, "gone");
  EXPECT_EQ(calls, 0);
}

TEST_F(LoopTest, PausesUntilResumed) {
  ScriptedServer server([](const Request&, Peer& peer) { peer.reply(200, "abc"); });
  std::promise<StreamEnd> ended;
  std::promise<void> paused;
  std::string seen;
  int calls = 0;
  const StreamId id =
      loop_->send({.url = server.url()}, {.on_data =
                                              [&](std::string_view bytes) {
                                                if (++calls == 1) {
                                                  paused.set_value();
                                                  return Flow::Pause;
                                                }
                                                seen += bytes;
                                                return Flow::Go;
                                              },
                                          .on_end = [&](StreamEnd end) { ended.set_value(std::move(end)); }});
  paused.get_future().wait();
  loop_->resume(id);
  EXPECT_TRUE(ended.get_future().get().reply);
  EXPECT_EQ(seen, "abc");
}

TEST_F(LoopTest, AReaderMayStopIt) {
  ScriptedServer server([](const Request&, Peer& peer) {
    peer.begin(200);
    peer.chunk("x");
    peer.hold();
  });
  const StreamEnd end = run({.url = server.url()}, [](std::string_view) { return Flow::Stop; });
  ASSERT_FALSE(end.reply);
  EXPECT_EQ(end.reply.error().code, ErrorCode::Cancelled);
}

TEST_F(LoopTest, CallsNothingAfterCancel) {
  std::promise<StreamId> id;
  std::promise<void> done;
  auto id_future = id.get_future().share();
  ScriptedServer server([](const Request&, Peer& peer) {
    peer.begin(200);
    peer.chunk("x");
    peer.hold();
  });
  int ends = 0;
  id.set_value(loop_->send({.url = server.url()}, {.on_data =
                                                       [&](std::string_view) {
                                                         loop_->cancel(id_future.get());
                                                         loop_->post([&] { done.set_value(); });
                                                         return Flow::Go;
                                                       },
                                                   .on_end = [&](StreamEnd) { ++ends; }}));
  done.get_future().wait();
  loop_.reset();
  EXPECT_EQ(ends, 0);
}

struct BreakCase {
  const char* name;
  std::function<void(Peer&)> script;
  ErrorCode code;
};

TEST_F(LoopTest, TellsHowItBroke) {
  const BreakCase cases[] = {
      {"reset before the reply", [](Peer& peer) { peer.reset(); }, ErrorCode::Unavailable},
      {"closed in the middle of a body",
       [](Peer& peer) {
         peer.begin(200);
         peer.chunk("x");
         peer.close();
       },
       ErrorCode::Unavailable},
      {"no reply in time", [](Peer& peer) { peer.hold(); }, ErrorCode::TimedOut},
      {"a reply over the limit", [](Peer& peer) { peer.reply(200, std::string(2000, 'x')); }, ErrorCode::TooLarge},
  };
  for (const BreakCase& broken : cases) {
    ScriptedServer server([&](const Request&, Peer& peer) { broken.script(peer); });
    const StreamEnd end = run({.url = server.url(), .timeout = 300ms, .reply_bytes_max = 1000});
    ASSERT_FALSE(end.reply) << broken.name;
    EXPECT_EQ(end.reply.error().code, broken.code) << broken.name << ": " << end.reply.error().message;
    EXPECT_TRUE(end.sent) << broken.name;
  }
}

TEST_F(LoopTest, KnowsWhatWasNeverSent) {
  const StreamEnd refused = run({.url = "http://127.0.0.1:1/"});
  EXPECT_EQ(refused.reply.error().code, ErrorCode::Unavailable);
  EXPECT_FALSE(refused.sent);
  const StreamEnd scheme = run({.url = "ftp://127.0.0.1/"});
  EXPECT_EQ(scheme.reply.error().code, ErrorCode::InvalidArgument);
  EXPECT_FALSE(scheme.sent);
}

TEST_F(LoopTest, ReusesConnectionsUnlessOneIsAskedFor) {
  ScriptedServer server([](const Request&, Peer& peer) { peer.reply(200, "{}"); });
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(run({.url = server.url()}).reply);
  EXPECT_EQ(server.connections(), 1);
}

TEST_F(LoopTest, RunsManyAtOnce) {
  std::promise<void> release;
  auto gate = release.get_future().share();
  ScriptedServer server([gate](const Request& request, Peer& peer) {
    gate.wait();
    peer.reply(200, request.path);
  });
  std::vector<std::promise<StreamEnd>> ends(50);
  for (std::size_t i = 0; i < ends.size(); ++i)
    loop_->send({.url = server.url() + "/" + std::to_string(i)},
                {.on_end = [&ends, i](StreamEnd end) { ends[i].set_value(std::move(end)); }});
  EXPECT_TRUE(server.wait_for_requests(50));  // all are open before the first is answered
  release.set_value();
  for (std::size_t i = 0; i < ends.size(); ++i)
    EXPECT_EQ(ends[i].get_future().get().reply->body, "/" + std::to_string(i));
}

TEST_F(LoopTest, ConnectsElsewhereUnderTheName) {
  ScriptedServer server([](const Request& request, Peer& peer) { peer.reply(200, request.header("Host")); });
  const StreamEnd end =
      run({.url = "http://kubernetes.default:6443/", .connect_to = "127.0.0.1:" + std::to_string(server.port())});
  ASSERT_TRUE(end.reply) << end.reply.error().message;
  EXPECT_EQ(end.reply->body, "kubernetes.default:6443");
}

TEST_F(LoopTest, UsesAProxyExceptWhereToldNotTo) {
  ScriptedServer proxy([](const Request& request, Peer& peer) { peer.reply(200, "by proxy " + request.path); });
  const StreamEnd through = run({.url = "http://far.invalid/x", .proxy = proxy.url()});
  EXPECT_EQ(through.reply->body, "by proxy http://far.invalid/x");
  EXPECT_EQ(run({.url = proxy.url() + "/y", .proxy = "http://127.0.0.1:1", .no_proxy = "127.0.0.1"}).reply->body,
            "by proxy /y");
}

TEST_F(LoopTest, TimersRunInOrderAndMayBeCancelled) {
  std::promise<std::string> all;
  std::string seen;
  loop_->after(20ms, [&] { all.set_value(seen + "late"); });
  const TimerId never = loop_->after(10ms, [&] { seen += "never "; });
  loop_->after(1ms, [&] {
    seen += "early ";
    loop_->cancel_timer(never);
  });
  EXPECT_EQ(all.get_future().get(), "early late");
}

TEST_F(LoopTest, EndsWithRequestsOpen) {
  ScriptedServer server([](const Request&, Peer& peer) { peer.hold(); });
  int ends = 0;
  for (int i = 0; i < 5; ++i) loop_->send({.url = server.url()}, {.on_end = [&](StreamEnd) { ++ends; }});
  server.wait_for_requests(5);
  loop_.reset();
  EXPECT_EQ(ends, 0);
}

}  // namespace
}  // namespace slipway::http
