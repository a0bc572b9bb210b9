// The structure of a DAG at run time, from the file to what is launched: fan-out, teardowns, what comes last, the past.
#include "support/engine_world.h"

namespace slipway::engine {
namespace {

using namespace std::chrono_literals;
using run::RunState;
using run::TaskState;
using test::EngineWorld;
using test::key_of;
using test::Script;

class StructureTest : public ::testing::Test, public EngineWorld {
 protected:
  void SetUp() override {
    options.slots = 8;
    boot();
  }
  // Each attempt behaves as told by `tell`, which sees its key and number.
  Script exits(int code) {
    Script script;
    script.exit_code = code;
    return script;
  }
  [[nodiscard]] std::string env(const RunId& id, const std::string& task, const std::string& name) const {
    const auto found = launched.find({id, key_of(task), run(id).tasks.at(key_of(task)).attempts});
    if (found == launched.end()) return "not launched";
    const auto value = found->second.env.find(name);
    return value == found->second.env.end() ? "not set" : value->second;
  }
};

constexpr const char* kFanOut =
    "dag: d\n"
    "params: {names: {type: array, default: [{n: a}, {n: b}, {n: c}]}}\n"
    "tasks:\n"
    "  each:\n"
    "    for_each: ${{ params.names }}\n"
    "    run: [x, \"${{ item.n }}\"]\n"
    "    env: {WHICH: \"${{ item.n }}-${{ index }}\"}\n"
    "    outputs: {n: integer}\n"
    "  all:\n"
    "    needs: each\n"
    "    trigger_rule: all_done\n"
    "    run: x\n"
    "    env: {ALL: \"${{ to_json(tasks.each.outputs) }}\", HOW: \"${{ tasks.each.state }} ${{ tasks.each.attempts "
    "}}\"}\n";

TEST_F(StructureTest, InstancesSeeTheirElementAndTheNextTaskSeesThemAll) {
  put(kFanOut);
  scripts["each"].output = R"({"n": 7})";
  const RunId id = trigger();
  drive();
  EXPECT_EQ(run(id).state, RunState::Success);
  EXPECT_EQ(env(id, "each[1]", "WHICH"), "b-1");
  EXPECT_EQ(env(id, "each[1]", "SLIPWAY_MAP_INDEX"), "1");
  EXPECT_EQ(launched.at({id, key_of("each[2]"), 1}).argv, (std::vector<std::string>{"x", "c"}));
  EXPECT_EQ(env(id, "all", "ALL"), R"([{"n":7},{"n":7},{"n":7}])");
  EXPECT_EQ(env(id, "all", "HOW"), "success 3");
  EXPECT_EQ(launched.count({id, key_of("each"), 1}), 0U);
}

TEST_F(StructureTest, TheElementsStayWhatTheyWere) {
  put("dag: d\ntasks:\n  each: {for_each: \"${{ vars.LIST }}\", run: x, env: {I: \"${{ item }}\"}}\n");
  ASSERT_TRUE(ask(SetVar{"LIST", Value::Array{"old", "older"}}));
  scripts["each"] = exits(1);
  const RunId id = trigger();
  drive();
  ASSERT_EQ(run(id).state, RunState::Failed);
  ASSERT_TRUE(ask(SetVar{"LIST", Value::Array{"new"}}));
  scripts["each"] = exits(0);
  ASSERT_TRUE(ask(RetryRun{id}));
  drive();
  EXPECT_EQ(run(id).state, RunState::Success);
  EXPECT_EQ(env(id, "each[1]", "I"), "older");
  EXPECT_EQ(task(id, "each[1]").attempts, 2);
}

TEST_F(StructureTest, AnExpansionSurvivesTheDeathOfTheDaemon) {
  put(kFanOut);
  scripts["each"].output = R"({"n": 7})";
  const RunId id = trigger();
  ASSERT_EQ(task(id, "each").state, TaskState::Removed);
  die();
  boot();
  drive();
  EXPECT_EQ(run(id).state, RunState::Success);
  EXPECT_EQ(env(id, "each[0]", "WHICH"), "a-0");
  for (const auto& [attempt, process] : machine.processes()) EXPECT_EQ(process.starts, 1) << attempt.str();
}

TEST_F(StructureTest, AListTooLongFailsTheTask) {
  put("dag: d\nparams: {l: {type: array}}\ntasks:\n  each: {for_each: \"${{ params.l }}\", run: x}\n");
  const RunId id = trigger("d", Value::Object{{"l", Value::Array(dag::kInstancesMax + 1, Value(1))}});
  drive();
  EXPECT_EQ(run(id).state, RunState::Failed);
  EXPECT_EQ(task(id, "each").failure, run::FailureClass::Render);
}

constexpr const char* kCleaned =
    "dag: d\n"
    "tasks:\n"
    "  make: {run: x, outputs: {url: string}}\n"
    "  work: {needs: make, run: x}\n"
    "  drop: {teardown_for: make, run: x, env: {URL: \"${{ default(tasks.make.outputs.url, 'none') }}\"}}\n"
    "on_failure: {run: x, env: {WHY: \"${{ run.result }}: ${{ join(run.failures, '; ') }}\"}}\n"
    "on_success: {run: x}\n";

TEST_F(StructureTest, AFailedRunCleansUpAndTells) {
  put(kCleaned);
  scripts["make"].output = R"({"url": "http://c"})";
  scripts["work"] = exits(3);
  const RunId id = trigger();
  drive();
  EXPECT_EQ(run(id).state, RunState::Failed);
  EXPECT_EQ(env(id, "drop", "URL"), "http://c");
  EXPECT_EQ(env(id, "on_failure", "WHY"), "failed: work: exit code 3 (user)");
  EXPECT_EQ(task(id, "on_success").state, TaskState::Skipped);
  EXPECT_GE(*task(id, "on_failure").started_at, *task(id, "drop").ended_at);
}

TEST_F(StructureTest, ACancelledRunCleansUpUnlessItIsCancelledNow) {
  put(kCleaned);
  scripts["make"].output = R"({"url": "http://c"})";
  scripts["work"].run_time = 10min;
  for (const bool now : {false, true}) {
    const RunId id = trigger();
    drive(clock.now() + 1min);
    ASSERT_EQ(task(id, "work").state, TaskState::Active);
    ASSERT_TRUE(ask(CancelRun{id, now}));
    drive();
    EXPECT_EQ(run(id).state, RunState::Cancelled);
    EXPECT_EQ(task(id, "drop").state, now ? TaskState::Cancelled : TaskState::Success);
    EXPECT_EQ(task(id, "on_failure").state, TaskState::Cancelled);
  }
}

TEST_F(StructureTest, ACleaningRunCanBeCancelledNowAfterARestart) {
  put(kCleaned);
  scripts["make"].output = R"({"url": "http://c"})";
  scripts["work"].run_time = 10min;
  scripts["drop"].run_time = 60min;
  const RunId id = trigger();
  drive(clock.now() + 1min);
  ASSERT_TRUE(ask(CancelRun{id}));
  drive(clock.now() + 1min);
  ASSERT_EQ(task(id, "drop").state, TaskState::Active);
  EXPECT_FALSE(run(id).cancel_now);
  die();
  boot();
  ASSERT_TRUE(ask(CancelRun{id, true}));
  drive();
  EXPECT_EQ(run(id).state, RunState::Cancelled);
  EXPECT_EQ(task(id, "drop").state, TaskState::Cancelled);
}

constexpr const char* kPast =
    "dag: d\n"
    "schedule: {name: s, every: 1h}\n"
    "max_active_runs: 2\n"
    "tasks:\n"
    "  a: {run: x, depends_on_past: true}\n"
    "  b: {run: x}\n";

TEST_F(StructureTest, ARunWaitsForTheSameTaskOfTheRunBefore) {
  put(kPast);
  scripts["a"] = exits(1);
  drive(clock.now() + 130min);
  ASSERT_EQ(disk->runs.size(), 2U);
  const RunId first = disk->runs.begin()->first;
  const RunId second = disk->runs.rbegin()->first;
  EXPECT_EQ(run(second).header.previous, first);
  EXPECT_EQ(run(first).state, RunState::Failed);
  EXPECT_EQ(task(second, "a").state, TaskState::None);
  die();
  boot();
  step();
  EXPECT_EQ(task(second, "a").state, TaskState::None);
  scripts["a"] = exits(0);
  ASSERT_TRUE(ask(RetryRun{first}));
  drive(clock.now() + 5min);
  EXPECT_EQ(run(first).state, RunState::Success);
  EXPECT_EQ(run(second).state, RunState::Success);
}

TEST_F(StructureTest, TheFirstRunAndRunsByHandAreFree) {
  put(kPast);
  const RunId by_hand = trigger();
  drive(clock.now() + 1min);
  EXPECT_EQ(run(by_hand).state, RunState::Success);
  EXPECT_TRUE(run(by_hand).header.previous.empty());
  drive(clock.now() + 61min);
  EXPECT_EQ(run(disk->runs.rbegin()->first).state, RunState::Success);
}

}  // namespace
}  // namespace slipway::engine
