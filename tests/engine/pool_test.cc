// Pools as people see them: set by commands, kept over restarts, obeyed.
#include "support/engine_world.h"

namespace slipway::engine {
namespace {

using namespace std::chrono_literals;
using run::TaskState;
using test::EngineWorld;

class PoolTest : public ::testing::Test, public EngineWorld {
 protected:
  void SetUp() override {
    options.slots = 4;
    boot();
  }
  Result<Reply> set(const std::string& name, std::optional<int> slots) {
    return ask(SetPool{PoolId(name), slots ? std::optional(run::Pool{*slots, "words"}) : std::nullopt});
  }
  ErrorCode refusal(const std::string& name, std::optional<int> slots) {
    const auto reply = set(name, slots);
    return reply ? ErrorCode::Internal : reply.error().code;
  }
  [[nodiscard]] int used(const std::string& pool) const { return run::pool_used(daemon->snapshot(), PoolId(pool)); }
};

constexpr const char* kGpu =
    "dag: d\npool: gpu\ntasks: {a: {run: 'true'}, b: {run: 'true'}, c: {run: 'true', slots: 2}}\n";

TEST_F(PoolTest, ATaskWaitsForItsPoolToExist) {
  put(kGpu);
  const RunId id = trigger();
  drive();
  EXPECT_EQ(task(id, "a").state, TaskState::Scheduled);
  ASSERT_TRUE(set("gpu", 1));
  drive();
  EXPECT_EQ(task(id, "a").state, TaskState::Success);
  EXPECT_EQ(task(id, "b").state, TaskState::Success);
  EXPECT_EQ(task(id, "c").state, TaskState::Scheduled) << "it needs two";
  ASSERT_TRUE(set("gpu", 2));
  drive();
  EXPECT_EQ(run(id).state, run::RunState::Success);
}

TEST_F(PoolTest, PoolsSurviveARestartAndHoldWhatRan) {
  scripts["a"].run_time = scripts["b"].run_time = 1h;
  ASSERT_TRUE(set("gpu", 1));
  put(kGpu);
  trigger();
  drive(clock.now() + 1min);
  EXPECT_EQ(used("gpu"), 1);
  die();
  boot();
  EXPECT_EQ(daemon->snapshot().pools.at(PoolId("gpu")), (run::Pool{1, "words"}));
  EXPECT_EQ(used("gpu"), 1);
  EXPECT_EQ(used("default"), 1);
}

TEST_F(PoolTest, VirtualTimesAreStoredWithCommitsAndComeBack) {
  scripts["a"].run_time = 100s;
  put("dag: d\ntasks: {a: {run: 'true'}, b: {needs: a, run: 'true'}}\n");
  trigger();
  drive();
  const run::Share& stored = disk->shares.at({PoolId("default"), DagId("d")});
  EXPECT_GE(stored.virtual_time_us, 100'000'000);
  EXPECT_LE(stored.virtual_time_us, 102'000'000);
  const std::uint64_t commits = disk->commits;
  step();
  EXPECT_EQ(disk->commits, commits) << "a share alone is no reason to commit";
  die();
  boot();
  const auto& lane = daemon->snapshot().queues.at(PoolId("default")).lanes.at(DagId("d"));
  EXPECT_NEAR(lane.virtual_time, static_cast<double>(stored.virtual_time_us) / 1e6, 1e-6);
}

TEST_F(PoolTest, WhatRanDuringTheOutageIsCharged) {
  scripts["a"].run_time = 1h;
  put("dag: d\ntasks: {a: {run: 'true'}}\n");
  trigger();
  drive(clock.now() + 1min);
  die();
  clock.advance(10min);
  boot();
  const auto& lane = daemon->snapshot().queues.at(PoolId("default")).lanes.at(DagId("d"));
  EXPECT_NEAR(lane.time_at(clock.now()), 660, 5);
}

TEST_F(PoolTest, AStepOfTheClockChargesNobody) {
  scripts["a"].run_time = 1h;
  put("dag: d\ntasks: {a: {run: 'true'}}\n");
  trigger();
  drive(clock.now() + 1min);
  clock.set_wall(clock.now() + std::chrono::hours(24 * 365));
  step();
  const auto& lane = daemon->snapshot().queues.at(PoolId("default")).lanes.at(DagId("d"));
  EXPECT_LE(lane.time_at(clock.now()), 120);
}

TEST_F(PoolTest, RefusesWhatMakesNoSense) {
  EXPECT_EQ(refusal("default", 3), ErrorCode::Conflict);
  EXPECT_EQ(refusal("default", std::nullopt), ErrorCode::Conflict);
  EXPECT_EQ(refusal("No Id", 3), ErrorCode::InvalidArgument);
  EXPECT_EQ(refusal("gpu", std::nullopt), ErrorCode::NotFound);
}

TEST_F(PoolTest, OneThatIsUsedOrWaitedForIsNotDeleted) {
  scripts["a"].run_time = 1h;
  ASSERT_TRUE(set("gpu", 1));
  put(kGpu);
  const RunId id = trigger();
  drive(clock.now() + 1min);
  const auto refused = set("gpu", std::nullopt);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::Conflict);
  EXPECT_EQ(refused.error().message, "pool `gpu` is in use: 1 slots are held, 2 tasks wait for it");
  ASSERT_TRUE(ask(CancelRun{id, true}));
  drive();
  EXPECT_TRUE(set("gpu", std::nullopt));
  EXPECT_EQ(refusal("gpu", std::nullopt), ErrorCode::NotFound);
}

class PodPoolTest : public PoolTest {
 protected:
  void SetUp() override {
    executors = {"kubernetes"};
    options.slots = 1;
    boot();
  }
};

TEST_F(PodPoolTest, PodsHoldNoSlotOfThisMachineButThoseOfTheirPool) {
  for (const char* name : {"a", "b", "c", "d", "e"}) scripts[name].run_time = 1h;
  ASSERT_TRUE(set("cards", 1));
  put("dag: d\ntasks:\n  a: {run: 'true'}\n  b: {run: 'true'}\n  c: {run: 'true', executor: kubernetes}\n"
      "  d: {run: 'true', executor: kubernetes, pool: cards}\n  e: {run: 'true', executor: kubernetes, pool: cards}\n");
  const RunId id = trigger();
  drive(clock.now() + 1min);
  EXPECT_EQ(used("default"), 1);
  EXPECT_EQ(used("cards"), 1);
  EXPECT_EQ(task(id, "a").state, TaskState::Active);
  EXPECT_EQ(task(id, "b").state, TaskState::Scheduled);
  EXPECT_EQ(task(id, "c").state, TaskState::Active);
  EXPECT_EQ(task(id, "d").state, TaskState::Active);
  EXPECT_EQ(task(id, "e").state, TaskState::Scheduled);
  die();
  boot();
  EXPECT_EQ(used("default"), 1);
  drive();
  EXPECT_EQ(run(id).state, run::RunState::Success);
}

TEST_F(PodPoolTest, TheServerSaysWhereTasksRunThatDoNot) {
  die();
  options.place = dag::Place::Kubernetes;
  boot();
  put("dag: d\ntasks:\n  a: {run: 'true'}\n  b: {run: 'true', executor: local}\n");
  const RunId id = trigger();
  drive();
  EXPECT_EQ(run(id).attempts.at({id, test::key_of("a"), 1}).executor, "kubernetes");
  EXPECT_EQ(run(id).attempts.at({id, test::key_of("b"), 1}).executor, "fake");
}

}  // namespace
}  // namespace slipway::engine
