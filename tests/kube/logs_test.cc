#include "slipway/kube/logs.h"

#include <gtest/gtest.h>

#include <future>

#include "support/scripted_server.h"

namespace slipway::kube {
namespace {

using http::Request;
using test::Peer;
using test::ScriptedServer;
using namespace std::chrono_literals;

std::string line(int second, int nano, const std::string& text) {
  char stamp[64];
  std::snprintf(stamp, sizeof stamp, "2024-11-01T06:30:%02d.%09dZ ", second, nano);
  return stamp + text + "\n";
}

// The texts that were new, with bars between.
class Cursor {
 public:
  void take(std::string_view bytes) { cursor.take(bytes, emit()); }
  LogCursor::Emit emit() {
    return [this](const LogLine& got) { seen += std::string(got.text) + "|"; };
  }
  LogCursor cursor;
  std::string seen;
};

TEST(LogCursor, GivesWholeLinesWhereverTheyAreCut) {
  const std::string all = line(1, 5, "one") + line(1, 6, "") + line(2, 0, "thr ee");
  for (std::size_t cut = 0; cut <= all.size(); ++cut) {
    Cursor c;
    c.cursor.begin();
    c.take(all.substr(0, cut));
    c.take(all.substr(cut));
    EXPECT_EQ(c.seen, "one||thr ee|") << cut;
    EXPECT_EQ(c.cursor.since(), "2024-11-01T06:30:02Z");
  }
}

TEST(LogCursor, EveryCutOfAStreamIsResumedWithoutLossOrDouble) {
  const std::string all =
      line(1, 5, "a") + line(2, 1, "b") + line(2, 1, "b") + line(2, 1, "c") + line(2, 9, "b") + line(3, 0, "d");
  for (std::size_t cut = 0; cut <= all.size(); ++cut) {
    Cursor c;
    c.cursor.begin();
    c.take(all.substr(0, cut));
    // The server gives everything from the second that is asked for.
    const std::string since = c.cursor.since();
    const auto from = since.empty() ? 0 : all.find(since.substr(0, 19));
    c.cursor.begin();
    c.take(all.substr(from));
    EXPECT_EQ(c.seen, "a|b|b|c|b|d|") << cut;
  }
}

TEST(LogCursor, IsMadeAgainFromWhatIsStored) {
  Cursor c;
  c.cursor.stored({"2024-11-01T06:30:02.000000001Z", "b"});
  c.cursor.stored({"2024-11-01T06:30:02.000000001Z", "b"});
  c.cursor.begin();
  c.take(line(2, 1, "b") + line(2, 1, "b") + line(2, 1, "b") + line(2, 2, "e"));
  EXPECT_EQ(c.seen, "b|e|");  // the third is new
}

TEST(LogCursor, UnderstandsTheNodesOwnOffset) {
  Cursor c;
  c.take("2024-11-01T08:30:02.5+02:00 x\n");
  EXPECT_EQ(c.cursor.since(), "2024-11-01T06:30:02Z");
  EXPECT_EQ(c.seen, "x|");
}

TEST(LogCursor, AClockThatIsSetBackLosesNothing) {
  Cursor c;
  c.take(line(5, 0, "a") + line(3, 0, "b") + line(5, 1, "c"));
  EXPECT_EQ(c.seen, "a|b|c|");
}

TEST(LogCursor, PassesOverWhatTheKubeletSaysItself) {
  Cursor c;
  c.take("unable to retrieve container logs for containerd://x\n2024-11-01 no stamp\n" + line(1, 0, "a"));
  EXPECT_EQ(c.seen, "a|");
}

TEST(LogCursor, TheLastLineNeedsNoBreak) {
  Cursor c;
  const std::string text = line(1, 0, "end");
  c.take(std::string_view(text).substr(0, text.size() - 1));
  EXPECT_EQ(c.seen, "");
  c.cursor.finish(c.emit());
  EXPECT_EQ(c.seen, "end|");
}

TEST(LogCursor, CutsLinesWithoutEnd) {
  Cursor c;
  const std::string text(LogCursor::kLineBytesMax * 2, 'x');
  std::size_t bytes = 0;
  int lines = 0;
  const auto count = [&](const LogLine& got) {
    bytes += got.text.size();
    ++lines;
    EXPECT_EQ(got.stamp, "2024-11-01T06:30:01.000000000Z");
  };
  c.cursor.take(line(1, 0, text), count);
  EXPECT_EQ(bytes, text.size());
  EXPECT_EQ(lines, 3);
}

class LogFollowerTest : public testing::Test {
 protected:
  using Script = std::function<void(int number, const Request&, Peer&)>;

