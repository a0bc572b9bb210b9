// A disk that takes nothing for a while: nothing is acknowledged or started, nothing is lost, and it goes on by itself.
#include "support/engine_world.h"

namespace slipway::engine {
namespace {

using namespace std::chrono_literals;
using run::RunState;
using test::EngineWorld;

class DiskTest : public ::testing::Test, public EngineWorld {
 protected:
  void SetUp() override {
    boot();
    store->set_hooks(
        [this](const store::Batch&) -> Result<void> {
          ++tried;
          if (full) return Error{ErrorCode::Unavailable, "the disk is full", "free some space"};
          return {};
        },
        {});
    put("dag: d\ntasks:\n  a: {run: 'true'}\n  b: {needs: a, run: 'true'}\n");
  }
  void TearDown() override { daemon.reset(); }  // whose end answers what still waits
  // Sends a trigger without waiting for its answer.
  void send() {
    daemon->submit(TriggerRun{DagId("d"), {}, "", {}},
                   [this](Result<Reply> reply) { replies.push_back(std::move(reply)); });
  }

  bool full = false;
  int tried = 0;
  std::vector<Result<Reply>> replies;
};

TEST_F(DiskTest, NothingIsAcknowledgedOrStartedUntilTheCommitSucceeds) {
  full = true;
  send();
  step();
  drive(clock.now() + 10s);
  EXPECT_TRUE(replies.empty());
  EXPECT_TRUE(launched.empty());
  EXPECT_TRUE(disk->runs.empty());
  ASSERT_TRUE(daemon->trouble());
  EXPECT_EQ(daemon->trouble()->message, "the disk is full");
  full = false;
  drive();
  ASSERT_EQ(replies.size(), 1U);
  EXPECT_EQ(run(replies[0]->run).state, RunState::Success);
  EXPECT_EQ(launched.size(), 2U);
  EXPECT_FALSE(daemon->trouble());
}

TEST_F(DiskTest, IsTriedOnceASecond) {
  full = true;
  send();
  step();
  tried = 0;
  drive(clock.now() + 10s);
  EXPECT_GE(tried, 9);
  EXPECT_LE(tried, 12);
}

TEST_F(DiskTest, CommandsAreRefusedMeanwhile) {
  full = true;
  send();
  step();
  const auto refused = ask(TriggerRun{DagId("d"), {}, "", {}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::Unavailable);
  full = false;
  drive();
  EXPECT_EQ(disk->runs.size(), 1U) << "the refused one is not made up for";
}

TEST_F(DiskTest, WhatWasReportedMeanwhileCounts) {
  scripts["a"].run_time = 5s;
  const RunId id = trigger();
  drive(clock.now() + 1s);
  ASSERT_EQ(launched.size(), 1U);
  full = true;
  send();
  drive(clock.now() + 60s);
  EXPECT_EQ(task(id, "a").state, run::TaskState::Active) << "it ended, but nobody may know yet";
  full = false;
  drive();
  EXPECT_EQ(run(id).state, RunState::Success);
  EXPECT_EQ(run(id).attempts.size(), 2U);
}

TEST_F(DiskTest, AFolderThatChangedMeanwhileIsTakenOver) {
  full = true;
  send();
  step();
  std::optional<Result<Reply>> taken;
  daemon->submit(DagFolder{{{"e.yaml", "dag: e\ntasks:\n  a: {run: 'true'}\n", true}}, false},
                 [&](Result<Reply> reply) { taken = std::move(reply); });
  step();
  EXPECT_FALSE(taken);
  full = false;
  drive();
  ASSERT_TRUE(taken);
  EXPECT_TRUE(*taken);
  EXPECT_EQ(disk->dags.count(DagId("e")), 1U);
}

TEST_F(DiskTest, WhoeverWaitsIsToldWhenTheDaemonEnds) {
  full = true;
  send();
  step();
  die();
  ASSERT_EQ(replies.size(), 1U);
  EXPECT_EQ(replies[0].error().code, ErrorCode::Unavailable);
}

TEST_F(DiskTest, AnyOtherErrorEndsTheEngine) {
  store->set_hooks([](const store::Batch&) -> Result<void> { return Error{ErrorCode::Io, "fsync failed", {}}; }, {});
  send();
  const auto stepped = daemon->step();
  ASSERT_FALSE(stepped);
  EXPECT_EQ(stepped.error().message, "fsync failed");
  ASSERT_EQ(replies.size(), 1U);
  EXPECT_EQ(replies[0].error().code, ErrorCode::Io);
}

}  // namespace
}  // namespace slipway::engine
