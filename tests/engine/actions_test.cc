// Clear, retry, mark and resume.
#include "support/engine_world.h"

namespace slipway::engine {
namespace {

using namespace std::chrono_literals;
using run::RunState;
using run::TaskState;
using test::EngineWorld;
using test::key_of;

constexpr const char* kDag =
    "dag: d\n"
    "params: {n: {type: integer, default: 3, minimum: 1}}\n"
    "tasks:\n"
    "  a: {run: 'true'}\n"
    "  b: {needs: a, run: 'true'}\n"
    "  c: {needs: b, run: 'true'}\n"
    "  side: {run: 'true'}\n";

class ActionTest : public ::testing::Test, public EngineWorld {
 protected:
  void SetUp() override {
    options.slots = 8;
    boot();
    put(kDag);
  }
  template <class C>
  Error refusal(C command) {
    const auto reply = ask(std::move(command));
    EXPECT_FALSE(reply);
    return reply ? Error{ErrorCode::Internal, "it was done", {}} : reply.error();
  }
  // "b:reset c:stop"
  static std::string told(const Result<Reply>& reply) {
    if (!reply) return reply.error().message;
    std::string text;
    for (const Change& change : reply->changes)
      text += (text.empty() ? "" : " ") + change.key.str() + ":" + std::string(kActions.text(change.action));
    return text;
  }
  RunId finished() {
    const RunId id = trigger();
    drive();
    EXPECT_EQ(run(id).state, RunState::Success);
    return id;
  }
  static ClearRun clear(const RunId& id, std::vector<std::string> tasks) {
    ClearRun command{.run = id};
    for (const auto& name : tasks) command.tasks.push_back(key_of(name));
    return command;
  }
};

// --- clear

TEST_F(ActionTest, APreviewTellsWhatAClearDoesAndChangesNothing) {
  const RunId id = finished();
  ClearRun command = clear(id, {"b"});
  command.preview = true;
  const run::Run before = run(id);
  EXPECT_EQ(told(ask(command)), "b:reset");
  command.downstream = true;
  EXPECT_EQ(told(ask(command)), "b:reset c:reset");
  command.upstream = true;
  EXPECT_EQ(told(ask(command)), "a:reset b:reset c:reset");
  EXPECT_EQ(told(ask(ClearRun{.run = id, .preview = true})), "a:reset b:reset c:reset side:reset");
  EXPECT_EQ(run(id), before);
  EXPECT_TRUE(daemon->snapshot().runs.empty());
}

TEST_F(ActionTest, AFinishedRunReopensAndRunsWhatWasCleared) {
  const RunId id = finished();
  ClearRun command = clear(id, {"b"});
  command.downstream = true;
  ASSERT_TRUE(ask(command));
  drive();
  EXPECT_EQ(run(id).state, RunState::Success);
  EXPECT_EQ(task(id, "a").attempts, 1);
  EXPECT_EQ(task(id, "b").attempts, 2);
  EXPECT_EQ(task(id, "c").attempts, 2);
  EXPECT_EQ(task(id, "b").generation, 2);
}

TEST_F(ActionTest, ARunningTaskIsStoppedThenItsNextGenerationOpens) {
  scripts["a"].run_time.reset();
  scripts["a"].stop_delay = 20s;
  const RunId id = trigger();
  drive(clock.now() + 5s);
  const auto cleared = ask(clear(id, {"a"}));
  EXPECT_EQ(told(cleared), "a:stop");
  EXPECT_EQ(task(id, "a").state, TaskState::Stopping);
  EXPECT_EQ(task(id, "a").generation, 1);
  EXPECT_TRUE(task(id, "a").clearing);
  scripts["a"] = test::Script();
  drive(clock.now() + 10s);
  EXPECT_EQ(task(id, "a").attempts, 1) << "the slot is held until the first attempt is over";
  drive();
  EXPECT_EQ(run(id).state, RunState::Success);
  EXPECT_EQ(task(id, "a").generation, 2);
  EXPECT_EQ(task(id, "a").attempts, 2);
  EXPECT_EQ(run(id).attempts.at({id, key_of("a"), 1}).state, run::AttemptState::Cancelled);
}

TEST_F(ActionTest, AClearSurvivesARestart) {
  scripts["a"].run_time.reset();
  scripts["a"].stop_delay = 20s;
  const RunId id = trigger();
  drive(clock.now() + 5s);
  ASSERT_TRUE(ask(clear(id, {"a"})));
  scripts["a"] = test::Script();
  die();
  boot();
  drive();
  EXPECT_EQ(run(id).state, RunState::Success);
  EXPECT_EQ(task(id, "a").attempts, 2);
}

TEST_F(ActionTest, ACancelGoesOverAClearThatStillWaits) {
  scripts["a"].run_time.reset();
  scripts["a"].stop_delay = 20s;
  const RunId id = trigger();
  drive(clock.now() + 5s);
  ASSERT_TRUE(ask(clear(id, {"a"})));
  ASSERT_TRUE(ask(CancelRun{id}));
  EXPECT_EQ(refusal(clear(id, {"a"})).code, ErrorCode::Conflict);
  drive();
  EXPECT_EQ(run(id).state, RunState::Cancelled);
  EXPECT_EQ(task(id, "a").generation, 1);
}

TEST_F(ActionTest, WhatIsBelowAndHasNotRunIsDecidedOnAgain) {
  scripts["a"].exit_code = 1;
  const RunId id = trigger();
  drive();
  ASSERT_EQ(task(id, "c").state, TaskState::UpstreamFailed);
  scripts["a"] = test::Script();
  EXPECT_EQ(told(ask(clear(id, {"a"}))), "a:reset b:decide c:decide");
  drive();
  EXPECT_EQ(run(id).state, RunState::Success);
  EXPECT_EQ(task(id, "side").attempts, 1);
}

TEST_F(ActionTest, OnlyWhatFailedIsClearedWhereThatIsAsked) {
  scripts["b"].exit_code = 1;
  const RunId id = trigger();
  drive();
  EXPECT_EQ(told(ask(ClearRun{.run = id, .failed_only = true, .preview = true})), "b:reset c:reset");
}

TEST_F(ActionTest, PastAndFutureAreRunsByLogicalDate) {
  std::vector<RunId> ids;
  for (const int day : {2, 1, 3}) {
    ids.push_back(ask(TriggerRun{DagId("d"), {}, "", test::at_second(86'400 * day)})->run);
    drive();
  }
  ClearRun command = clear(ids[0], {"a"});
  command.preview = true;
  command.past = true;
  auto reply = ask(command);
  ASSERT_TRUE(reply);
  ASSERT_EQ(reply->changes.size(), 2U);
  EXPECT_EQ(reply->changes[1].run, ids[1]);
  command.future = true;
  EXPECT_EQ(ask(command)->changes.size(), 3U);
  command.preview = false;
  ASSERT_TRUE(ask(command));
  drive();
  for (const RunId& id : ids) EXPECT_EQ(task(id, "a").attempts, 2);
}

TEST_F(ActionTest, AClearOfNothingIsRefused) {
  const RunId id = finished();
  EXPECT_EQ(refusal(clear(id, {"nobody"})).code, ErrorCode::NotFound);
  EXPECT_EQ(refusal(clear(id, {"sid"})).help, "did you mean `side`?");
  EXPECT_EQ(refusal(clear(RunId("nobody"), {})).code, ErrorCode::NotFound);
  EXPECT_EQ(refusal(ClearRun{.run = id, .failed_only = true}).code, ErrorCode::Conflict);
  EXPECT_TRUE(daemon->snapshot().runs.empty());
}

TEST_F(ActionTest, TheCurrentVersionTakesOverARun) {
  const RunId id = finished();
  put("dag: d\ntasks:\n  a: {run: 'true'}\n  b: {needs: [a, n], run: 'true'}\n  n: {run: 'true'}\n"
      "  side: {run: 'true'}\n");
  ClearRun command = clear(id, {"b"});
  EXPECT_EQ(told(ask(command)), "b:reset") << "the version is pinned unless asked";
  drive();
  command.current_version = command.preview = true;
  EXPECT_EQ(told(ask(command)), "c:remove n:add b:reset");
  command.preview = false;
  ASSERT_TRUE(ask(command));
  die();
  boot();
  drive();
  EXPECT_EQ(run(id).state, RunState::Success);
  EXPECT_EQ(run(id).header.version, disk->dags.at(DagId("d")).version);
  EXPECT_EQ(run(id).header.params.dump(), "{}");
  EXPECT_EQ(task(id, "c").state, TaskState::Removed);
  EXPECT_EQ(task(id, "n").attempts, 1);
  EXPECT_EQ(task(id, "b").attempts, 3);
  EXPECT_EQ(task(id, "a").attempts, 1);
}

TEST_F(ActionTest, TheCurrentVersionIsRefusedWhereItLacksWhatIsCleared) {
  const RunId id = finished();
  put("dag: d\ntasks:\n  a: {run: 'true'}\n  z: {run: 'true'}\n");
  ClearRun command = clear(id, {"b"});
  command.current_version = true;
  const Error error = refusal(command);
  EXPECT_EQ(error.code, ErrorCode::Conflict);
  EXPECT_NE(error.message.find("has no task `b`"), std::string::npos) << error.message;
  EXPECT_EQ(error.help, "tasks removed: `b`, `c`, `side`; added: `z`");
}

TEST_F(ActionTest, AnAttemptUnderWayKeepsItsVersion) {
  scripts["c"].run_time.reset();
  const RunId id = trigger();
  drive(clock.now() + 10s);
  ASSERT_EQ(task(id, "c").state, TaskState::Active);
  put("dag: d\ntasks:\n  a: {run: 'true'}\n");
  ClearRun command = clear(id, {"a"});
  command.current_version = true;
  EXPECT_EQ(refusal(command).code, ErrorCode::Conflict);
}

// --- retry

TEST_F(ActionTest, RetryOfNamedTasksLeavesOtherFailuresAlone) {
  scripts["a"].exit_code = scripts["side"].exit_code = 1;
  const RunId id = trigger();
  drive();
  EXPECT_EQ(refusal(RetryRun{id, {key_of("nobody")}}).code, ErrorCode::NotFound);
  scripts.clear();
  EXPECT_EQ(told(ask(RetryRun{id, {key_of("a")}})), "a:reset b:reset c:reset");
  drive();
  EXPECT_EQ(run(id).state, RunState::Failed);
  EXPECT_EQ(task(id, "side").attempts, 1);
  EXPECT_EQ(task(id, "c").state, TaskState::Success);
  EXPECT_EQ(refusal(RetryRun{id, {key_of("a")}}).code, ErrorCode::Conflict);
}

// --- mark

TEST_F(ActionTest, AFailedTaskMarkedSuccessLetsTheRestRun) {
  scripts["a"].exit_code = 1;
  const RunId id = trigger();
  drive();
  EXPECT_EQ(told(ask(MarkRun{id, key_of("a"), TaskState::Success, "checked by hand"})), "a:mark b:decide c:decide");
  drive();
  EXPECT_EQ(run(id).state, RunState::Success);
  EXPECT_EQ(task(id, "a").reason, "marked success: checked by hand");
  EXPECT_EQ(task(id, "a").attempts, 1);
  EXPECT_EQ(task(id, "a").generation, 2);
  EXPECT_TRUE(task(id, "a").marked);
  EXPECT_EQ(task(id, "c").state, TaskState::Success);
}

TEST_F(ActionTest, AMarkOfWhatRunsStopsItAndKeepsItsSlot) {
  options.slots = 1;
  die();
  boot();
  scripts["a"].run_time.reset();
  scripts["a"].stop_delay = 20s;
  const RunId id = trigger();
  drive(clock.now() + 5s);
  ASSERT_EQ(task(id, "a").state, TaskState::Active);
  ASSERT_TRUE(ask(MarkRun{id, key_of("a"), TaskState::Failed, ""}));
  EXPECT_EQ(task(id, "a").state, TaskState::Failed);
  EXPECT_EQ(task(id, "b").state, TaskState::UpstreamFailed);
  drive(clock.now() + 10s);
  EXPECT_EQ(task(id, "side").state, TaskState::Scheduled) << "the slot is not free yet";
  drive();
  EXPECT_EQ(run(id).state, RunState::Failed);
  EXPECT_EQ(task(id, "a").state, TaskState::Failed) << "a result of an older generation stays on its attempt";
  EXPECT_EQ(run(id).failures, std::vector<std::string>{"a: marked failed by hand (external)"});
}

TEST_F(ActionTest, WhatIsMarkedAndClearedWaitsForTheOlderAttempt) {
  scripts["a"].run_time.reset();
  scripts["a"].stop_delay = 20s;
  const RunId id = trigger();
  drive(clock.now() + 5s);
  ASSERT_TRUE(ask(MarkRun{id, key_of("a"), TaskState::Skipped, ""}));
  scripts["a"] = test::Script();
  EXPECT_EQ(told(ask(clear(id, {"a"}))).substr(0, 6), "a:stop");
  drive();
  EXPECT_EQ(task(id, "a").attempts, 2);
  EXPECT_EQ(run(id).state, RunState::Success);
}

TEST_F(ActionTest, MarkedDownstreamIsNotDecidedOnAgain) {
  scripts["a"].exit_code = 1;
  const RunId id = trigger();
  drive();
  ASSERT_TRUE(ask(MarkRun{id, key_of("b"), TaskState::Skipped, ""}));
  drive();
  EXPECT_EQ(told(ask(MarkRun{id, key_of("a"), TaskState::Success, ""})), "a:mark");
  drive();
  EXPECT_EQ(task(id, "b").state, TaskState::Skipped);
}

TEST_F(ActionTest, ARunIsMarkedAsAWhole) {
  scripts["a"].exit_code = 1;
  const RunId id = trigger();
  drive();
  ASSERT_TRUE(ask(MarkRun{id, {}, TaskState::Success, "it does not matter"}));
  EXPECT_EQ(run(id).state, RunState::Success);
  EXPECT_TRUE(run(id).failures.empty());
  EXPECT_EQ(task(id, "a").state, TaskState::Failed);
  ASSERT_TRUE(ask(MarkRun{id, {}, TaskState::Failed, ""}));
  EXPECT_EQ(run(id).failures, std::vector<std::string>{"marked failed by hand"});
  EXPECT_EQ(refusal(MarkRun{id, {}, TaskState::Failed, ""}).code, ErrorCode::Conflict);
}

TEST_F(ActionTest, ARunUnderWayIsStoppedByItsMark) {
  scripts["a"].run_time.reset();
  scripts["a"].stop_delay = 20s;
  const RunId id = trigger();
  drive(clock.now() + 5s);
  ASSERT_TRUE(ask(MarkRun{id, {}, TaskState::Failed, "wrong data"}));
  EXPECT_EQ(run(id).state, RunState::Running);
  EXPECT_EQ(refusal(clear(id, {"a"})).code, ErrorCode::Conflict);
  die();
  boot();
  drive();
  EXPECT_EQ(run(id).state, RunState::Failed);
  EXPECT_EQ(run(id).failures, std::vector<std::string>{"marked failed: wrong data"});
  EXPECT_EQ(task(id, "a").state, TaskState::Failed);
  EXPECT_EQ(task(id, "b").state, TaskState::Skipped);
  ASSERT_TRUE(ask(RetryRun{id}));
}

TEST_F(ActionTest, AMarkThatSaysNothingNewOrNothingPossibleIsRefused) {
  const RunId id = finished();
  EXPECT_EQ(refusal(MarkRun{id, key_of("a"), TaskState::Success, ""}).code, ErrorCode::Conflict);
  EXPECT_EQ(refusal(MarkRun{id, key_of("x"), TaskState::Success, ""}).code, ErrorCode::NotFound);
  EXPECT_EQ(refusal(MarkRun{id, key_of("a"), TaskState::Cancelled, ""}).code, ErrorCode::InvalidArgument);
  EXPECT_EQ(refusal(MarkRun{id, {}, TaskState::Skipped, ""}).code, ErrorCode::InvalidArgument);
}

TEST_F(ActionTest, AQueuedRunCanBeMarked) {
  scripts["a"].run_time = 1h;
  const RunId first = trigger();
  const RunId second = trigger();
  drive(clock.now() + 5s);
  ASSERT_EQ(run(second).state, RunState::Queued);
  ASSERT_TRUE(ask(MarkRun{second, {}, TaskState::Success, ""}));
  EXPECT_EQ(run(second).state, RunState::Success);
  EXPECT_EQ(task(second, "a").state, TaskState::Skipped);
  EXPECT_EQ(run(first).state, RunState::Running);
}

// --- resume

TEST_F(ActionTest, AResumedRunTakesOverWhatIsDone) {
  scripts["a"].output = R"({"n": 7})";
  scripts["b"].exit_code = 1;
  const RunId id = ask(TriggerRun{DagId("d"), Value::Object{{"n", 5}}, "", test::at_second(-99)})->run;
  drive();
  scripts.clear();
  const std::string fixed =
      "dag: d\nparams: {n: {type: integer, default: 3}, m: {default: x}}\n"
      "tasks:\n  a: {run: 'true', outputs: {n: integer}}\n  b: {needs: a, run: [echo, '${{ tasks.a.outputs.n }}', '${{ "
      "params.m }}']}\n"
      "  c: {needs: b, run: 'true'}\n  side: {run: 'true'}\n";
  put(fixed);
  const auto reply = ask(ResumeRun{.run = id, .params = Value::Object{{"m", "y"}}});
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(told(reply), "a:take_over side:take_over");
  drive();
  const run::Run& resumed = run(reply->run);
  EXPECT_EQ(resumed.state, RunState::Success);
  EXPECT_EQ(resumed.header.resumed_from, id);
  EXPECT_EQ(resumed.header.logical_date, test::at_second(-99));
  EXPECT_EQ(resumed.header.params.dump(), R"({"m":"y","n":5})");
  EXPECT_EQ(task(reply->run, "a").attempts, 0);
  EXPECT_EQ(task(reply->run, "a").outputs.get_int("n"), 7);
  EXPECT_EQ(task(reply->run, "a").reason, "taken over from run " + id.str());
  EXPECT_EQ(launched.at({reply->run, key_of("b"), 1}).argv, (std::vector<std::string>{"echo", "7", "y"}));
  EXPECT_EQ(run(id).state, RunState::Failed) << "the old run stays as it was";
}

TEST_F(ActionTest, ResumeFromATaskRunsItAndAllBelow) {
  const RunId id = finished();
  EXPECT_EQ(refusal(ResumeRun{.run = id}).help, "name the task to begin with: --from TASK");
  EXPECT_EQ(refusal(ResumeRun{.run = id, .from = {TaskId("x")}}).code, ErrorCode::NotFound);
  EXPECT_EQ(refusal(ResumeRun{.run = id, .from = {TaskId("b")}, .params = Value::Object{{"n", 0}}}).code,
            ErrorCode::InvalidArgument);
  const auto reply = ask(ResumeRun{.run = id, .from = {TaskId("b")}, .idempotency_key = "k"});
  EXPECT_EQ(told(reply), "a:take_over side:take_over");
  EXPECT_EQ(ask(ResumeRun{.run = id, .from = {TaskId("b")}, .idempotency_key = "k"})->run, reply->run);
  drive();
  EXPECT_EQ(task(reply->run, "c").attempts, 1);
}

TEST_F(ActionTest, WhatIsNewRunsWithAllThatDependsOnIt) {
  const RunId id = finished();
  put("dag: d\ntasks:\n  a: {run: 'true'}\n  n: {needs: a, run: 'true'}\n  b: {needs: n, run: 'true'}\n"
      "  side: {run: 'true'}\n");
  EXPECT_EQ(told(ask(ResumeRun{.run = id})), "a:take_over side:take_over");
}

TEST_F(ActionTest, ARunThatIsNotOverIsNotResumed) {
  scripts["a"].run_time.reset();
  const RunId id = trigger();
  drive(clock.now() + 1s);
  EXPECT_EQ(refusal(ResumeRun{.run = id}).code, ErrorCode::Conflict);
}

}  // namespace
}  // namespace slipway::engine
