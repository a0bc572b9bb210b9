#include "support/engine_world.h"

namespace slipway::engine {
namespace {

using namespace std::chrono_literals;
using run::RunState;
using run::TaskState;
using test::at_second;
using test::EngineWorld;

constexpr const char* kDag =
    "dag: d\n"
    "params: {n: {type: integer, default: 3, minimum: 1}}\n"
    "tasks:\n"
    "  a: {run: 'true'}\n"
    "  b: {needs: a, run: 'true'}\n"
    "  report: {needs: b, run: 'true', trigger_rule: all_done}\n"
    "  side: {run: 'true'}\n";

class CommandTest : public ::testing::Test, public EngineWorld {
 protected:
  void SetUp() override {
    options.slots = 8;
    boot();
    put(kDag);
  }
  template <class C>
  ErrorCode refusal(C command) {
    const auto reply = ask(std::move(command));
    EXPECT_FALSE(reply);
    return reply ? ErrorCode::Internal : reply.error().code;
  }
};

TEST_F(CommandTest, TriggerChecksItsParameters) {
  EXPECT_EQ(run(trigger("d", Value::Object{{"n", 5}})).header.params.dump(), R"({"n":5})");
  EXPECT_EQ(run(trigger()).header.params.dump(), R"({"n":3})");
  EXPECT_EQ(refusal(TriggerRun{DagId("d"), Value::Object{{"n", 0}}, "", {}}), ErrorCode::InvalidArgument);
  EXPECT_EQ(refusal(TriggerRun{DagId("x"), {}, "", {}}), ErrorCode::NotFound);
}

TEST_F(CommandTest, ARefusedTriggerNamesTheCure) {
  const auto unknown = ask(TriggerRun{DagId("dd"), {}, "", {}});
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().message, "there is no DAG `dd`");
  EXPECT_EQ(unknown.error().help, "did you mean `d`?");
  const auto parameter = ask(TriggerRun{DagId("d"), Value::Object{{"nn", 1}}, "", {}});
  ASSERT_FALSE(parameter);
  EXPECT_EQ(parameter.error().message, "DAG `d` has no parameter `nn`");
  EXPECT_EQ(parameter.error().help, "did you mean `n`?");
}

TEST_F(CommandTest, AManualRunHasAnEmptyIntervalAtItsCreation) {
  const run::RunHeader& header = run(trigger()).header;
  EXPECT_EQ(header.logical_date, clock.now());
  EXPECT_EQ(header.interval_start, header.interval_end);
  EXPECT_EQ(run(ask(TriggerRun{DagId("d"), {}, "", at_second(-500)})->run).header.logical_date, at_second(-500));
}

TEST_F(CommandTest, ARepeatedKeyNamesTheFirstRun) {
  std::vector<Reply> replies;
  for (int i = 0; i < 2; ++i)
    daemon->submit(TriggerRun{DagId("d"), {}, "key", {}}, [&](const Result<Reply>& r) { replies.push_back(*r); });
  step();
  replies.push_back(*ask(TriggerRun{DagId("d"), {}, "key", {}}));
  drive();
  replies.push_back(*ask(TriggerRun{DagId("d"), {}, "key", {}}));
  die();
  boot();
  replies.push_back(*ask(TriggerRun{DagId("d"), {}, "key", {}}));
  EXPECT_FALSE(replies.front().existed);
  for (std::size_t i = 1; i < replies.size(); ++i) {
    EXPECT_EQ(replies[i].run, replies.front().run);
    EXPECT_TRUE(replies[i].existed);
  }
  EXPECT_EQ(disk->runs.size(), 1U);
}

TEST_F(CommandTest, CancelStopsGentlyAndNowAtOnce) {
  scripts["a"].run_time.reset();
  scripts["a"].stop_delay = 20s;
  for (const bool now : {false, true}) {
    const RunId id = trigger();
    drive(clock.now() + 1s);
    const Instant asked = clock.now();
    EXPECT_TRUE(ask(CancelRun{id, now}));
    EXPECT_EQ(run(id).state, RunState::Cancelling);
    drive();
    EXPECT_EQ(run(id).state, RunState::Cancelled);
    EXPECT_EQ(task(id, "a").state, TaskState::Cancelled);
    EXPECT_EQ(task(id, "b").state, TaskState::Cancelled);
    EXPECT_EQ(task(id, "side").state, TaskState::Success);
    EXPECT_EQ(*run(id).ended_at - asked, now ? Duration(0) : Duration(20s));
  }
}

TEST_F(CommandTest, ASecondCancelWithNowHurriesTheFirst) {
  scripts["a"].run_time.reset();
  scripts["a"].stop_delay = 20s;
  const RunId id = trigger();
  drive(clock.now() + 1s);
  ASSERT_TRUE(ask(CancelRun{id, false}));
  ASSERT_TRUE(ask(CancelRun{id, true}));
  const Instant asked = clock.now();
  drive();
  EXPECT_EQ(run(id).ended_at, asked);
}

TEST_F(CommandTest, CancelOfWhatIsOverOrUnknownIsRefused) {
  const RunId id = trigger();
  drive();
  EXPECT_EQ(refusal(CancelRun{id}), ErrorCode::Conflict);
  EXPECT_EQ(refusal(CancelRun{RunId("nobody")}), ErrorCode::NotFound);
}

TEST_F(CommandTest, RetryOpensFailedTasksAndWhatIsBelowThem) {
  scripts["a"].exit_code = 1;
  const RunId id = trigger();
  drive();
  ASSERT_EQ(run(id).state, RunState::Failed);
  EXPECT_EQ(task(id, "report").state, TaskState::Success);
  scripts["a"] = test::Script();
  die();
  boot();
  ASSERT_TRUE(ask(RetryRun{id}));
  drive();
  EXPECT_EQ(run(id).state, RunState::Success);
  EXPECT_TRUE(run(id).failures.empty());
  EXPECT_EQ(task(id, "a").generation, 2);
  EXPECT_EQ(task(id, "a").attempts, 2);
  EXPECT_EQ(task(id, "b").state, TaskState::Success);
  EXPECT_EQ(task(id, "report").attempts, 2);
  EXPECT_EQ(task(id, "side").attempts, 1);
}

TEST_F(CommandTest, RetryWorksOnARunThatStillRuns) {
  scripts["a"].exit_code = 1;
  scripts["side"].run_time.reset();
  const RunId id = trigger();
  drive(clock.now() + 10s);
  ASSERT_EQ(run(id).state, RunState::Running);
  scripts["a"] = test::Script();
  ASSERT_TRUE(ask(RetryRun{id}));
  drive(clock.now() + 10s);
  EXPECT_EQ(task(id, "report").state, TaskState::Success);
  EXPECT_EQ(task(id, "b").state, TaskState::Success);
}

TEST_F(CommandTest, RetryIsRefusedWhereThereIsNothingToRetry) {
  const RunId id = trigger();
  drive();
  EXPECT_EQ(refusal(RetryRun{id}), ErrorCode::Conflict);
  EXPECT_TRUE(daemon->snapshot().runs.empty()) << "a refused run leaves memory again";
  EXPECT_EQ(refusal(RetryRun{RunId("nobody")}), ErrorCode::NotFound);
  scripts["a"].run_time.reset();
  const RunId other = trigger();
  drive(clock.now() + 1s);
  scripts["a"].stop_delay = 1s;
  ASSERT_TRUE(ask(CancelRun{other}));
  EXPECT_EQ(refusal(RetryRun{other}), ErrorCode::Conflict);
}

TEST_F(CommandTest, ACancelledRunCanBeRetried) {
  scripts["a"].run_time.reset();
  const RunId id = trigger();
  drive(clock.now() + 1s);
  ASSERT_TRUE(ask(CancelRun{id, true}));
  drive();
  scripts["a"] = test::Script();
  ASSERT_TRUE(ask(RetryRun{id}));
  drive();
  EXPECT_EQ(run(id).state, RunState::Success);
}

TEST_F(CommandTest, PauseStopsTicksAndSurvivesARestart) {
  put("dag: tick\nschedule: {every: 1h, missed: none}\ntasks:\n  a: {run: 'true'}\n", "tick.yaml");
  ASSERT_TRUE(ask(PauseDag{DagId("tick"), true}));
  drive(clock.now() + 3h);
  die();
  boot();
  EXPECT_TRUE(disk->dags.at(DagId("tick")).paused);
  drive(clock.now() + 3h);
  EXPECT_TRUE(disk->runs.empty());
  ASSERT_TRUE(ask(PauseDag{DagId("tick"), false}));
  drive(clock.now() + 2h);
  EXPECT_EQ(disk->runs.size(), 2U);
  EXPECT_EQ(refusal(PauseDag{DagId("x"), true}), ErrorCode::NotFound);
}

TEST_F(CommandTest, VarsAreSetReadAndDeleted) {
  ASSERT_TRUE(ask(SetVar{"GATE", Value(2)}));
  put("dag: v\ntasks:\n  a: {run: 'true', when: '${{ vars.GATE == 2 }}'}\n", "v.yaml");
  const RunId id = trigger("v");
  drive();
  EXPECT_EQ(task(id, "a").state, TaskState::Success);
  ASSERT_TRUE(ask(SetVar{"GATE", std::nullopt}));
  EXPECT_EQ(disk->vars.dump(), "{}");
  EXPECT_EQ(refusal(SetVar{"GATE", std::nullopt}), ErrorCode::NotFound);
  EXPECT_EQ(refusal(SetVar{"", Value(1)}), ErrorCode::InvalidArgument);
}

TEST_F(CommandTest, SecretsAreStoredSealed) {
  ASSERT_TRUE(ask(SetSecret{"TOKEN", "sealed"}));
  EXPECT_EQ((disk->blobs.at({"secret", "TOKEN"})), "sealed");
  ASSERT_TRUE(ask(SetSecret{"TOKEN", std::nullopt}));
  EXPECT_TRUE(disk->blobs.empty());
  EXPECT_EQ(refusal(SetSecret{"TOKEN", std::nullopt}), ErrorCode::NotFound);
}

TEST_F(CommandTest, TokensAreStoredAndRevoked) {
  ASSERT_TRUE(ask(SetToken{"0a1b2c3d", "{}"}));
  EXPECT_EQ((disk->blobs.at({"token", "0a1b2c3d"})), "{}");
  ASSERT_TRUE(ask(SetToken{"0a1b2c3d", std::nullopt}));
  EXPECT_EQ(refusal(SetToken{"0a1b2c3d", std::nullopt}), ErrorCode::NotFound);
  EXPECT_EQ(refusal(SetToken{"", "{}"}), ErrorCode::InvalidArgument);
}

TEST_F(CommandTest, WhoAskedIsCommittedWithWhatChanged) {
  put("dag: d\ntasks:\n  a: {run: 'true'}\n");
  const Origin origin{"t1", "ci", "POST /dags/d/runs"};
  const auto commits = disk->commits;
  daemon->submit(TriggerRun{DagId("d"), {}, "", {}}, {}, origin);
  daemon->submit(TriggerRun{DagId("none"), {}, "", {}}, {}, origin);
  step();
  EXPECT_EQ(disk->commits, commits + 1);
  ASSERT_EQ(disk->audit.size(), 2U);
  EXPECT_EQ(disk->audit[0].actor, "ci");
  EXPECT_EQ(disk->audit[0].at, clock.now());
  EXPECT_EQ(disk->audit[0].outcome, "ok");
  EXPECT_EQ(disk->audit[1].outcome, "not-found");
  daemon->submit(ClearRun{.run = disk->runs.begin()->first, .preview = true}, {}, origin);
  step();
  EXPECT_EQ(disk->audit.size(), 2U) << "a preview changes nothing";
}

}  // namespace
}  // namespace slipway::engine
