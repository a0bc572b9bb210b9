#include "slipway/kube/reflector.h"

#include <gtest/gtest.h>

#include "support/scripted_server.h"

namespace slipway::kube {
namespace {

using http::Request;
using test::Peer;
using test::ScriptedServer;
using namespace std::chrono_literals;

std::string pod(const std::string& name, const std::string& version, const std::string& uid = "") {
  return R"({"metadata":{"name":")" + name + R"(","namespace":"a","uid":")" + (uid.empty() ? "uid-" + name : uid) +
         R"(","resourceVersion":")" + version + "\"}}";
}
std::string list(const std::string& version, const std::string& items, const std::string& more = "") {
  return R"({"kind":"PodList","metadata":{"resourceVersion":")" + version + R"(","continue":")" + more +
         R"("},"items":[)" + items + "]}";
}
std::string event(const std::string& type, const std::string& object) {
  return R"({"type":")" + type + R"(","object":)" + object + "}\n";
}
const std::string kGone =
    event("ERROR", R"({"kind":"Status","code":410,"reason":"Expired","message":"too old resource version"})");

// What the mirror says, in order: "+p" added, "~p" modified, "-p" removed, "-?p" removed and missed, "synced",
// "failure KIND".
class Told {
 public:
  ReflectorCallbacks callbacks() {
    return {.on_change = [this](const Change& change) { add(mark(change)); },
            .on_synced = [this] { add("synced"); },
            .on_failure =
                [this](const Failure& failure) { add("failure " + std::string(kFailureKinds.text(failure.kind))); }};
  }
  // All so far, once there are so many; what there is after 20 s.
  std::string wait(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, 20s, [&] { return told_.size() >= count; });
    std::string out;
    for (const std::string& one : told_) out += (out.empty() ? "" : ", ") + one;
    return out;
  }

 private:
  static std::string mark(const Change& change) {
    constexpr const char* kMarks[] = {"+", "~", "-"};
    return std::string(kMarks[static_cast<int>(change.kind)]) + (change.missed ? "?" : "") +
           change.object.find("metadata")->get_string("name");
  }
  void add(std::string text) {
    const std::lock_guard lock(mutex_);
    told_.push_back(std::move(text));
    changed_.notify_all();
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> told_;
};

class ReflectorTest : public testing::Test {
 protected:
  // `script` gets the number of the list or of the watch, from 1.
  using Script = std::function<void(int number, const Request&, Peer&)>;

  void start(Script on_list, Script on_watch) {
    server_ = std::make_unique<ScriptedServer>(
        [this, on_list = std::move(on_list), on_watch = std::move(on_watch)](const Request& request, Peer& peer) {
          if (request.query.count("watch") > 0) return on_watch(++watches_, request, peer);
          on_list(++lists_, request, peer);
        });
    ClientConfig config;
    config.cluster.server = server_->url();
    auto client = Client::create(config, {.retry = {.transient_max = 0, .first = 1ms, .longest = 2ms}},
                                 {.clock = clock_}, Logger());
    ASSERT_TRUE(client) << client.error().message;
    client_ = *std::move(client);
    reflector_ = std::make_unique<Reflector>(*client_, clock_, options_, told_.callbacks(), 1, Logger());
  }
  static void hold(int, const Request&, Peer& peer) {
    peer.begin(200);
    peer.hold();
  }
  // The resource version of each watch so far.
  std::string versions() const {
    std::string out;
    for (const Request& request : server_->requests())
      if (request.query.count("watch") > 0)
        out += (out.empty() ? "" : " ") +
               (request.query.count("resourceVersion") ? request.query.at("resourceVersion") : "-");
    return out;
  }

  SystemClock clock_;
  ReflectorOptions options_{.collection = {kPods, "a", ""},
                            .label_selector = "mine=1",
                            .page = 2,
                            .backoff_first = 1ms,
                            .backoff_longest = 2ms,
                            .short_watch = 0ms};
  Told told_;
  std::atomic<int> lists_{0};
  std::atomic<int> watches_{0};
  std::unique_ptr<ScriptedServer> server_;
  std::unique_ptr<Client> client_;
  std::unique_ptr<Reflector> reflector_;
};

