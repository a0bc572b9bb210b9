#include "cli/prober.h"

#include <gtest/gtest.h>

#include <fstream>
#include <future>

#include "support/sim_clock.h"
#include "support/temp_folder.h"

namespace slipway::cli {
namespace {

using namespace std::chrono_literals;

// Answers with what the test says.
class FakeTransport final : public http::Transport {
 public:
  Result<http::Reply> send(const http::Call& call) override {
    EXPECT_TRUE(call.refuse_link_local);
    if (!status) return Error{ErrorCode::Unavailable, "no connection to " + call.url, {}};
    return http::Reply{*status, {}, {}};
  }
  std::optional<int> status;
};

class ProberTest : public ::testing::Test {
 protected:
  engine::Seen first_seen(const engine::Look& look) {
    std::promise<engine::Seen> promise;
    auto told = promise.get_future();
    LocalProber prober(clock, transport, [&](engine::Seen seen) { promise.set_value(std::move(seen)); });
    prober.watch(look);
    return told.get();
  }
  static engine::Look look(dag::WaitKind kind, const std::string& target, const std::string& task = "t") {
    return {RunId("r"), {TaskId(task), TaskKey::kUnmapped}, 3, kind, target, 1s};
  }

  test::TempFolder folder;
  test::SimClock clock{Instant{}};  // stands still: nothing is looked at twice
  FakeTransport transport;
};

TEST_F(ProberTest, LooksForAFile) {
  const auto missing = first_seen(look(dag::WaitKind::File, folder / "data.csv"));
  EXPECT_FALSE(missing.met);
  EXPECT_EQ(missing.detail, "it does not exist");
  EXPECT_EQ(missing.generation, 3);
  std::ofstream(folder / "data.csv") << "x";
  EXPECT_TRUE(first_seen(look(dag::WaitKind::File, folder / "data.csv")).met);
}

TEST_F(ProberTest, AsksAnAddress) {
  const auto asked = look(dag::WaitKind::Http, "http://x/ready");
  EXPECT_EQ(first_seen(asked).detail, "no connection to http://x/ready");
  transport.status = 503;
  EXPECT_EQ(first_seen(asked).detail, "http://x/ready answered 503");
  transport.status = 204;
  EXPECT_TRUE(first_seen(asked).met);
}

TEST_F(ProberTest, LooksAtManyAndForgets) {
  std::promise<void> promise;
  LocalProber prober(clock, transport, [&](const engine::Seen& seen) {
    if (seen.key.task == TaskId("u")) promise.set_value();
  });
  prober.watch(look(dag::WaitKind::File, "/nothing/at/all"));
  prober.forget(RunId("r"), {TaskId("t"), TaskKey::kUnmapped});
  prober.watch(look(dag::WaitKind::File, "/nothing/else", "u"));
  EXPECT_EQ(promise.get_future().wait_for(1min), std::future_status::ready);
}

}  // namespace
}  // namespace slipway::cli