  // `script` answers logs, by number from 1; the pod is what `pod_` says.
  void follow(Script script, LogCursor cursor = {}) {
    server_ = std::make_unique<ScriptedServer>([this, script](const Request& request, Peer& peer) {
      if (request.path == "/api/v1/namespaces/a/pods/p/log") return script(++logs_, request, peer);
      const std::lock_guard lock(mutex_);
      peer.reply(pod_.empty() ? 404 : 200, pod_);
    });
    ClientConfig config;
    config.cluster.server = server_->url();
    auto client = Client::create(config, {.retry = {.transient_max = 0, .first = 1ms, .longest = 2ms}},
                                 {.clock = clock_}, Logger());
    ASSERT_TRUE(client) << client.error().message;
    client_ = *std::move(client);
    follower_ = std::make_unique<LogFollower>(
        *client_, LogFollowOptions{.pod = {kPods, "a", "p"}, .uid = "u", .backoff_first = 1ms, .backoff_longest = 2ms},
        std::move(cursor),
        LogFollowCallbacks{.on_line = [this](const LogLine& got) { seen_ += std::string(got.text) + "|"; },
                           .on_end = [this](LogEnd end, const auto&) { ended_.set_value(end); }});
  }
  std::string end() { return std::string(kLogEnds.text(ended_.get_future().get())); }
  void set_pod(const std::string& state, const std::string& uid = "u", const std::string& phase = "Running") {
    const std::lock_guard lock(mutex_);
    pod_ = R"({"metadata":{"uid":")" + uid + R"("},"status":{"phase":")" + phase +
           R"(","containerStatuses":[{"name":"sidecar","state":{"running":{}}},{"name":"main","state":{")" + state +
           R"(":{}}}]}})";
  }
  void forget_pod() {
    const std::lock_guard lock(mutex_);
    pod_.clear();
  }

  SystemClock clock_;
  std::mutex mutex_;
  std::string pod_;
  std::atomic<int> logs_{0};
  std::string seen_;
  std::promise<LogEnd> ended_;
  std::unique_ptr<ScriptedServer> server_;
  std::unique_ptr<Client> client_;
  std::unique_ptr<LogFollower> follower_;
};

TEST_F(LogFollowerTest, ReadsOnceMoreAfterTheContainerEnded) {
  set_pod("terminated");
  follow([](int number, const Request& request, Peer& peer) {
    if (number == 1) {
      EXPECT_EQ(request.query.at("follow"), "true");
      EXPECT_EQ(request.query.at("timestamps"), "true");
      EXPECT_EQ(request.query.at("container"), "main");
      EXPECT_EQ(request.query.count("sinceTime"), 0U);
      return peer.reply(200, line(1, 0, "a"));
    }
    EXPECT_EQ(request.query.count("follow"), 0U);
    EXPECT_EQ(request.query.at("sinceTime"), "2024-11-01T06:30:01Z");
    peer.reply(200, line(1, 0, "a") + line(1, 1, "b"));
  });
  EXPECT_EQ(end(), "complete");
  EXPECT_EQ(seen_, "a|b|");
}

TEST_F(LogFollowerTest, GoesOnAfterCutsWhileTheContainerRuns) {
  set_pod("running");
  follow([this](int number, const Request& request, Peer& peer) {
    switch (number) {
      case 1:  // cut in the middle of a line
        peer.begin(200);
        peer.chunk(line(1, 0, "a") + "2024-11-01T06:30:01.0000");
        return peer.close();
      case 2: return peer.reply(502, "dial tcp 10.0.0.7:10250: connect: refused");
      case 3: return peer.reply(200, line(1, 0, "a") + line(1, 5, "b"));  // a clean end that is none
      case 4: set_pod("terminated"); return peer.reply(200, line(1, 0, "a") + line(1, 5, "b") + line(2, 0, "c"));
      default: EXPECT_EQ(request.query.count("follow"), 0U); return peer.reply(200, line(2, 0, "c"));
    }
  });
  EXPECT_EQ(end(), "complete");
  EXPECT_EQ(seen_, "a|b|c|");
  EXPECT_EQ(logs_, 5);
}

