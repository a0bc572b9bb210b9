#include "slipway/notify/courier.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <deque>
#include <mutex>

#include "support/sim_clock.h"

namespace slipway::notify {
namespace {

// Answers as told, success when nothing is left to say, and moves the clock past every pause.
class ScriptedNotifier final : public Notifier {
 public:
  explicit ScriptedNotifier(test::SimClock& clock) : clock_(clock) {}
  Result<void> send(const Target& target, const run::Notice& notice, Instant) override {
    sent.push_back(notice.id + " to " + target.name);
    clock_.advance(step);
    if (script.empty()) return {};
    const Error error = script.front();
    script.pop_front();
    return error;
  }
  std::deque<Error> script;
  std::vector<std::string> sent;  // read after the outcome arrived
  Duration step = std::chrono::hours(2);

 private:
  test::SimClock& clock_;
};

struct CourierTest : testing::Test {
  test::SimClock clock{from_micros(1'730'442'600'000'000)};
  ScriptedNotifier notifier{clock};
  std::mutex mutex;
  std::condition_variable arrived;
  std::vector<Outcome> outcomes;  // guarded by mutex
  std::unique_ptr<Courier> courier;

  void start() {
    const auto find = [](const std::string& name) -> Result<Target> {
      if (name == "ops") return Target{name};
      return Error{ErrorCode::NotFound, "there is no target `" + name + "`", {}};
    };
    courier = std::make_unique<Courier>(find, notifier, clock, Logger(), [this](Outcome outcome) {
      const std::lock_guard lock(mutex);
      outcomes.push_back(std::move(outcome));
      arrived.notify_all();
    });
  }
  Outcome outcome(std::size_t index) {
    std::unique_lock lock(mutex);
    arrived.wait(lock, [&] { return outcomes.size() > index; });
    return outcomes[index];
  }
  run::Notice notice(const std::string& id, const std::string& target = "ops") {
    return {id, target, run::NoticeKind::Failure, clock.now(), {}};
  }
};

const Error kDown{ErrorCode::Unavailable, "connection refused", {}};

TEST(PauseAfter, DoublesUpToAnHour) {
  EXPECT_EQ(pause_after(1), std::chrono::seconds(5));
  EXPECT_EQ(pause_after(2), std::chrono::seconds(10));
  EXPECT_EQ(pause_after(10), std::chrono::seconds(2560));
  EXPECT_EQ(pause_after(11), std::chrono::hours(1));
  EXPECT_EQ(pause_after(1'000'000), std::chrono::hours(1));
}

TEST_F(CourierTest, DeliversAndSaysSo) {
  start();
  courier->deliver(notice("1"));
  EXPECT_TRUE(outcome(0).result);
  EXPECT_EQ(outcome(0).id, "1");
  EXPECT_EQ(outcome(0).tries, 1);
  EXPECT_EQ(notifier.sent, std::vector<std::string>{"1 to ops"});
}

TEST_F(CourierTest, TriesAgainWhileThereIsHope) {
  notifier.script = {kDown, {ErrorCode::TimedOut, "slow", {}}, kDown};
  start();
  courier->deliver(notice("1"));
  EXPECT_TRUE(outcome(0).result);
  EXPECT_EQ(outcome(0).tries, 4);
}

TEST_F(CourierTest, AFinalRefusalEndsIt) {
  notifier.script = {{ErrorCode::InvalidArgument, "target `ops` answered 404", {}}};
  start();
  courier->deliver(notice("1"));
  EXPECT_EQ(outcome(0).result.error().message, "target `ops` answered 404");
  EXPECT_EQ(outcome(0).tries, 1);
}

TEST_F(CourierTest, GivesUpAfterADay) {
  notifier.script.assign(100, kDown);
  start();
  courier->deliver(notice("1"));
  EXPECT_EQ(outcome(0).result.error(), kDown);
  EXPECT_EQ(outcome(0).tries, 12);  // two hours each
}

TEST_F(CourierTest, AnUnknownTargetIsNamed) {
  start();
  courier->deliver(notice("1", "nobody"));
  EXPECT_EQ(outcome(0).result.error().code, ErrorCode::NotFound);
  EXPECT_NE(outcome(0).result.error().message.find("`nobody`"), std::string::npos);
  EXPECT_TRUE(notifier.sent.empty());
}

TEST_F(CourierTest, ANoticeMayComeAgainOnceItIsOver) {
  start();
  courier->deliver(notice("1"));
  outcome(0);
  courier->deliver(notice("2"));
  EXPECT_EQ(outcome(1).id, "2");
}

TEST_F(CourierTest, EndsWhileSomethingWaits) {
  notifier.step = Duration(0);
  notifier.script.assign(1, kDown);
  start();
  courier->deliver(notice("1"));
  courier.reset();
  EXPECT_TRUE(outcomes.empty());
}

}  // namespace
}  // namespace slipway::notify
