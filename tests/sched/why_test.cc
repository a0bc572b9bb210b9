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
  EXPECT_EQ(explain(world, "r1", "c"), "no free slot: 1 of 1 in use by `d` (1: r1/a/1); it is next");
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

// One DAG with a task for each way to wait: `a` runs, and the others stand behind it.
struct Wait {
  const char* what;
  int slots;  // local
  std::optional<int> pool;
  int needs;
  bool in_pool;
  const char* want;
};

TEST(Why, NamesWhatAReadyTaskWaitsFor) {
  const std::vector<Wait> rows = {
      {"slots", 1, {}, 1, false, "no free slot: 1 of 1 in use by `d` (1: r1/a/1); it is next"},
      {"several slots", 2, {}, 2, false, "needs 2 times a slot: 1 of 2 in use by `d` (1: r1/a/1); it is next"},
      {"more slots than there are",
       2,
       {},
       3,
       false,
       "needs 3 slots, and pool `default` has 2 in all: it cannot start until the pool is larger"},
      {"a pool that is missing",
       2,
       {},
       1,
       true,
       "there is no pool `gpu`; it can start once there is: slipway pool set gpu N"},
      {"a pool that is closed", 2, 0, 1, true,
       "needs 1 slots, and pool `gpu` has 0 in all: it cannot start until the pool is larger"},
      {"local slots", 1, 2, 1, true, "no free local slot: 1 of 1 in use by `d` (1: r1/a/1); it is next"},
  };
  for (const Wait& row : rows) {
    dag::Dag dag = make_dag({{"a"}, {"b"}});
    dag.tasks[0].priority = 1;
    dag.tasks[1].slots = row.needs;
    if (row.in_pool) dag.tasks[1].pool = PoolId("gpu");
    World world;
    world.snapshot.slots_total = row.slots;
    if (row.pool) run::set_pool(world.snapshot, PoolId("gpu"), run::Pool{*row.pool, {}}, world.now);
    world.add(std::move(dag));
    world.create("d", "r1");
    world.settle();
    EXPECT_EQ(explain(world, "r1", "b"), row.want) << row.what;
  }
}

TEST(Why, NamesWhoGoesFirst) {
  const auto dag_in = [](const char* id, int slots, dag::PriorityClass c) {
    dag::Dag dag = make_dag({{"x"}, {"y"}, {"z"}}, id);
    for (auto& task : dag.tasks) {
      task.pool = PoolId("gpu");
      task.slots = slots;
    }
    dag.priority_class = c;
    return dag;
  };
  World world;
  world.snapshot.slots_total = 9;
  run::set_pool(world.snapshot, PoolId("gpu"), run::Pool{2, {}}, world.now);
  world.add(dag_in("big", 1, dag::PriorityClass::Normal));
  world.create("big", "r1");
  world.settle();
  EXPECT_EQ(explain(world, "r1", "z"),
            "no free slot in pool `gpu`: 2 of 2 in use by `big` (2: r1/x/1, r1/y/1); it is next");
  world.now += std::chrono::seconds(60);
  world.add(dag_in("small", 1, dag::PriorityClass::Normal));
  world.create("small", "r2");
  world.settle();
  EXPECT_EQ(
      explain(world, "r1", "z"),
      "no free slot in pool `gpu`: 2 of 2 in use by `big` (2: r1/x/1, r1/y/1); DAG `small` goes first, it has used "
      "less of the pool by its weight");
  EXPECT_EQ(explain(world, "r2", "z"),
            "no free slot in pool `gpu`: 2 of 2 in use by `big` (2: r1/x/1, r1/y/1); 2 of its DAG go before it");
  world.add(dag_in("wide", 2, dag::PriorityClass::High));
  world.create("wide", "r3");
  world.settle();
  EXPECT_EQ(
      explain(world, "r2", "x"),
      "no free slot in pool `gpu`: 2 of 2 in use by `big` (2: r1/x/1, r1/y/1); DAG `wide` goes first, its class is "
      "high");
  world.start("r1", "x");
  world.finish("r1", "x", TaskState::Success);
  world.settle();
  EXPECT_EQ(explain(world, "r2", "x"),
            "waits behind `r3/x`, which goes first and needs 2 slots of pool `gpu` while 1 are free");
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