TEST_F(LogFollowerTest, WaitsForAContainerThatIsBeingCreated) {
  set_pod("waiting");
  follow([this](int number, const Request&, Peer& peer) {
    if (number < 3) return peer.reply(400, R"({"kind":"Status","message":"container is waiting to start"})");
    set_pod("terminated");
    peer.reply(200, line(1, 0, "a"));
  });
  EXPECT_EQ(end(), "complete");
  EXPECT_EQ(seen_, "a|");
}

TEST_F(LogFollowerTest, APodThatIsGoneOrAnotherEndsIt) {
  forget_pod();
  follow([](int, const Request&, Peer& peer) {
    peer.begin(200);
    peer.chunk(line(1, 0, "a"));
    peer.reset();
  });
  EXPECT_EQ(end(), "pod-gone");
  EXPECT_EQ(seen_, "a|");
}

TEST_F(LogFollowerTest, AStreamThatEndsBeforeItsPodGoesIsToldApart) {
  forget_pod();
  const std::string text = line(1, 0, "a") + line(2, 0, "end");
  follow([text](int, const Request&, Peer& peer) { peer.reply(200, text.substr(0, text.size() - 1)); });
  EXPECT_EQ(end(), "stream-ended");
  EXPECT_EQ(seen_, "a|end|");
}

TEST_F(LogFollowerTest, APodThatGoesBeforeTheLastReadLosesNothing) {
  set_pod("terminated");
  const std::string text = line(1, 0, "a") + line(2, 0, "end");
  follow([text](int number, const Request&, Peer& peer) {
    if (number == 1) return peer.reply(200, text.substr(0, text.size() - 1));
    peer.reply(404, R"({"kind":"Status","status":"Failure","code":404,"reason":"NotFound","message":"no such pod"})");
  });
  EXPECT_EQ(end(), "stream-ended");
  EXPECT_EQ(seen_, "a|end|");
}

TEST_F(LogFollowerTest, AnotherPodOfTheNameIsNotOurs) {
  set_pod("running", "other");
  follow([](int, const Request&, Peer& peer) { peer.reply(200, line(1, 0, "a")); });
  EXPECT_EQ(end(), "pod-gone");
}

TEST_F(LogFollowerTest, APodThatEndedWithoutAWordOfItsContainersIsEnded) {
  set_pod("waiting", "u", "Failed");
  follow([](int number, const Request&, Peer& peer) {
    if (number == 1) return peer.reply(200, "");
    peer.reply(400, R"({"kind":"Status","message":"container never started"})");
  });
  EXPECT_EQ(end(), "complete");
}

TEST_F(LogFollowerTest, TellsWhenItMayNotRead) {
  set_pod("running");
  follow([](int, const Request&, Peer& peer) { peer.reply(403, R"({"kind":"Status","reason":"Forbidden"})"); });
  EXPECT_EQ(end(), "refused");
}

TEST_F(LogFollowerTest, StartsBehindWhatIsStored) {
  set_pod("terminated");
  LogCursor cursor;
  cursor.stored({"2024-11-01T06:30:01.000000000Z", "a"});
  follow(
      [](int, const Request& request, Peer& peer) {
        EXPECT_EQ(request.query.at("sinceTime"), "2024-11-01T06:30:01Z");
        peer.reply(200, line(1, 0, "a") + line(1, 1, "b"));
      },
      std::move(cursor));
  EXPECT_EQ(end(), "complete");
  EXPECT_EQ(seen_, "b|");
}

TEST_F(LogFollowerTest, IsSilentOnceItIsGone) {
  set_pod("running");
  follow([](int, const Request&, Peer& peer) {
    peer.begin(200);
    peer.hold();
  });
  ASSERT_TRUE(server_->wait_for_requests(1));
  follower_.reset();
  client_.reset();
  EXPECT_EQ(seen_, "");
}

}  // namespace
}  // namespace slipway::kube
