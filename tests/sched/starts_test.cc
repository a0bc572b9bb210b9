#include "sched/starts.h"

#include <gtest/gtest.h>

#include "support/world.h"

namespace slipway::sched {
namespace {

using run::BackfillState;
using run::RunState;
using test::at_second;
using test::make_dag;
using test::World;

// A paused DAG `d` and its backfill `b`, which has ticks left.
struct BackfillWorld : World {
  explicit BackfillWorld(int max_active = 1, bool depends_on_past = false) {
    dag::Dag dag = make_dag({{"a"}});
    dag.id = DagId("d");
    dag.depends_on_past = depends_on_past;
    add(std::move(dag)).paused = true;
    backfill().id = "b";
    backfill().dag = DagId("d");
    backfill().max_active = max_active;
    backfill().next = at_second(9);
  }
  run::Backfill& backfill() { return snapshot.backfills["b"].state; }
  // A run of the DAG in that state, for the backfill or not.
  void make(const std::string& id, RunState state, const std::string& backfill, const std::string& previous = {}) {
    run::RunCreated created;
    created.header.id = RunId(id);
    created.header.dag = DagId("d");
    created.header.previous = RunId(previous);
    created.header.params = Value::Object{};
    created.tasks = {test::key_of("a")};
    created.backfill = backfill;
    emit(RunId(id), std::move(created));
    if (!backfill.empty()) ++this->backfill().created;
    if (state != RunState::Queued) emit(RunId(id), run::RunMoved{RunState::Running});
    if (state == RunState::Cancelling)
      emit(RunId(id), run::RunMoved{RunState::Cancelling, {}, run::FailureClass::External});
  }
  // Carries out everything but what the engine would do about the backfill itself.
  void settle() {
    for (int rounds = 0; rounds < 100; ++rounds) {
      Plan plan = decide();
      plan.claims.clear();
      plan.backfill_ends.clear();
      if (plan.empty()) return;
      carry_out(plan);
    }
    FAIL() << "it never comes to rest";
  }
  // "claims 1, ends 0, starts r1 r2"
  std::string plans() {
    const Plan plan = decide();
    std::string text = "claims " + std::to_string(plan.claims.size()) + ", ends " +
                       std::to_string(plan.backfill_ends.size()) + ", starts";
    for (const RunMove& move : plan.run_moves)
      if (move.to == RunState::Running) text += " " + move.run.str();
    return text;
  }
};

struct Row {
  const char* name;
  int max_active;
  std::vector<RunState> own, others;  // runs of the backfill and other runs of the DAG
  bool ticks_left;
  const char* plan;
};
class BackfillPlan : public ::testing::TestWithParam<Row> {};

TEST_P(BackfillPlan, FillsItsOwnConcurrencyAndNoMore) {
  const Row& row = GetParam();
  BackfillWorld world(row.max_active);
  int number = 1;
  for (const RunState state : row.others) world.make("r" + std::to_string(number++), state, "");
  for (const RunState state : row.own) world.make("r" + std::to_string(number++), state, "b");
  if (!row.ticks_left) world.backfill().next.reset();
  EXPECT_EQ(world.plans(), row.plan);
  EXPECT_EQ(world.backfill().open(), static_cast<int>(row.own.size()));
}

constexpr RunState kQueued = RunState::Queued, kRunning = RunState::Running, kCancelling = RunState::Cancelling;
INSTANTIATE_TEST_SUITE_P(
    Table, BackfillPlan,
    ::testing::Values(Row{"Empty", 1, {}, {}, true, "claims 1, ends 0, starts"},
                      Row{"OneIsMade", 1, {kQueued}, {}, true, "claims 0, ends 0, starts r1"},
                      Row{"OneRuns", 1, {kRunning}, {}, true, "claims 0, ends 0, starts"},
                      Row{"OneIsCancelled", 1, {kCancelling}, {}, true, "claims 0, ends 0, starts"},
                      Row{"RoomForOneMore", 2, {kRunning}, {}, true, "claims 1, ends 0, starts"},
                      Row{"ClaimsOneAtATime", 5, {}, {}, true, "claims 1, ends 0, starts"},
                      Row{"StartsAndClaims", 3, {kQueued, kQueued}, {}, true, "claims 1, ends 0, starts r1 r2"},
                      Row{"StartsOldestFirst", 1, {kQueued, kQueued}, {}, true, "claims 0, ends 0, starts r1"},
                      Row{"OthersDoNotCount", 1, {kQueued}, {kRunning}, true, "claims 0, ends 0, starts r2"},
                      Row{"NorDoesItForThem", 1, {kRunning}, {kQueued}, true, "claims 0, ends 0, starts r1"},
                      Row{"LastRuns", 1, {kRunning}, {}, false, "claims 0, ends 0, starts"},
                      Row{"LastWaits", 1, {kQueued}, {}, false, "claims 0, ends 0, starts r1"},
                      Row{"AllOver", 1, {}, {}, false, "claims 0, ends 1, starts"},
                      Row{"OthersHoldUpNothing", 1, {}, {kRunning}, false, "claims 0, ends 1, starts"}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(Backfills, GoOnInTheNextStepOnceThisOneIsLong) {
  BackfillWorld world;
  world.snapshot.claims_left = 0;
  EXPECT_EQ(world.plans(), "claims 0, ends 0, starts");
  EXPECT_EQ(world.decide().wake_at, world.now);
}

TEST(Backfills, ClaimNothingWhileTheFileIsGone) {
  BackfillWorld world(2);
  world.make("r1", RunState::Queued, "b");
  world.snapshot.dags.at(DagId("d")).present = false;
  EXPECT_EQ(world.plans(), "claims 0, ends 0, starts r1");
}

TEST(Backfills, OneThatIsStoppedEndsWithItsLastRun) {
  BackfillWorld world;
  world.make("r1", RunState::Cancelling, "b");
  world.backfill().state = BackfillState::Cancelled;
  world.backfill().next.reset();
  EXPECT_EQ(world.plans(), "claims 0, ends 0, starts");
  world.settle();
  EXPECT_EQ(world.backfill().cancelled, 1);
  EXPECT_EQ(world.plans(), "claims 0, ends 1, starts");
  world.backfill().ended_at = world.now;
  EXPECT_EQ(world.plans(), "claims 0, ends 0, starts");
}

// Or the retry would wait for the run that waits for it.
TEST(Backfills, ARunThatIsAwaitedStartsBeyondTheConcurrency) {
  for (const bool depends : {false, true}) {
    BackfillWorld world(1, depends);
    world.make("r1", RunState::Queued, "b");
    world.make("r2", RunState::Running, "b", "r1");
    EXPECT_EQ(world.plans(), std::string("claims 0, ends 0, starts") + (depends ? " r1" : ""));
  }
}

TEST(Backfills, CountHowTheirRunsEnd) {
  BackfillWorld world(3);
  world.make("r1", RunState::Running, "b");
  world.settle();
  world.start("r1", "a");
  world.finish("r1", "a", run::TaskState::Failed);
  world.settle();
  EXPECT_EQ(world.backfill().failed, 1);
  // Somebody retries it: it goes on for the backfill, and ends once more.
  world.emit(RunId("r1"), run::RunReopened{"b"});
  EXPECT_EQ(world.backfill().failed, 0);
  EXPECT_EQ(world.backfill().open(), 1);
  world.emit(RunId("r1"), run::TaskReset{test::key_of("a")});
  world.settle();
  world.start("r1", "a");
  world.finish("r1", "a", run::TaskState::Success);
  world.settle();
  EXPECT_EQ(world.backfill().succeeded, 1);
  // Somebody marks it, which is another end of the same run.
  world.emit(RunId("r1"), run::RunMarked{RunState::Failed, "wrong data"});
  EXPECT_EQ(world.backfill().succeeded, 0);
  EXPECT_EQ(world.backfill().failed, 1);
  // Opened again without the backfill, it is none of its business any more.
  world.emit(RunId("r1"), run::RunReopened{});
  EXPECT_EQ(world.backfill().failed, 1);
  EXPECT_EQ(world.snapshot.dags.at(DagId("d")).queued.count(RunId("r1")), 1U);
}

TEST(Backfills, ServicesAreSkippedUnlessTheyDeployOnBackfill) {
  for (const bool deploys : {false, true}) {
    for (const char* backfill : {"", "b"}) {
      BackfillWorld world(2);
      dag::Dag dag = *world.snapshot.dags.at(DagId("d")).dag;
      dag.tasks[0].kind = dag::TaskKind::Service;
      dag.tasks[0].service.emplace().deploy_on_backfill = deploys;
      world.add(dag);
      world.make("r1", RunState::Running, backfill);
      const Plan plan = world.decide();
      ASSERT_EQ(plan.moves.size(), 1U);
      const bool skips = !deploys && *backfill != '\0';
      EXPECT_EQ(plan.moves[0].to, skips ? run::TaskState::Skipped : run::TaskState::Scheduled);
      EXPECT_EQ(plan.moves[0].reason.empty(), !skips);
    }
  }
}

TEST(Backfills, WhatTheirRunsStartBelongsToThemToo) {
  BackfillWorld world(2);
  world.make("r1", RunState::Running, "b");
  run::Run sub_run;
  EXPECT_FALSE(runs_for_backfill(world.snapshot, sub_run));
  sub_run.header.parent = run::ParentTask{RunId("gone"), test::key_of("a")};
  EXPECT_FALSE(runs_for_backfill(world.snapshot, sub_run));
  sub_run.header.parent->run = RunId("r1");
  EXPECT_TRUE(runs_for_backfill(world.snapshot, sub_run));
  sub_run.header.parent.reset();
  sub_run.header.trigger = run::TriggerKind::Backfill;
  EXPECT_TRUE(runs_for_backfill(world.snapshot, sub_run));
}

// Neither queueing nor skipping nor cancelling on overlap looks at runs of backfills.
TEST(Backfills, TheirRunsDoNotOverlapWithTicks) {
  for (const dag::Overlap overlap : {dag::Overlap::Queue, dag::Overlap::Skip, dag::Overlap::Cancel}) {
    BackfillWorld world;
    dag::Dag dag = *world.snapshot.dags.at(DagId("d")).dag;
    dag::Schedule schedule;
    schedule.name = "s";
    schedule.kind = dag::ScheduleKind::Every;
    schedule.every = std::chrono::hours(1);
    schedule.overlap = overlap;
    dag.schedules = {schedule};
    world.add(dag).paused = false;
    world.make("r1", RunState::Running, "b");
    world.settle();
    world.now += std::chrono::hours(1);
    const Plan plan = world.decide();
    EXPECT_EQ(plan.runs.size(), 1U);
    EXPECT_TRUE(plan.run_moves.empty());
  }
}

TEST(Backfills, AQueuedRunSaysWhatItWaitsFor) {
  BackfillWorld world;
  world.make("r1", RunState::Running, "b");
  world.make("r2", RunState::Queued, "b");
  EXPECT_EQ(why(world.snapshot, RunId("r2"), test::key_of("a"), world.now),
            "the run is queued: its backfill has max_active 1");
}

}  // namespace
}  // namespace slipway::sched
