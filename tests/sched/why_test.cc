#include <gtest/gtest.h>

#include "support/world.h"

namespace slipway::sched {
namespace {

using run::AttemptState;
using run::FailureClass;
using run::RunState;
using run::TaskState;
using test::key_of;
using test::make_dag;
using test::World;

std::string explain(const World& world, const std::string& run, const std::string& task) {
  return why(world.snapshot, RunId(run), key_of(task), world.now);
}

World world_with(dag::Dag dag, int slots = 1) {
  World world;
  world.snapshot.slots_total = slots;
  world.add(std::move(dag));
  world.create("d", "r1");
  return world;
}

TEST(Why, FollowsATaskThroughItsStates) {
  World world = world_with(make_dag({{"a"}, {"b", {"a"}}, {"c"}}));
  EXPECT_EQ(explain(world, "r1", "a"), "the run starts at the next step");
  world.settle();
  EXPECT_EQ(explain(world, "r1", "a"), "attempt 1 is committed, its start is awaited");
  EXPECT_EQ(explain(world, "r1", "b"), "waits for `a` (queued); its rule is all_success");
  EXPECT_EQ(explain(world, "r1", "c"), "no free slot: 1 of 1 in use by r1/a/1");
  world.emit(RunId("r1"), run::AttemptStarted{world.last("r1", "a"), AttemptState::Launched, "7"});
  EXPECT_EQ(explain(world, "r1", "a"), "attempt 1 was taken by executor fake, it starts");
  world.start("r1", "a", world.now + std::chrono::minutes(1));
  EXPECT_EQ(explain(world, "r1", "a"),
            "attempt 1 runs since 2023-11-14T22:13:20.000000Z, it may run until 2023-11-14T22:14:20.000000Z");
  world.finish("r1", "a", TaskState::UpForRetry);
  EXPECT_EQ(explain(world, "r1", "a"), "up for retry at 2023-11-14T22:13:50.000000Z: attempt 1 failed: exit code 1");
  world.now += std::chrono::minutes(1);
  world.settle();
  world.start("r1", "c");
  world.finish("r1", "c", TaskState::Failed);
  EXPECT_EQ(explain(world, "r1", "c"), "failed since 2023-11-14T22:14:20.000000Z: exit code 1");
}

TEST(Why, TellsOfStopsAndLosses) {
  dag::Dag dag = make_dag({{"a"}});
  World world = world_with(dag);
  world.settle();
  world.start("r1", "a");
  world.emit(RunId("r1"),
             run::AttemptEnded{world.last("r1", "a"), AttemptState::Lost, FailureClass::InfraLost, "gone"});
  EXPECT_EQ(explain(world, "r1", "a"),
            "attempt 1 is lost: gone; the process may still run, it holds its slot until its end is proved");
  world.emit(RunId("r1"), run::RunMoved{RunState::Cancelling, {}, FailureClass::External});
  world.settle();
  EXPECT_EQ(explain(world, "r1", "a"),
            "the run is being cancelled: attempt 1 was asked to stop (external), its end is awaited");
}

TEST(Why, NamesTheLimitsThatHoldItBack) {
  dag::Dag dag = make_dag({{"a"}, {"b"}});
  dag.max_active_tasks = 1;
  World world = world_with(dag, 9);
  world.create("d", "r2");
  world.settle();
  EXPECT_EQ(explain(world, "r1", "b"), "max_active_tasks of the DAG is 1, all in use");
  EXPECT_EQ(explain(world, "r2", "a"), "the run is queued: max_active_runs is 1, under way is r1");
}

TEST(Why, CutsLongLists) {
  dag::Dag dag = make_dag({});
  for (int i = 0; i < 8; ++i) dag.tasks.push_back(test::run_task({"t" + std::to_string(i)}));
  std::vector<std::string> needs;
  for (const auto& task : dag.tasks) needs.push_back(task.id.str());
  dag.tasks.push_back(test::run_task({"last", needs}));
  test::link(dag);
  World world = world_with(dag, 0);
  world.settle();
  EXPECT_EQ(explain(world, "r1", "last"),
            "waits for `t0` (scheduled), `t1` (scheduled), `t2` (scheduled), `t3` (scheduled), `t4` (scheduled) and 3 "
            "more; its rule is all_success");
}

TEST(Why, AnswersForEveryStateOfATask) {
  for (const auto& row : run::kTaskStates.rows()) {
    World world = world_with(make_dag({{"a"}}), 1);
    world.settle();
    run::TaskInstance& a = world.snapshot.runs.at(RunId("r1")).state.tasks.at(key_of("a"));
    a.state = row.value;
    a.retry_at = world.now;
    EXPECT_FALSE(explain(world, "r1", "a").empty()) << row.text;
  }
}

TEST(Why, SaysWhatItDoesNotKnow) {
  World world = world_with(make_dag({{"a"}}));
  EXPECT_EQ(explain(world, "r9", "a"), "run r9 is over or does not exist");
  EXPECT_EQ(explain(world, "r1", "x"), "run r1 has no task `x`");
}

}  // namespace
}  // namespace slipway::sched
