// Runs that wait for runs: sub-runs of `dag:` tasks, and `wait: {run}`.
#include "slipway/sched/planner.h"
#include "support/engine_world.h"

namespace slipway::engine {
namespace {

using namespace std::chrono_literals;
using run::FailureClass;
using run::RunState;
using run::TaskState;
using test::at_second;
using test::EngineWorld;
using test::key_of;

class SubRunTest : public ::testing::Test, public EngineWorld {
 protected:
  void SetUp() override {
    options.slots = 4;
    boot();
    put("dag: child\nparams: {n: {type: integer, default: 1}}\nmax_active_runs: 5\ntasks:\n  work: {run: 'true'}\n",
        "child.yaml");
    put("dag: d\ntasks:\n  sub: {dag: {id: child, params: {n: \"${{ 40 + 2 }}\"}}}\n  after: {needs: sub, noop: "
        "true}\n");
  }
  [[nodiscard]] RunId child_of(const RunId& id) const {
    const auto& waiting = task(id, "sub").waiting;
    return RunId(waiting ? waiting->what.get_string("run") : task(id, "sub").outputs.get_string("run"));
  }
  [[nodiscard]] int children() const {
    int count = 0;
    for (const auto& [id, run] : disk->runs) count += run.header.dag == DagId("child") ? 1 : 0;
    return count;
  }
};

TEST_F(SubRunTest, ATaskStartsADagAndTakesItsEnd) {
  scripts["work"].run_time = 10s;
  const RunId id = trigger();
  drive(at_second(5));
  const RunId child = child_of(id);
  EXPECT_EQ(run(child).header.trigger, run::TriggerKind::SubRun);
  EXPECT_EQ(run(child).header.params.dump(), R"({"n":42})");
  EXPECT_EQ(run(child).header.parent, (run::ParentTask{id, key_of("sub"), 1, 1}));
  EXPECT_EQ(run(child).header.logical_date, run(id).header.logical_date);
  EXPECT_EQ(sched::why(daemon->snapshot(), id, key_of("sub"), clock.now()),
            "waits for run " + child.str() + " of child (running)");
  drive();
  EXPECT_EQ(task(id, "sub").outputs.dump(), R"({"run":")" + child.str() + R"(","state":"success"})");
  EXPECT_EQ(run(id).state, RunState::Success);
}

TEST_F(SubRunTest, ItsFailureIsTheTasks) {
  scripts["work"].exit_code = 3;
  const RunId id = trigger();
  drive();
  EXPECT_EQ(task(id, "sub").failure, FailureClass::User);
  EXPECT_NE(task(id, "sub").reason.find("of child ended failed: work: exit code 3"), std::string::npos)
      << task(id, "sub").reason;
  EXPECT_EQ(run(id).state, RunState::Failed);
}

TEST_F(SubRunTest, AFanOutStartsOnePerElementAndAtMostSoManyAtATime) {
  put("dag: d\ntasks:\n  sub: {dag: {id: child, params: {n: \"${{ item }}\"}}, for_each: [7, 8, 9], max_parallel: 2}\n"
      "  after: {needs: sub, noop: true}\n");
  scripts["work"].run_time = 10s;
  const RunId id = trigger();
  drive(at_second(5));
  EXPECT_EQ(children(), 2);
  EXPECT_EQ(sched::why(daemon->snapshot(), id, key_of("sub[2]"), clock.now()),
            "max_parallel of the fan-out is 2, all in use");
  drive(at_second(15));
  EXPECT_EQ(children(), 3);
  drive();
  EXPECT_EQ(run(id).state, RunState::Success);
  const RunId last(task(id, "sub[2]").outputs.get_string("run"));
  EXPECT_EQ(run(last).header.params.dump(), R"({"n":9})");
  EXPECT_EQ(run(last).header.parent, (run::ParentTask{id, key_of("sub[2]"), 1, 1}));
}

TEST_F(SubRunTest, AClearedElementKeepsToMaxParallel) {
  put("dag: d\ntasks:\n  sub: {dag: child, for_each: [1, 2], max_parallel: 1}\n");
  scripts["work"].exit_code = 1;
  const RunId id = trigger();
  drive();
  ASSERT_EQ(run(id).state, RunState::Failed);
  scripts["work"] = {.run_time = 10s};
  ASSERT_TRUE(ask(RetryRun{id}));
  drive(clock.now() + 5s);
  EXPECT_EQ(children(), 3);
  drive();
  EXPECT_EQ(children(), 4);
  EXPECT_EQ(run(id).state, RunState::Success);
}

TEST_F(SubRunTest, AGroupsMaxParallelCountsThem) {
  put("dag: d\ngroups: {g: {tasks: [sub, other], max_parallel: 1}}\ntasks:\n  sub: {dag: child}\n  other: {dag: "
      "child}\n");
  scripts["work"].run_time = 10s;
  const RunId id = trigger();
  drive(at_second(5));
  EXPECT_EQ(children(), 1);
  drive();
  EXPECT_EQ(children(), 2);
  EXPECT_EQ(run(id).state, RunState::Success);
}

TEST_F(SubRunTest, OneSubRunPerGenerationWhateverDies) {
  scripts["work"].run_time = 10s;
  const RunId id = trigger();
  for (int i = 0; i < 3; ++i) {
    step();
    die();
    boot();
  }
  drive();
  EXPECT_EQ(children(), 1);
  EXPECT_EQ(run(id).state, RunState::Success);
}

TEST_F(SubRunTest, ARetryStartsAnother) {
  scripts["work"].exit_code = 1;
  const RunId id = trigger();
  drive();
  scripts["work"].exit_code = 0;
  ASSERT_TRUE(ask(RetryRun{id}));
  drive();
  EXPECT_EQ(children(), 2);
  EXPECT_EQ(run(id).state, RunState::Success);
  EXPECT_EQ(run(child_of(id)).header.parent->generation, 2);
}

TEST_F(SubRunTest, ACancelTakesItAlongAndWaitsForIt) {
  scripts["work"] = {.run_time = std::nullopt, .stop_delay = 20s};
  const RunId id = trigger();
  drive(at_second(5));
  ASSERT_TRUE(ask(CancelRun{id}));
  EXPECT_EQ(run(child_of(id)).state, RunState::Cancelling);
  EXPECT_EQ(run(id).state, RunState::Cancelling);
  die();
  boot();
  drive();
  EXPECT_EQ(run(id).state, RunState::Cancelled);
  EXPECT_EQ(task(id, "sub").state, TaskState::Cancelled);
}

TEST_F(SubRunTest, AMarkEndsItForItsTaskAlsoBeforeItBegan) {
  put("dag: child\nmax_active_runs: 1\ntasks:\n  work: {run: 'true'}\n", "child.yaml");
  put("dag: d\ntasks:\n  sub: {dag: child}\n");
  scripts["work"].run_time = 1h;
  trigger("child");
  const RunId id = trigger();
  drive(at_second(5));
  ASSERT_EQ(run(child_of(id)).state, RunState::Queued);
  ASSERT_TRUE(ask(MarkRun{child_of(id), {}, TaskState::Success, ""}));
  drive(at_second(10));
  EXPECT_EQ(task(id, "sub").state, TaskState::Success);
  EXPECT_EQ(run(id).state, RunState::Success);
}

TEST_F(SubRunTest, ATimeoutCancelsIt) {
  put("dag: d\ntasks:\n  sub: {dag: child, timeout: 1m}\n");
  scripts["work"].run_time = std::nullopt;
  const RunId id = trigger();
  drive(at_second(10));
  const RunId child = child_of(id);
  drive();
  EXPECT_EQ(task(id, "sub").failure, FailureClass::Timeout);
  EXPECT_EQ(run(child).state, RunState::Cancelled);
}

TEST_F(SubRunTest, WhatCannotStartFails) {
  put("dag: d\ntasks:\n  sub: {dag: nothing}\n  bad: {dag: {id: child, params: {n: x}}}\n");
  const RunId id = trigger();
  drive();
  EXPECT_EQ(task(id, "sub").reason, "there is no DAG `nothing`");
  EXPECT_EQ(task(id, "sub").failure, FailureClass::Config);
  EXPECT_EQ(task(id, "bad").reason.substr(0, 12), "DAG `child`:");
  EXPECT_EQ(children(), 0);
}

TEST_F(SubRunTest, DagsThatStartEachOtherAreRefused) {
  put("dag: child\ntasks:\n  again: {dag: d}\n", "child.yaml");
  const RunId id = trigger();
  drive();
  EXPECT_EQ(task(id, "sub").reason, "DAGs start each other: d → child → d");
  EXPECT_EQ(task(id, "sub").failure, FailureClass::Config);
  EXPECT_EQ(disk->runs.size(), 1U);
}

TEST_F(SubRunTest, AWaitForARunEndsWithIt) {
  put("dag: w\nparams: {id: {type: string}}\ntasks:\n  wait: {wait: {run: \"${{ params.id }}\"}}\n", "w.yaml");
  scripts["work"].run_time = 10s;
  const RunId child = trigger("child");
  const RunId early = trigger("w", Value::Object{{"id", child.str()}});
  drive();
  const RunId late = trigger("w", Value::Object{{"id", child.str()}});
  drive();
  for (const RunId& id : {early, late})
    EXPECT_EQ(task(id, "wait").outputs.dump(), R"({"run":")" + child.str() + R"(","state":"success"})");
  EXPECT_EQ(task(early, "wait").ended_at, run(child).ended_at);
}

TEST_F(SubRunTest, AWaitForARunThatDoesNotExistFails) {
  put("dag: w\ntasks:\n  other: {wait: {run: nothing}}\n  self: {wait: {run: \"${{ run.id }}\"}}\n", "w.yaml");
  const RunId id = trigger("w");
  drive();
  EXPECT_EQ(task(id, "other").failure, FailureClass::Config);
  EXPECT_EQ(task(id, "self").reason, "waits for its own run");
  EXPECT_EQ(run(id).state, RunState::Failed);
}

}  // namespace
}  // namespace slipway::engine