TEST_F(ReflectorTest, ListsByPageAndWatchesFromTheListsVersion) {
  start(
      [](int number, const Request& request, Peer& peer) {
        EXPECT_EQ(request.query.at("labelSelector"), "mine=1");
        EXPECT_EQ(request.query.at("limit"), "2");
        EXPECT_EQ(request.query.count("resourceVersion"), 0U);
        if (number == 1) return peer.reply(200, list("10", pod("p", "1") + "," + pod("q", "2"), "next"));
        EXPECT_EQ(request.query.at("continue"), "next");
        peer.reply(200, list("10", pod("r", "3")));
      },
      [](int, const Request& request, Peer& peer) {
        EXPECT_EQ(request.query.at("labelSelector"), "mine=1");
        EXPECT_EQ(request.query.at("allowWatchBookmarks"), "true");
        const int seconds = std::stoi(request.query.at("timeoutSeconds"));
        EXPECT_GE(seconds, 300);
        EXPECT_LE(seconds, 600);
        hold(0, request, peer);
      });
  EXPECT_EQ(told_.wait(4), "+p, +q, +r, synced");
  EXPECT_TRUE(reflector_->synced());
  EXPECT_EQ(reflector_->objects().size(), 3U);
  EXPECT_TRUE(reflector_->find("a/q"));
  EXPECT_FALSE(reflector_->find("a/x"));
  ASSERT_TRUE(server_->wait_for_requests(3));
  EXPECT_EQ(versions(), "10");
}

TEST_F(ReflectorTest, FollowsEventsThatAreCutAnywhere) {
  start([](int, const Request&, Peer& peer) { peer.reply(200, list("10", pod("p", "1"))); },
        [](int, const Request&, Peer& peer) {
          const std::string stream = event("ADDED", pod("q", "11")) + event("MODIFIED", pod("p", "12")) +
                                     event("BOOKMARK", pod("", "13")) + event("DELETED", pod("q", "14"));
          peer.begin(200);
          for (const char& byte : stream) peer.chunk({&byte, 1});
          peer.hold();
        });
  EXPECT_EQ(told_.wait(5), "+p, synced, +q, ~p, -q");
  EXPECT_EQ(reflector_->stats().events, 3U);
}

TEST_F(ReflectorTest, ResumesWhereItWasAfterACutInTheMiddleOfALine) {
  start([](int, const Request&, Peer& peer) { peer.reply(200, list("10", "")); },
        [](int number, const Request& request, Peer& peer) {
          if (number == 2) return hold(number, request, peer);
          const std::string second = event("ADDED", pod("q", "12"));
          peer.begin(200);
          peer.chunk(event("ADDED", pod("p", "11")) + second.substr(0, second.size() / 2));
          peer.close();
        });
  EXPECT_EQ(told_.wait(3), "synced, +p, failure interrupted");
  ASSERT_TRUE(server_->wait_for_requests(3));
  EXPECT_EQ(versions(), "10 11");
  EXPECT_EQ(lists_, 1);
}

TEST_F(ReflectorTest, ABookmarkMovesTheVersionAndACleanEndIsNoFailure) {
  start([](int, const Request&, Peer& peer) { peer.reply(200, list("10", "")); },
        [](int number, const Request& request, Peer& peer) {
          if (number == 2) return hold(number, request, peer);
          peer.begin(200);
          peer.chunk(event("BOOKMARK", pod("", "77")));
          peer.end();
        });
  ASSERT_TRUE(server_->wait_for_requests(3));
  EXPECT_EQ(versions(), "10 77");
  EXPECT_EQ(told_.wait(1), "synced");
}

TEST_F(ReflectorTest, ListsAgainWhenItsVersionIsForgottenInTheStream) {
  start(
      [](int number, const Request&, Peer& peer) {
        peer.reply(200, number == 1 ? list("10", pod("p", "1") + "," + pod("q", "2")) : list("20", pod("q", "19")));
      },
      [](int number, const Request& request, Peer& peer) {
        if (number == 2) return hold(number, request, peer);
        peer.begin(200);
        peer.chunk(kGone);
        peer.hold();
      });
  EXPECT_EQ(told_.wait(6), "+p, +q, synced, -?p, ~q, synced");
  ASSERT_TRUE(server_->wait_for_requests(4));
  EXPECT_EQ(versions(), "10 20");
  EXPECT_EQ(reflector_->stats().expired, 1U);
  EXPECT_EQ(reflector_->stats().failures, 0U);
}

TEST_F(ReflectorTest, ListsAgainWhenTheWatchIsRefusedAsTooOld) {
  start([](int number, const Request&, Peer& peer) { peer.reply(200, list(std::to_string(number * 10), "")); },
        [](int number, const Request& request, Peer& peer) {
          if (number == 2) return hold(number, request, peer);
          peer.reply(410, R"({"kind":"Status","reason":"Expired"})");
        });
  EXPECT_EQ(told_.wait(2), "synced, synced");
  ASSERT_TRUE(server_->wait_for_requests(4));
  EXPECT_EQ(versions(), "10 20");
}

