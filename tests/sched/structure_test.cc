// Fan-out, groups, teardowns, on_failure and on_success, the run before: what the planner makes of them.
#include <gtest/gtest.h>

#include "slipway/sched/outcome.h"
#include "support/world.h"

namespace slipway::sched {
namespace {

using dag::TriggerRule;
using run::FailureClass;
using run::RunState;
using run::TaskState;
using test::key_of;
using test::make_dag;
using test::World;

dag::ForEach over(Value::Array items, int max_parallel = 0) {
  dag::ForEach fan_out;
  fan_out.items = std::move(items);
  fan_out.max_parallel = max_parallel;
  return fan_out;
}

dag::Dag with(dag::Dag dag, const std::string& task, const std::function<void(dag::Task&)>& change) {
  change(dag.tasks[static_cast<std::size_t>(dag.index_of(TaskId(task)))]);
  test::link(dag);
  return dag;
}

dag::Dag fan_out_dag(dag::ForEach fan_out) {
  return with(make_dag({{"a"}, {"b", {"a"}}}), "a", [&](dag::Task& task) { task.for_each = fan_out; });
}

World with_run(dag::Dag dag, int slots = 4) {
  World world;
  world.snapshot.slots_total = slots;
  world.add(std::move(dag));
  world.create("d", "r1");
  world.settle();
  return world;
}

std::string state(const World& world, const std::string& task, const std::string& run = "r1") {
  return std::string(run::kTaskStates.text(world.task(run, task).state));
}

void end(World& world, const std::string& task, TaskState to, const std::string& run = "r1") {
  world.start(run, task);
  world.finish(run, task, to);
  world.settle();
}

void cancel(World& world, bool now = false) {
  world.emit(RunId("r1"), run::RunMoved{RunState::Cancelling, {}, FailureClass::External, now});
  world.settle();
}

void stopped(World& world, const std::string& task) {
  run::AttemptEnded ended{world.last("r1", task), run::AttemptState::Cancelled, FailureClass::External};
  ended.task_to = TaskState::Cancelled;
  world.emit(RunId("r1"), ended);
  world.settle();
}

// --- fan-out

TEST(FanOut, MakesAnInstancePerElement) {
  World world = with_run(fan_out_dag(over({"x", "y"})));
  EXPECT_EQ(state(world, "a"), "removed");
  EXPECT_EQ(state(world, "a[0]"), "queued");
  EXPECT_EQ(world.task("r1", "a[1]").item, Value("y"));
  end(world, "a[0]", TaskState::Success);
  EXPECT_EQ(state(world, "b"), "none");
  end(world, "a[1]", TaskState::Success);
  EXPECT_EQ(state(world, "b"), "queued");
}

TEST(FanOut, AnEmptyListSkips) {
  World world = with_run(fan_out_dag(over(Value::Array{})));
  EXPECT_EQ(state(world, "a"), "skipped");
  EXPECT_EQ(world.task("r1", "a").reason, "`for_each` gives an empty list");
  EXPECT_EQ(state(world, "b"), "skipped");
}

TEST(FanOut, AListThatIsNoneFailsTheTask) {
  dag::ForEach fan_out;
  fan_out.list = dag::Template{"${{ vars.LIST }}", {}};
  const auto reason = [&](Value list) {
    World world;
    world.snapshot.vars = Value::Object{{"LIST", std::move(list)}};
    world.add(fan_out_dag(fan_out));
    world.create("d", "r1");
    world.settle();
    EXPECT_EQ(state(world, "a"), "failed");
    EXPECT_EQ(world.task("r1", "a").failure, FailureClass::Render);
    return world.task("r1", "a").reason;
  };
  EXPECT_EQ(reason("text"), "`for_each` gives string, not a list");
  EXPECT_EQ(reason(Value()), "`for_each` gives null, not a list");
  EXPECT_EQ(reason(Value::Array(dag::kInstancesMax + 1)),
            "`for_each` gives 10001 elements, and a fan-out takes at most 10000: give each instance several of them");
}

TEST(FanOut, ElementsAreRenderedOnce) {
  World world;
  world.snapshot.vars = Value::Object{{"N", 7}};
  world.add(
      fan_out_dag(over({"${{ vars.N }}", Value::Object{{"k", "n${{ vars.N }}"}}, Value::Array{"${{ vars.N }}"}})));
  world.create("d", "r1");
  world.settle();
  world.snapshot.vars = Value::Object{{"N", 8}};
  EXPECT_EQ(world.task("r1", "a[0]").item, Value(7));
  EXPECT_EQ(world.task("r1", "a[1]").item.dump(), R"({"k":"n7"})");
  EXPECT_EQ(world.task("r1", "a[2]").item.dump(), "[7]");
}

TEST(FanOut, MaxParallelLimitsItsInstancesAndNobodyElse) {
  dag::Dag dag = with(make_dag({{"a"}, {"z"}}), "a", [](dag::Task& task) { task.for_each = over({1, 2, 3}, 1); });
  World world = with_run(std::move(dag));
  EXPECT_EQ(state(world, "a[0]"), "queued");
  EXPECT_EQ(state(world, "a[1]"), "scheduled");
  EXPECT_EQ(state(world, "z"), "queued");
  EXPECT_EQ(why(world.snapshot, RunId("r1"), key_of("a[1]"), world.now),
            "max_parallel of the fan-out is 1, all in use");
  end(world, "a[0]", TaskState::Failed);
  EXPECT_EQ(state(world, "a[1]"), "queued");
  EXPECT_EQ(state(world, "a[2]"), "scheduled");
}

TEST(FanOut, EachInstanceCountsInTheRuleBelow) {
  dag::Dag dag = fan_out_dag(over({1, 2, 3}));
  dag.tasks[1].trigger_rule = TriggerRule::OneFailed;
  World world = with_run(std::move(dag));
  end(world, "a[0]", TaskState::Success);
  EXPECT_EQ(why(world.snapshot, RunId("r1"), key_of("b"), world.now),
            "waits for `a` (2 of 3 instances not over); its rule is one_failed");
  end(world, "a[2]", TaskState::Failed);
  EXPECT_EQ(state(world, "b"), "queued");
}

TEST(FanOut, StopCancelsTheOthers) {
  dag::ForEach fan_out = over({1, 2, 3, 4}, 2);
  fan_out.on_failure = dag::InstanceFailure::Stop;
  World world = with_run(fan_out_dag(fan_out));
  world.start("r1", "a[1]");
  end(world, "a[0]", TaskState::Failed);
  EXPECT_EQ(state(world, "a[1]"), "stopping");
  EXPECT_EQ(world.run("r1").last_attempt(key_of("a[1]"))->reason, "`a[0]` failed, and on_failure is stop");
  EXPECT_EQ(state(world, "a[2]"), "cancelled");
  EXPECT_EQ(world.task("r1", "a[3]").reason, "`a[0]` failed, and on_failure is stop");
  stopped(world, "a[1]");
  EXPECT_EQ(state(world, "b"), "upstream_failed");
  EXPECT_EQ(world.run("r1").state, RunState::Failed);
  EXPECT_EQ(world.run("r1").failures, std::vector<std::string>{"a[0]: exit code 1 (user)"});
}

TEST(FanOut, AListThatStopsHoldsNothingOfARoundBack) {
  // The instance that fails and the one that could take its slot are decided on in one round.
  dag::ForEach fan_out = over({1, 2, 3}, 0);
  fan_out.on_failure = dag::InstanceFailure::Stop;
  World world = with_run(fan_out_dag(fan_out), 1);
  EXPECT_EQ(state(world, "a[1]"), "scheduled");
  end(world, "a[0]", TaskState::Failed);
  EXPECT_EQ(state(world, "a[1]"), "cancelled");
  EXPECT_EQ(world.task("r1", "a[1]").attempts, 0);
}

TEST(FanOut, OutcomeOfATaskAsAWhole) {
  World world = with_run(fan_out_dag(over({1, 2})));
  const run::ActiveRun& run = world.snapshot.runs.at(RunId("r1"));
  EXPECT_EQ(outcome_of(run, 0), TaskState::Active);
  end(world, "a[0]", TaskState::Skipped);
  end(world, "a[1]", TaskState::Success);
  EXPECT_EQ(outcome_of(run, 0), TaskState::Success);
  EXPECT_EQ(outcome_of(run, 1), TaskState::Skipped) << "all_success passes a skip on";
}

// --- retry

void retry(World& world, const std::vector<TaskKey>& keys) {
  world.emit(RunId("r1"), run::RunReopened{});
  for (const TaskKey& key : keys) world.emit(RunId("r1"), run::TaskReset{key});
  world.settle();
}

TEST(Retry, GoesOnWithTheInstancesThatAreOpenedAgain) {
  World world = with_run(fan_out_dag(over({1, 2, 3})));
  end(world, "a[0]", TaskState::Success);
  end(world, "a[1]", TaskState::Failed);
  end(world, "a[2]", TaskState::Success);
  ASSERT_EQ(world.run("r1").state, RunState::Failed);
  retry(world, {key_of("a[1]"), key_of("b")});
  EXPECT_EQ(state(world, "a[1]"), "queued");
  EXPECT_EQ(state(world, "a[0]"), "success");
  EXPECT_EQ(state(world, "a"), "removed");
  end(world, "a[1]", TaskState::Success);
  EXPECT_EQ(state(world, "b"), "queued");
}

TEST(Retry, ExpandsAnewWhatIsBelow) {
  dag::Dag dag = with(make_dag({{"a"}, {"b", {"a"}, TriggerRule::AllDone}}), "b", [](dag::Task& task) {
    task.for_each = over({1, 2});
  });
  World world = with_run(std::move(dag));
  end(world, "a", TaskState::Failed);
  end(world, "b[0]", TaskState::Success);
  end(world, "b[1]", TaskState::Success);
  retry(world, {key_of("a"), key_of("b")});
  EXPECT_EQ(state(world, "b"), "none");
  EXPECT_EQ(state(world, "b[0]"), "removed");
  end(world, "a", TaskState::Success);
  EXPECT_EQ(state(world, "b[0]"), "queued");
  EXPECT_EQ(world.task("r1", "b[0]").generation, 2);
}

dag::Dag cleaned_dag() {
  dag::Dag dag = make_dag({{"setup"},
                           {"work", {"setup"}},
                           {"inner", {"work"}, TriggerRule::Always},
                           {"drop", {"setup", "work", "inner"}, TriggerRule::AllDoneSetupSuccess}});
  dag.tasks[2].enclosing_setups = {TaskId("setup")};
  dag.tasks[3].role = dag::TaskRole::Teardown;
  dag.tasks[3].setups = {TaskId("setup")};
  test::link(dag);
  return dag;
}

// --- setup and teardown

TEST(Teardown, RunsAlthoughTheWorkFailed) {
  World world = with_run(cleaned_dag());
  EXPECT_EQ(why(world.snapshot, RunId("r1"), key_of("inner"), world.now),
            "waits for its setup `setup` (queued), whatever its rule says");
  end(world, "setup", TaskState::Success);
  EXPECT_EQ(state(world, "inner"), "queued") << "always, once the setup around it succeeded";
  end(world, "work", TaskState::Failed);
  EXPECT_EQ(why(world.snapshot, RunId("r1"), key_of("drop"), world.now),
            "cleans up after `setup`: waits for `inner` (queued); its rule is all_done_setup_success");
  end(world, "inner", TaskState::Success);
  EXPECT_EQ(state(world, "drop"), "queued");
}

TEST(Teardown, IsNotNeededIfNoSetupSucceeded) {
  World world = with_run(cleaned_dag());
  end(world, "setup", TaskState::Failed);
  EXPECT_EQ(state(world, "inner"), "upstream_failed");
  EXPECT_EQ(world.task("r1", "inner").reason, "its setup `setup` failed");
  EXPECT_EQ(state(world, "drop"), "upstream_failed");
}

TEST(Teardown, IsNoPartOfTheResult) {
  World world = with_run(cleaned_dag());
  for (const char* task : {"setup", "inner", "work"}) end(world, task, TaskState::Success);
  end(world, "drop", TaskState::Failed);
  EXPECT_EQ(world.run("r1").state, RunState::Success);
}

TEST(Teardown, WhatNeedsAFailedTeardownFailsTheRun) {
  dag::Dag dag = cleaned_dag();
  dag.tasks.push_back(test::run_task({"after", {"drop"}}));
  test::link(dag);
  World world = with_run(std::move(dag));
  for (const char* task : {"setup", "inner", "work"}) end(world, task, TaskState::Success);
  end(world, "drop", TaskState::Failed);
  EXPECT_EQ(world.run("r1").failures, std::vector<std::string>{"after: upstream_failed, all_success: `drop` failed"});
}

TEST(Teardown, RunsInARunThatIsCancelledIfItsSetupBegan) {
  World world = with_run(cleaned_dag());
  world.start("r1", "setup");
  cancel(world);
  EXPECT_EQ(state(world, "setup"), "stopping");
  EXPECT_EQ(state(world, "drop"), "none");
  stopped(world, "setup");
  EXPECT_EQ(state(world, "work"), "cancelled");
  EXPECT_EQ(state(world, "drop"), "queued");
  EXPECT_EQ(world.run("r1").state, RunState::Cancelling);
  end(world, "drop", TaskState::UpForRetry);
  world.now += std::chrono::minutes(1);
  world.settle();
  EXPECT_EQ(state(world, "drop"), "queued");
  end(world, "drop", TaskState::Success);
  EXPECT_EQ(world.run("r1").state, RunState::Cancelled);
}

TEST(Teardown, IsCancelledWithARunWhoseSetupsNeverBegan) {
  World world = with_run(cleaned_dag(), 0);
  cancel(world);
  EXPECT_EQ(state(world, "drop"), "cancelled");
  EXPECT_EQ(world.task("r1", "drop").reason, "the run was cancelled before its setups began");
  EXPECT_EQ(world.run("r1").state, RunState::Cancelled);
}

TEST(Teardown, IsLeftOutWhereTheRunIsCancelledNow) {
  World world = with_run(cleaned_dag());
  end(world, "setup", TaskState::Success);
  cancel(world);
  for (const char* task : {"work", "inner"}) stopped(world, task);
  ASSERT_EQ(state(world, "drop"), "queued");
  world.emit(RunId("r1"), run::RunMoved{RunState::Cancelling, {}, FailureClass::External, true});
  world.settle();
  EXPECT_EQ(state(world, "drop"), "stopping");
  World at_once = with_run(cleaned_dag());
  end(at_once, "setup", TaskState::Success);
  cancel(at_once, true);
  for (const char* task : {"work", "inner"}) stopped(at_once, task);
  EXPECT_EQ(state(at_once, "drop"), "cancelled");
}

// --- on_failure, on_success

dag::Dag told_dag() {
  dag::Dag dag = make_dag({{"a"}, {"on_failure"}, {"on_success"}});
  dag.tasks[1].role = dag::TaskRole::OnFailure;
  dag.tasks[2].role = dag::TaskRole::OnSuccess;
  return dag;
}

TEST(Last, OneOfThemRunsWhenAllElseIsOver) {
  World world = with_run(told_dag());
  EXPECT_EQ(why(world.snapshot, RunId("r1"), key_of("on_failure"), world.now),
            "is decided on when every other task is over; 1 are not");
  end(world, "a", TaskState::Failed);
  EXPECT_EQ(state(world, "on_failure"), "queued");
  EXPECT_EQ(state(world, "on_success"), "skipped");
  EXPECT_EQ(world.task("r1", "on_success").reason, "the run fails");
  EXPECT_EQ(world.run("r1").state, RunState::Running);
  end(world, "on_failure", TaskState::Failed);
  EXPECT_EQ(world.run("r1").failures, std::vector<std::string>{"a: exit code 1 (user)"});
}

TEST(Last, ItsOwnFailureChangesNothing) {
  World world = with_run(told_dag());
  end(world, "a", TaskState::Success);
  EXPECT_EQ(state(world, "on_success"), "queued");
  end(world, "on_success", TaskState::Failed);
  EXPECT_EQ(world.run("r1").state, RunState::Success);
}

TEST(Last, ACancelledRunHasNeither) {
  World world = with_run(told_dag());
  cancel(world);
  stopped(world, "a");
  EXPECT_EQ(state(world, "on_failure"), "cancelled");
  EXPECT_EQ(world.run("r1").state, RunState::Cancelled);
}

TEST(Last, ARunThatTimedOutHasFailed) {
  dag::Dag dag = told_dag();
  dag.timeout = std::chrono::minutes(5);
  World world = with_run(std::move(dag));
  world.now += std::chrono::minutes(6);
  world.settle();
  stopped(world, "a");
  EXPECT_EQ(state(world, "on_failure"), "queued");
  EXPECT_EQ(state(world, "on_success"), "cancelled");
  end(world, "on_failure", TaskState::Success);
  EXPECT_EQ(world.run("r1").state, RunState::Failed);
}

TEST(Last, ARetryAsksThemAgain) {
  World world = with_run(told_dag());
  end(world, "a", TaskState::Failed);
  end(world, "on_failure", TaskState::Success);
  retry(world, {key_of("a"), key_of("on_failure"), key_of("on_success")});
  EXPECT_EQ(state(world, "on_failure"), "none");
  end(world, "a", TaskState::Success);
  EXPECT_EQ(state(world, "on_success"), "queued");
  EXPECT_EQ(state(world, "on_failure"), "skipped");
}

// --- groups

TEST(Groups, MaxParallelHoldsOverAllItsTasks) {
  dag::Dag dag = make_dag({{"a"}, {"b"}, {"c"}, {"free"}});
  dag.groups = {{"g", {0, 1, 2}, 2, {}}};
  for (std::size_t i = 0; i < 3; ++i) dag.tasks[i].groups = {0};
  World world = with_run(std::move(dag));
  EXPECT_EQ(state(world, "b"), "queued");
  EXPECT_EQ(state(world, "c"), "scheduled");
  EXPECT_EQ(state(world, "free"), "queued");
  EXPECT_EQ(why(world.snapshot, RunId("r1"), key_of("c"), world.now), "max_parallel of group `g` is 2, all in use");
  end(world, "a", TaskState::Success);
  EXPECT_EQ(state(world, "c"), "queued");
}

// --- depends_on_past

dag::Dag past_dag() {
  dag::Dag dag = with(make_dag({{"a"}, {"b"}}), "a", [](dag::Task& task) { task.depends_on_past = true; });
  dag.max_active_runs = 2;
  return dag;
}

TEST(DependsOnPast, WaitsForItsOwnSuccessInTheRunBefore) {
  World world = with_run(past_dag());
  world.create("d", "r2", "daily", "r1");
  world.settle();
  EXPECT_EQ(state(world, "a", "r2"), "none");
  EXPECT_EQ(state(world, "b", "r2"), "queued");
  EXPECT_EQ(why(world.snapshot, RunId("r2"), key_of("a"), world.now),
            "depends_on_past: waits for `a` of run r1, where it is not over");
  end(world, "a", TaskState::Success);
  EXPECT_EQ(state(world, "a", "r2"), "queued");
}

TEST(DependsOnPast, AFailureThereHoldsItUntilItIsMended) {
  World world = with_run(past_dag());
  world.create("d", "r2", "daily", "r1");
  world.settle();
  end(world, "a", TaskState::Failed);
  end(world, "b", TaskState::Success);
  EXPECT_EQ(state(world, "a", "r2"), "none");
  EXPECT_EQ(
      why(world.snapshot, RunId("r2"), key_of("a"), world.now),
      "depends_on_past: waits for `a` of run r1, where it did not succeed: retry it there, or mark it as success");
  retry(world, {key_of("a")});
  end(world, "a", TaskState::Success);
  EXPECT_EQ(state(world, "a", "r2"), "queued");
}

TEST(DependsOnPast, HoldsForTheRunsVersionWhateverTheFileSaysNow) {
  World world = with_run(past_dag());
  world.create("d", "r2", "daily", "r1");
  world.settle();
  dag::Dag later = make_dag({{"a"}, {"b"}});
  later.max_active_runs = 2;
  world.add(std::move(later));
  EXPECT_EQ(state(world, "a", "r2"), "none");
  end(world, "a", TaskState::Success);
  EXPECT_EQ(state(world, "a", "r2"), "queued");
}

TEST(DependsOnPast, ARunThatIsAwaitedStartsBeyondTheLimit) {
  dag::Dag dag = past_dag();
  dag.max_active_runs = 1;
  World world = with_run(std::move(dag));
  end(world, "a", TaskState::Failed);
  end(world, "b", TaskState::Success);
  world.create("d", "r2", "daily", "r1");
  world.create("d", "r3", "daily", "r2");
  world.settle();
  EXPECT_EQ(world.run("r2").state, RunState::Running);
  EXPECT_EQ(world.run("r3").state, RunState::Queued);
  retry(world, {key_of("a")});
  EXPECT_EQ(world.run("r1").state, RunState::Running);
}

TEST(DependsOnPast, RemembersARunThatLeftMemory) {
  World world;
  world.add(past_dag());
  world.create("d", "r2", "daily", "r1").past[TaskId("a")] = {.failed = 1};
  world.settle();
  EXPECT_EQ(state(world, "a", "r2"), "none");
  World free;
  free.add(past_dag());
  free.create("d", "r2", "daily", "r1").past[TaskId("a")] = {.skipped = 1};
  free.settle();
  EXPECT_EQ(state(free, "a", "r2"), "queued");
}

}  // namespace
}  // namespace slipway::sched
