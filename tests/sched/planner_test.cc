#include "slipway/sched/planner.h"

#include <gtest/gtest.h>

#include "support/world.h"

namespace slipway::sched {
namespace {

using dag::TriggerRule;
using run::FailureClass;
using run::RunState;
using run::TaskState;
using test::at_second;
using test::key_of;
using test::make_dag;
using test::World;

std::string launched(const Plan& plan) {
  std::string text;
  for (const Launch& launch : plan.launches) text += launch.key.str() + " ";
  return text;
}

std::string moved(const Plan& plan) {
  std::string text;
  for (const Move& move : plan.moves) text += move.key.str() + ":" + std::string(run::kTaskStates.text(move.to)) + " ";
  return text;
}

// A world with one run of the DAG, settled: everything that can be launched is.
World with_run(dag::Dag dag, int slots = 4) {
  World world;
  world.snapshot.slots_total = slots;
  const std::string id = dag.id.str();
  world.add(std::move(dag));
  world.create(id, "r1");
  world.settle();
  return world;
}

TEST(Decide, AnEmptyWorldHasNothingToDo) {
  const Plan plan = World().decide();
  EXPECT_TRUE(plan.empty());
  EXPECT_FALSE(plan.wake_at.has_value());
}

TEST(Decide, StartsARunSchedulesAndLaunchesIt) {
  World world;
  world.add(make_dag({{"a"}, {"b", {"a"}}}));
  world.create("d", "r1");
  Plan plan = world.decide();
  ASSERT_EQ(plan.run_moves.size(), 1U);
  EXPECT_EQ(plan.run_moves[0].to, RunState::Running);
  world.carry_out(plan);
  plan = world.decide();
  EXPECT_EQ(moved(plan), "a:scheduled ");
  world.carry_out(plan);
  EXPECT_EQ(launched(world.decide()), "a ");
}

TEST(Decide, IsPure) {
  World world = with_run(make_dag({{"a"}, {"b", {"a"}}}));
  world.start("r1", "a");
  world.finish("r1", "a", TaskState::Success);
  const run::Run before = world.run("r1");
  EXPECT_EQ(moved(world.decide()), moved(world.decide()));
  EXPECT_EQ(world.run("r1"), before);
}

TEST(Decide, KeepsToMaxActiveRunsOldestFirst) {
  World world;
  dag::Dag dag = make_dag({{"a"}});
  dag.max_active_runs = 2;
  world.add(dag);
  for (const char* id : {"r1", "r2", "r3"}) world.create("d", id);
  world.settle();
  EXPECT_EQ(world.run("r1").state, RunState::Running);
  EXPECT_EQ(world.run("r2").state, RunState::Running);
  EXPECT_EQ(world.run("r3").state, RunState::Queued);
  world.start("r1", "a");
  world.finish("r1", "a", TaskState::Success);
  world.settle();
  EXPECT_EQ(world.run("r1").state, RunState::Success);
  EXPECT_EQ(world.run("r3").state, RunState::Running);
}

TEST(Decide, FillsSlotsByPriorityThenPathThenAge) {
  World world;
  world.snapshot.slots_total = 3;
  dag::Dag dag = make_dag({{"plain"}, {"long"}, {"urgent"}, {"plain2"}, {"after", {"long"}}});
  dag.tasks[2].priority = 1;
  world.add(dag);
  world.create("d", "r1");
  world.carry_out(world.decide());
  world.carry_out(world.decide());
  EXPECT_EQ(launched(world.decide()), "urgent long plain ");
  world.settle();
  EXPECT_EQ(world.task("r1", "plain2").state, TaskState::Scheduled);
  EXPECT_EQ(run::slots_used(world.snapshot), 3);
}

TEST(Decide, OpensAttemptsOfShortTasksAheadOfTheSlots) {
  World world;
  world.snapshot.slots_total = 1;
  world.snapshot.ahead_max = 2;
  world.add(make_dag({{"a"}, {"b"}, {"c"}, {"d"}})).launch_ahead = 2;
  world.create("d", "r1");
  world.settle();
  EXPECT_EQ(run::slots_used(world.snapshot), 3);
  world.finish("r1", "a", TaskState::Success);
  world.settle();
  EXPECT_EQ(run::slots_used(world.snapshot), 3);
}

TEST(Decide, NobodyIsOvertakenByWhatIsOpenedAhead) {
  World world;
  world.snapshot.slots_total = 1;
  world.snapshot.ahead_max = 2;
  const dag::Dag slow = make_dag({{"x"}}, "long");  // of equal shares the first by name goes first
  world.add(make_dag({{"a"}, {"b"}, {"c"}, {"d"}}, "quick")).launch_ahead = 2;
  world.create("quick", "r1");
  world.settle();
  world.add(slow);
  world.create("long", "r2");
  world.settle();
  // `x` is first in line and not short: nothing more is opened until its slot is free.
  for (const char* ended : {"a", "b"}) {
    EXPECT_EQ(world.task("r2", "x").state, TaskState::Scheduled);
    world.finish("r1", ended, TaskState::Success);
    world.settle();
    EXPECT_EQ(world.task("r1", "d").state, TaskState::Scheduled);
  }
  world.finish("r1", "c", TaskState::Success);
  world.settle();
  EXPECT_EQ(world.task("r2", "x").state, TaskState::Queued);
  EXPECT_EQ(world.task("r1", "d").state, TaskState::Queued);
}

TEST(Decide, MergesTheReadyTasksOfAllRuns) {
  World world;
  world.snapshot.slots_total = 2;
  dag::Dag low = make_dag({{"x"}, {"y"}}, "low");
  dag::Dag high = make_dag({{"z"}}, "high");
  high.tasks[0].priority = 9;
  world.add(low);
  world.add(high);
  world.create("low", "r1");
  world.create("high", "r2");
  world.carry_out(world.decide());
  world.carry_out(world.decide());
  EXPECT_EQ(launched(world.decide()), "z x ");
}

TEST(Decide, KeepsToMaxActiveTasksOverAllRunsOfADag) {
  World world;
  dag::Dag dag = make_dag({{"a"}, {"b"}});
  dag.max_active_runs = 2;
  dag.max_active_tasks = 3;
  world.snapshot.slots_total = 10;
  world.add(dag);
  world.create("d", "r1");
  world.create("d", "r2");
  world.settle();
  EXPECT_EQ(run::slots_used(world.snapshot), 3);
}

TEST(Decide, ServicesNeedNoSlot) {
  dag::Dag dag = make_dag({{"job"}, {"web"}, {"job2"}});
  dag.tasks[1].kind = dag::TaskKind::Service;
  const World world = with_run(dag, 1);
  EXPECT_EQ(world.task("r1", "job").state, TaskState::Queued);
  EXPECT_EQ(world.task("r1", "web").state, TaskState::Queued);
  EXPECT_EQ(world.task("r1", "job2").state, TaskState::Scheduled);
}

TEST(Decide, CascadesSkipsAndFailures) {
  World world = with_run(make_dag({{"a"},
                                   {"b", {"a"}},
                                   {"c", {"b"}},
                                   {"clean", {"c"}, TriggerRule::AllDone},
                                   {"alarm", {"b"}, TriggerRule::AllFailed}}));
  world.start("r1", "a");
  world.finish("r1", "a", TaskState::Failed);
  world.settle();
  EXPECT_EQ(world.task("r1", "b").state, TaskState::UpstreamFailed);
  EXPECT_EQ(world.task("r1", "b").reason, "all_success: `a` failed");
  EXPECT_EQ(world.task("r1", "c").state, TaskState::UpstreamFailed);
  EXPECT_EQ(world.task("r1", "clean").state, TaskState::Queued);
  EXPECT_EQ(world.task("r1", "alarm").state, TaskState::Queued);
}

TEST(Decide, NoopTasksSucceedWithoutAnAttempt) {
  dag::Dag dag = make_dag({{"a"}, {"b", {"a"}}});
  for (auto& task : dag.tasks) task.kind = dag::TaskKind::Noop;
  const World world = with_run(dag);
  EXPECT_EQ(world.run("r1").state, RunState::Success);
  EXPECT_TRUE(world.run("r1").attempts.empty());
}

struct WhenRow {
  const char* when;
  TaskState want;
  const char* reason;
};

TEST(Decide, AsksWhenAfterTheRule) {
  const std::vector<WhenRow> rows = {
      {"${{ tasks.a.outputs.n > 1 }}", TaskState::Queued, ""},
      {"${{ tasks.a.outputs.n > 5 }}", TaskState::Skipped, "`when` is false: ${{ tasks.a.outputs.n > 5 }}"},
      {"${{ tasks.a.outputs.missing }}", TaskState::Skipped, "`when` is null: ${{ tasks.a.outputs.missing }}"},
      {"${{ tasks.a.state == 'success' && vars.go }}", TaskState::Queued, ""},
      {"${{ params.none + 1 > 2 }}", TaskState::Failed, nullptr},
      {"${{ tasks.a.outputs.n }}", TaskState::Failed, "`when` gives integer, not true or false"},
  };
  for (const WhenRow& row : rows) {
    dag::Dag dag = make_dag({{"a"}, {"b", {"a"}}});
    dag.tasks[1].when = dag::Template{row.when, {}};
    World world = with_run(dag);
    world.snapshot.vars = Value::Object{{"go", true}};
    world.start("r1", "a");
    world.finish("r1", "a", TaskState::Success, Value::Object{{"n", 2}});
    world.settle();
    const run::TaskInstance& b = world.task("r1", "b");
    EXPECT_EQ(b.state, row.want) << row.when << ": " << b.reason;
    EXPECT_EQ(b.failure, row.want == TaskState::Failed ? FailureClass::Render : FailureClass::None) << row.when;
    if (row.reason != nullptr) {
      EXPECT_EQ(b.reason, row.reason);
    }
  }
}

TEST(Decide, OutputsOfATaskThatFailedAreNull) {
  dag::Dag dag = make_dag({{"a"}, {"b", {"a"}, TriggerRule::AllDone}});
  dag.tasks[1].when = dag::Template{"${{ default(tasks.a.outputs.n, 7) == 7 }}", {}};
  World world = with_run(dag);
  world.start("r1", "a");
  world.finish("r1", "a", TaskState::Failed, Value::Object{{"n", 1}});
  world.settle();
  EXPECT_EQ(world.task("r1", "b").state, TaskState::Queued);
}

TEST(Decide, RetriesWhenDueAndNotBefore) {
  World world = with_run(make_dag({{"a"}}));
  world.start("r1", "a");
  world.finish("r1", "a", TaskState::UpForRetry);
  EXPECT_TRUE(world.decide().empty());
  EXPECT_EQ(world.decide().wake_at, at_second(30));
  world.now = at_second(30) - Duration(1);
  EXPECT_TRUE(world.decide().empty());
  world.now = at_second(30);
  world.settle();
  EXPECT_EQ(world.task("r1", "a").state, TaskState::Queued);
  EXPECT_EQ(world.task("r1", "a").attempts, 2);
}

TEST(Decide, StopsAnAttemptAtItsDeadlineOnce) {
  World world = with_run(make_dag({{"a"}}));
  world.start("r1", "a", at_second(60));
  EXPECT_EQ(world.decide().wake_at, at_second(60));
  world.now = at_second(60);
  const Plan plan = world.decide();
  ASSERT_EQ(plan.stops.size(), 1U);
  EXPECT_EQ(plan.stops[0].cause, FailureClass::Timeout);
  world.carry_out(plan);
  EXPECT_TRUE(world.decide().empty());
  EXPECT_FALSE(world.decide().wake_at.has_value());
}

TEST(Decide, CancelStopsWhatRunsAndCancelsTheRest) {
  World world = with_run(make_dag({{"a"}, {"b"}, {"c"}, {"after", {"a"}}}), 2);
  world.start("r1", "a");
  world.start("r1", "b");
  world.emit(RunId("r1"), run::RunMoved{RunState::Cancelling, {}, FailureClass::External});
  const Plan plan = world.decide();
  EXPECT_EQ(moved(plan), "after:cancelled c:cancelled ");
  ASSERT_EQ(plan.stops.size(), 2U);
  EXPECT_TRUE(plan.launches.empty());
  world.carry_out(plan);
  EXPECT_TRUE(world.decide().empty());
  world.finish("r1", "a", TaskState::Cancelled);
  world.settle();
  EXPECT_EQ(world.run("r1").state, RunState::Cancelling);
  world.finish("r1", "b", TaskState::Cancelled);
  world.settle();
  EXPECT_EQ(world.run("r1").state, RunState::Cancelled);
}

TEST(Decide, ARunEndsOnlyWithItsLastAttempt) {
  World world = with_run(make_dag({{"a"}, {"b", {"a"}}}), 1);
  world.start("r1", "a");
  const AttemptId attempt{RunId("r1"), test::key_of("a"), 1};
  world.emit(RunId("r1"), run::AttemptStopping{attempt, FailureClass::External});
  world.emit(RunId("r1"), run::TaskMarked{test::key_of("a"), TaskState::Failed, "by hand"});
  world.settle();
  EXPECT_EQ(world.task("r1", "b").state, TaskState::UpstreamFailed);
  EXPECT_EQ(world.run("r1").state, RunState::Running) << "the marked task's attempt is not over yet";
  world.finish("r1", "a", TaskState::Cancelled);
  world.settle();
  EXPECT_EQ(world.run("r1").state, RunState::Failed);
}

TEST(Decide, ARunTimeOutEndsFailed) {
  dag::Dag dag = make_dag({{"a"}, {"b", {"a"}}});
  dag.timeout = std::chrono::seconds(100);
  World world = with_run(dag);
  world.start("r1", "a");
  EXPECT_EQ(world.decide().wake_at, at_second(100));
  world.now = at_second(100);
  world.settle();
  EXPECT_EQ(world.run("r1").state, RunState::Cancelling);
  EXPECT_EQ(world.run("r1").attempts.begin()->second.stop_cause, FailureClass::Timeout);
  world.finish("r1", "a", TaskState::Failed);
  world.settle();
  EXPECT_EQ(world.run("r1").state, RunState::Failed);
  EXPECT_EQ(world.run("r1").failures, std::vector<std::string>{"the run took longer than 1m40s (timeout)"});
}

TEST(Decide, ARunThatIsOverDoesNotTimeOut) {
  dag::Dag dag = make_dag({{"a"}});
  dag.timeout = std::chrono::seconds(100);
  World world = with_run(dag);
  world.start("r1", "a");
  world.now = at_second(200);
  world.finish("r1", "a", TaskState::Success);
  world.settle();
  EXPECT_EQ(world.run("r1").state, RunState::Success);
}

TEST(Decide, CancelsAQueuedRunWithoutStartingIt) {
  World world;
  world.add(make_dag({{"a"}}));
  world.create("d", "r1");
  world.emit(RunId("r1"), run::RunMoved{RunState::Cancelling, {}, FailureClass::External});
  world.settle();
  EXPECT_EQ(world.run("r1").state, RunState::Cancelled);
  EXPECT_EQ(world.task("r1", "a").state, TaskState::Cancelled);
}

TEST(Decide, FencesALostAttemptOnlyAfterLostAfter) {
  for (const bool idempotent : {false, true}) {
    dag::Dag dag = make_dag({{"a"}});
    if (idempotent) dag.tasks[0].retry.lost_after = std::chrono::seconds(50);
    World world = with_run(dag, 1);
    world.start("r1", "a");
    world.emit(RunId("r1"), run::AttemptEnded{world.last("r1", "a"), run::AttemptState::Lost, FailureClass::InfraLost,
                                              "node unreachable"});
    EXPECT_EQ(run::slots_used(world.snapshot), 1);
    EXPECT_EQ(world.decide().wake_at, idempotent ? std::optional(at_second(50)) : std::nullopt);
    world.now = at_second(50);
    const Plan plan = world.decide();
    ASSERT_EQ(plan.fences.size(), idempotent ? 1U : 0U);
    if (idempotent) {
      EXPECT_EQ(plan.fences[0].reason, "lost for 50s: node unreachable");
    }
  }
}

TEST(Decide, AFreshSnapshotHasNoMoreToDoThanASettledOne) {
  World world = with_run(make_dag({{"a"}, {"b", {"a"}}, {"c", {"a"}, TriggerRule::OneFailed}, {"d", {"b", "c"}}}));
  for (const TaskState end : {TaskState::Success, TaskState::Failed}) {
    World copy = world;
    copy.start("r1", "a");
    copy.finish("r1", "a", end);
    copy.settle();
    const run::ActiveRun fresh = run::activate(copy.run("r1"), copy.snapshot.runs.at(RunId("r1")).dag);
    copy.snapshot.runs.at(RunId("r1")).touched = fresh.touched;
    copy.snapshot.touched.insert(RunId("r1"));
    EXPECT_TRUE(copy.decide().empty());
  }
}

TEST(Decide, CostsWhatChangedNotWhatExists) {
  // 20,000 tasks behind one gate: after the first decision a step must not look at all of them again. Counted by the
  // instances that a plan may touch, not by a clock.
  dag::Dag dag = make_dag({{"gate"}});
  for (int i = 0; i < 20'000; ++i) dag.tasks.push_back(test::run_task({"t" + std::to_string(i), {"gate"}}));
  test::link(dag);
  World world = with_run(dag, 2);
  world.start("r1", "gate");
  EXPECT_LE(world.snapshot.runs.begin()->second.touched.size(), 1U);
  world.finish("r1", "gate", TaskState::Success);
  EXPECT_EQ(world.snapshot.runs.begin()->second.touched.size(), 20'001U);
  world.settle();
  world.start("r1", "t0");
  world.finish("r1", "t0", TaskState::Success);
  EXPECT_LE(world.snapshot.runs.begin()->second.touched.size(), 3U);
  EXPECT_EQ(world.decide().launches.size(), 1U);
}

}  // namespace
}  // namespace slipway::sched