TEST_F(ReflectorTest, AnotherErrorInTheStreamResumesAtTheSameVersion) {
  start([](int, const Request&, Peer& peer) { peer.reply(200, list("10", "")); },
        [](int number, const Request& request, Peer& peer) {
          if (number == 2) return hold(number, request, peer);
          peer.begin(200);
          peer.chunk(event("ERROR", R"({"kind":"Status","code":500,"message":"etcdserver: leader changed"})"));
          peer.end();
        });
  EXPECT_EQ(told_.wait(2), "synced, failure overloaded");
  ASSERT_TRUE(server_->wait_for_requests(3));
  EXPECT_EQ(versions(), "10 10");
}

TEST_F(ReflectorTest, ListsAllAtOnceWhenItsPagesWereForgotten) {
  start(
      [](int number, const Request& request, Peer& peer) {
        if (number == 1) return peer.reply(200, list("10", pod("p", "1"), "next"));
        if (number == 2) return peer.reply(410, R"({"kind":"Status","reason":"Expired"})");
        EXPECT_EQ(request.query.count("limit"), 0U);
        EXPECT_EQ(request.query.count("continue"), 0U);
        peer.reply(200, list("12", pod("p", "1") + "," + pod("q", "2")));
      },
      hold);
  EXPECT_EQ(told_.wait(3), "+p, +q, synced");
}

TEST_F(ReflectorTest, TellsOfFailuresAndGoesOn) {
  start(
      [](int number, const Request&, Peer& peer) {
        if (number == 1) return peer.reply(403, R"({"kind":"Status","reason":"Forbidden"})");
        if (number == 2) return peer.reply(200, "{}");
        peer.reply(200, list("10", ""));
      },
      [](int number, const Request& request, Peer& peer) {
        if (number == 1) return peer.reply(429, "");
        if (number == 2) return peer.begin(200), peer.chunk("no json\n"), peer.hold();
        hold(number, request, peer);
      });
  EXPECT_EQ(told_.wait(6),
            "failure forbidden, failure unexpected, synced, failure too-many-requests, failure unexpected, synced");
}

TEST_F(ReflectorTest, AWatchThatEndsAtOnceIsAFailure) {
  options_.short_watch = 1min;
  start([](int, const Request&, Peer& peer) { peer.reply(200, list("10", "")); },
        [](int number, const Request& request, Peer& peer) {
          if (number == 2) return hold(number, request, peer);
          peer.begin(200);
          peer.end();
        });
  EXPECT_EQ(told_.wait(2), "synced, failure interrupted");
  ASSERT_TRUE(server_->wait_for_requests(3));
}

TEST_F(ReflectorTest, ListsAgainWhenAsked) {
  start([](int number, const Request&,
           Peer& peer) { peer.reply(200, number == 1 ? list("10", pod("p", "1")) : list("11", "")); },
        hold);
  ASSERT_TRUE(server_->wait_for_requests(2));
  reflector_->relist();
  EXPECT_EQ(told_.wait(4), "+p, synced, -?p, synced");
}

TEST_F(ReflectorTest, ListsAgainFromTimeToTime) {
  options_.relist_every = 0ms;
  start([](int, const Request&, Peer& peer) { peer.reply(200, list("10", "")); },
        [](int number, const Request& request, Peer& peer) {
          if (number == 3) return hold(number, request, peer);
          peer.begin(200);
          peer.chunk(event("BOOKMARK", pod("", "11")));
          peer.end();
        });
  EXPECT_EQ(told_.wait(3), "synced, synced, synced");
}

TEST_F(ReflectorTest, LetsTheServerWaitInsteadOfItsMemoryGrow) {
  options_.buffer_bytes_max = 1000;
  start([](int, const Request&, Peer& peer) { peer.reply(200, list("10", "")); },
        [](int, const Request&, Peer& peer) {
          peer.begin(200);
          for (int i = 0; i < 2000; ++i)
            peer.chunk(event("ADDED", pod("p" + std::to_string(i), std::to_string(i + 11))));
          peer.hold();
        });
  EXPECT_NE(told_.wait(2001).find("+p1999"), std::string::npos);
  EXPECT_EQ(reflector_->objects().size(), 2000U);
}

TEST_F(ReflectorTest, AnEventOverTheLimitMakesItListAgain) {
  options_.line_bytes_max = 1000;
  start([](int, const Request&, Peer& peer) { peer.reply(200, list("10", "")); },
        [](int number, const Request& request, Peer& peer) {
          if (number == 2) return hold(number, request, peer);
          peer.begin(200);
          peer.chunk(std::string(2000, 'x'));
          peer.hold();
        });
  EXPECT_EQ(told_.wait(3), "synced, failure too-large, synced");
}

TEST_F(ReflectorTest, EndsWhileItListsOrWatches) {
  start([](int, const Request&, Peer& peer) { peer.hold(); }, hold);
  ASSERT_TRUE(server_->wait_for_requests(1));
  reflector_.reset();
  EXPECT_EQ(told_.wait(0), "");
}

}  // namespace
}  // namespace slipway::kube
