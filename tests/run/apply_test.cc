#include <gtest/gtest.h>

#include "slipway/run/run.h"
#include "support/dags.h"
#include "support/run_builder.h"

namespace slipway::run {
namespace {

using test::at_second;
using test::key_of;
using test::make_dag;
using test::RunBuilder;

// The message of check() for an event that may not follow; empty if it may.
std::string refusal(RunBuilder& builder, EventBody body) {
  const run::Run& run = builder.run().state;
  const auto checked = check(run, {builder.id(), run.last_seq + 1, at_second(0), std::move(body)});
  return checked ? "" : checked.error().message;
}

TEST(Apply, FollowsAnAttemptToSuccess) {
  RunBuilder builder(make_dag({{"a"}}));
  builder.start().at(at_second(1)).open("a").at(at_second(2)).running("a", at_second(60));
  EXPECT_EQ(builder.state("a"), TaskState::Active);
  builder.at(at_second(3)).end("a", TaskState::Success, Value::Object{{"n", 1}});
  const TaskInstance& a = builder.run().state.tasks.at(key_of("a"));
  EXPECT_EQ(a.state, TaskState::Success);
  EXPECT_EQ(a.queued_at, at_second(1));
  EXPECT_EQ(a.started_at, at_second(2));
  EXPECT_EQ(a.ended_at, at_second(3));
  EXPECT_EQ(a.outputs.get_int("n"), 1);
  EXPECT_EQ(builder.run().state.last_attempt(key_of("a"))->deadline, at_second(60));
}

TEST(Apply, AClockThatIsSetMovesWhatIsUnderWay) {
  RunBuilder builder(make_dag({{"a"}, {"b"}}));
  builder.start();
  builder.open("a");
  builder.running("a", at_second(60));
  const run::Run old = builder.run().state;
  builder.emit(ClockMoved{std::chrono::hours(1)});
  const run::Run& now = builder.run().state;
  EXPECT_EQ(*now.started_at, *old.started_at + std::chrono::hours(1));
  EXPECT_EQ(now.last_attempt(key_of("a"))->deadline, at_second(3660));
  EXPECT_EQ(*now.tasks.at(key_of("a")).started_at, *old.tasks.at(key_of("a")).started_at + std::chrono::hours(1));
  EXPECT_EQ(now.tasks.at(key_of("b")), old.tasks.at(key_of("b")));
  EXPECT_EQ(now.state, old.state);
}

TEST(Apply, AWaitKeepsItsBeginningAndEndsWithItsState) {
  RunBuilder builder(make_dag({{"a"}}));
  builder.start().emit(TaskWaiting{key_of("a"), Value::Object{{"kind", "for"}}, at_second(60), {}, "for 1m"});
  const TaskInstance& a = builder.run().state.tasks.at(key_of("a"));
  EXPECT_EQ(a.state, TaskState::Waiting);
  EXPECT_EQ(a.started_at, at_second(0));
  EXPECT_EQ(builder.run().waiting.count(key_of("a")), 1U);
  EXPECT_EQ(builder.run().wait_due.begin()->first, at_second(60));
  builder.at(at_second(5)).emit(TaskWaiting{key_of("a"), a.waiting->what, at_second(70), at_second(65), "for 1m"});
  EXPECT_EQ(a.waiting->since, at_second(0));
  EXPECT_EQ(builder.run().wait_due.size(), 1U);
  EXPECT_EQ(builder.run().wait_due.begin()->first, at_second(65));
  builder.at(at_second(9)).emit(TaskMoved{key_of("a"), TaskState::Success, {}, {}, Value::Object{{"n", 1}}});
  EXPECT_FALSE(a.waiting);
  EXPECT_EQ(a.outputs.get_int("n"), 1);
  EXPECT_EQ(a.ended_at, at_second(9));
  EXPECT_TRUE(builder.run().wait_due.empty());
  EXPECT_TRUE(builder.run().waiting.empty());
}

TEST(Apply, AWaitBeginsInARunningRunOnly) {
  RunBuilder builder(make_dag({{"a"}}));
  EXPECT_EQ(refusal(builder, TaskWaiting{key_of("a"), {}}), "a task begins to wait in a run that is not running");
  EXPECT_EQ(refusal(builder, TaskWaiting{key_of("x"), {}}), "run has no task x");
  builder.start();
  EXPECT_EQ(refusal(builder, TaskMoved{key_of("a"), TaskState::Waiting}),
            "a task waits for something: that is another event");
  builder.finish("a", TaskState::Success);
  EXPECT_EQ(refusal(builder, TaskWaiting{key_of("a"), {}}), "a cannot move from success to waiting");
}

TEST(Apply, ACachedSuccessNamesWhoDidTheWork) {
  RunBuilder builder(make_dag({{"a"}}));
  const AttemptId worker{RunId("r0"), key_of("a"), 2};
  builder.start().schedule("a").emit(
      TaskMoved{key_of("a"), TaskState::Success, "cached", {}, Value::Object{{"n", 4}}, worker});
  EXPECT_EQ(builder.run().state.tasks.at(key_of("a")).cached, worker);
  EXPECT_EQ(builder.run().state.tasks.at(key_of("a")).attempts, 0);
}

TEST(Apply, ChargesTheBudgetOfTheClass) {
  RunBuilder builder(make_dag({{"a"}}));
  builder.start();
  const auto fail = [&](FailureClass failure, bool infra) {
    builder.open("a");
    AttemptEnded ended{builder.last("a"), AttemptState::Failed, failure};
    ended.task_to = TaskState::UpForRetry;
    ended.retry_at = at_second(5);
    ended.infra_budget = infra;
    builder.emit(ended);
  };
  fail(FailureClass::User, false);
  fail(FailureClass::InfraLost, true);
  fail(FailureClass::InfraNotStarted, true);
  fail(FailureClass::Launch, false);
  const TaskInstance& a = builder.run().state.tasks.at(key_of("a"));
  EXPECT_EQ(a.retries_used, 1);
  EXPECT_EQ(a.infra_used, 2);
  EXPECT_EQ(a.launch_since, at_second(0));
  EXPECT_EQ(a.attempts, 4);
}

TEST(Apply, ResetOpensTheNextGenerationAndKeepsAttemptNumbers) {
  RunBuilder builder(make_dag({{"a"}}));
  builder.start().finish("a", TaskState::Failed).emit(TaskReset{key_of("a")});
  const TaskInstance& a = builder.run().state.tasks.at(key_of("a"));
  EXPECT_EQ(a.state, TaskState::None);
  EXPECT_EQ(a.generation, 2);
  EXPECT_EQ(a.attempts, 1);
  EXPECT_EQ(a.reason, "");
  builder.open("a");
  EXPECT_EQ(builder.last("a").number, 2);
  EXPECT_EQ(builder.run().state.attempts.at(builder.last("a")).generation, 2);
}

TEST(Apply, AResultOfAnOlderGenerationStaysOnItsAttempt) {
  RunBuilder builder(make_dag({{"a"}}));
  builder.start().finish("a", TaskState::Failed).emit(TaskReset{key_of("a")}).open("a");
  run::Run run = builder.run().state;
  Attempt& old = run.attempts.at({builder.id(), key_of("a"), 1});
  old.state = AttemptState::Lost;
  AttemptEnded ended{old.id, AttemptState::Succeeded};
  ended.task_to = TaskState::Success;
  apply(run, {builder.id(), run.last_seq + 1, at_second(9), ended});
  EXPECT_EQ(run.attempts.at(old.id).state, AttemptState::Succeeded);
  EXPECT_EQ(run.tasks.at(key_of("a")).state, TaskState::Queued);
}

TEST(Apply, LostKeepsTheInstanceActiveUntilItSettles) {
  RunBuilder builder(make_dag({{"a"}}));
  builder.start().open("a").running("a");
  builder.emit(AttemptEnded{builder.last("a"), AttemptState::Lost, FailureClass::InfraLost, "node unreachable"});
  EXPECT_EQ(builder.state("a"), TaskState::Active);
  EXPECT_EQ(builder.run().open_attempts.size(), 1U);
  builder.running("a");
  EXPECT_EQ(builder.run().state.attempts.at(builder.last("a")).state, AttemptState::Running);
  EXPECT_FALSE(builder.run().state.attempts.at(builder.last("a")).ended_at.has_value());
}

TEST(Apply, AStartSeenAfterTheStopRecordsTheIdentityOnly) {
  RunBuilder builder(make_dag({{"a"}}));
  builder.start().open("a").emit(AttemptStopping{builder.last("a"), FailureClass::External}).running("a");
  const Attempt& attempt = builder.run().state.attempts.at(builder.last("a"));
  EXPECT_EQ(attempt.state, AttemptState::Stopping);
  EXPECT_EQ(attempt.identity, "1:1");
  EXPECT_EQ(attempt.stop_at, at_second(0));
  EXPECT_EQ(builder.state("a"), TaskState::Stopping);
}

TEST(Apply, ReopeningQueuesTheRunAgain) {
  RunBuilder builder(make_dag({{"a"}}));
  builder.start().finish("a", TaskState::Failed);
  builder.emit(RunMoved{RunState::Failed, {"a: exit code 1 (user)"}}).emit(RunReopened{});
  const run::Run& run = builder.run().state;
  EXPECT_EQ(run.state, RunState::Queued);
  EXPECT_TRUE(run.failures.empty());
  EXPECT_FALSE(run.ended_at.has_value());
}

TEST(Apply, ExpandsThePlaceholderIntoInstances) {
  RunBuilder builder(make_dag({{"a"}}));
  builder.start().at(at_second(4)).expand("a", {"x", 7});
  const auto& tasks = builder.run().state.tasks;
  ASSERT_EQ(tasks.size(), 3U);
  EXPECT_EQ(builder.state("a"), TaskState::Removed);
  EXPECT_EQ(tasks.at(key_of("a")).reason, "expanded to 2 instances");
  EXPECT_EQ(builder.state("a[0]"), TaskState::Scheduled);
  EXPECT_EQ(tasks.at(key_of("a[0]")).scheduled_at, at_second(4));
  EXPECT_EQ(tasks.at(key_of("a[0]")).item, Value("x"));
  EXPECT_EQ(tasks.at(key_of("a[1]")).item, Value(7));
  EXPECT_EQ(tasks.at(key_of("a[1]")).generation, 1);
}

TEST(Apply, AResetOfOneInstanceKeepsItsElement) {
  RunBuilder builder(make_dag({{"a"}}));
  builder.start().expand("a", {"x", "y"}).finish("a[1]", TaskState::Failed).emit(TaskReset{key_of("a[1]")});
  EXPECT_EQ(builder.state("a[1]"), TaskState::None);
  EXPECT_EQ(builder.run().state.tasks.at(key_of("a[1]")).item, Value("y"));
  EXPECT_EQ(builder.run().state.tasks.at(key_of("a[1]")).generation, 2);
  EXPECT_EQ(builder.state("a[0]"), TaskState::Scheduled);
}

TEST(Apply, ASecondExpansionMatchesByPosition) {
  RunBuilder builder(make_dag({{"a"}}));
  builder.start().expand("a", {1, 2, 3});
  for (const char* task : {"a[0]", "a[1]", "a[2]"}) builder.finish(task, TaskState::Success, Value::Object{{"n", 1}});
  builder.emit(TaskReset{key_of("a")});
  EXPECT_EQ(builder.state("a"), TaskState::None);
  EXPECT_EQ(builder.state("a[0]"), TaskState::Removed);
  EXPECT_TRUE(builder.run().state.tasks.at(key_of("a[0]")).outputs.is_null());
  builder.expand("a", {5, 6});
  const auto& tasks = builder.run().state.tasks;
  EXPECT_EQ(tasks.at(key_of("a")).generation, 2);
  EXPECT_EQ(tasks.at(key_of("a[0]")).generation, 2);
  EXPECT_EQ(tasks.at(key_of("a[0]")).attempts, 1);
  EXPECT_EQ(tasks.at(key_of("a[0]")).item, Value(5));
  EXPECT_EQ(tasks.at(key_of("a[2]")).state, TaskState::Removed);
  EXPECT_EQ(tasks.at(key_of("a[2]")).reason, "no longer an element of the list");
  builder.open("a[1]");
  EXPECT_EQ(builder.last("a[1]").number, 2);
}

TEST(Apply, ASecondCancelMayOnlyHurry) {
  RunBuilder builder(make_dag({{"a"}}));
  builder.start().emit(RunMoved{RunState::Cancelling, {}, FailureClass::Timeout});
  EXPECT_EQ(refusal(builder, RunMoved{RunState::Cancelling, {}, FailureClass::External}),
            "a run that is cancelling is cancelled again to be cancelled now");
  builder.emit(RunMoved{RunState::Cancelling, {}, FailureClass::External, true});
  EXPECT_TRUE(builder.run().state.cancel_now);
  EXPECT_EQ(builder.run().state.cancel_cause, FailureClass::Timeout);
  EXPECT_NE(refusal(builder, RunMoved{RunState::Cancelling, {}, FailureClass::External, true}), "");
}

TEST(Check, RefusesExpansionsThatCannotBe) {
  RunBuilder builder(make_dag({{"a"}}));
  EXPECT_EQ(refusal(builder, TaskExpanded{TaskId("a"), Value::Array{1}}),
            "a task expands in a run that is not running");
  builder.start();
  const std::string bad_list = "a task expands to a list that is not empty and not too long";
  EXPECT_EQ(refusal(builder, TaskExpanded{TaskId("b"), Value::Array{1}}), "run has no task b");
  EXPECT_EQ(refusal(builder, TaskExpanded{TaskId("a"), Value::Array{}}), bad_list);
  EXPECT_EQ(refusal(builder, TaskExpanded{TaskId("a"), Value("x")}), bad_list);
  EXPECT_EQ(refusal(builder, TaskExpanded{TaskId("a"), Value::Array(dag::kInstancesMax + 1)}), bad_list);
  EXPECT_EQ(refusal(builder, TaskExpanded{TaskId("a"), Value::Array(dag::kInstancesMax)}), "");
  builder.expand("a", {1, 2});
  EXPECT_EQ(refusal(builder, TaskExpanded{TaskId("a"), Value::Array{1}}), "a cannot move from removed to removed");
  EXPECT_EQ(refusal(builder, TaskReset{key_of("a")}), "a is opened anew before a[0] ended");
}

TEST(Check, RefusesWhatWouldBreakTheState) {
  RunBuilder builder(make_dag({{"a"}, {"b", {"a"}}}));
  const AttemptId first{builder.id(), key_of("a"), 1};
  EXPECT_EQ(refusal(builder, AttemptOpened{first, "fake", {}}), "attempt opened in a run that is not running");
  EXPECT_EQ(refusal(builder, RunCreated{}), "run is created twice");
  builder.start();
  EXPECT_EQ(refusal(builder, TaskMoved{key_of("x"), TaskState::Scheduled}), "run has no task x");
  EXPECT_EQ(refusal(builder, TaskMoved{key_of("a"), TaskState::Active}), "task moves there with an attempt only");
  EXPECT_EQ(refusal(builder, AttemptOpened{first, "fake", {}}), "a cannot move from none to queued");
  EXPECT_EQ(refusal(builder, AttemptStarted{first, AttemptState::Running, ""}), "run has no attempt r1/a/1");
  EXPECT_EQ(refusal(builder, TaskReset{key_of("a")}), "a cannot be reset: it is none");
  EXPECT_EQ(refusal(builder, RunReopened{}), "a run that is not over cannot be reopened");
  builder.schedule("a");
  EXPECT_EQ(refusal(builder, AttemptOpened{{builder.id(), key_of("a"), 2}, "fake", {}}),
            "attempt numbers of a task have a gap");
  EXPECT_EQ(refusal(builder, AttemptOpened{{RunId("r2"), key_of("a"), 1}, "fake", {}}), "attempt of another run");
  builder.emit(AttemptOpened{first, "fake", {}});
  EXPECT_EQ(refusal(builder, AttemptStarted{first, AttemptState::Failed, ""}),
            "an attempt starts as launched or running");
  EXPECT_EQ(refusal(builder, AttemptStopping{first, FailureClass::None}), "a stop needs a cause");
  AttemptEnded retry{first, AttemptState::Failed, FailureClass::User};
  retry.task_to = TaskState::UpForRetry;
  EXPECT_EQ(refusal(builder, retry), "a retry needs its instant");
  builder.end("a", TaskState::Success);
  EXPECT_EQ(refusal(builder, retry), "r1/a/1 cannot move from succeeded to failed");
}

TEST(Check, RefusesGapsInTheSequence) {
  RunBuilder builder(make_dag({{"a"}}));
  const auto checked = check(builder.run().state, {builder.id(), 3, at_second(0), RunMoved{RunState::Running}});
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().message, "event 3 follows event 1");
  EXPECT_EQ(check(run::Run{}, {builder.id(), 1, at_second(0), RunReopened{}}).error().message,
            "first event creates no run");
}

TEST(ApplyDeathTest, AnIllegalEventIsABug) {
  RunBuilder builder(make_dag({{"a"}}));
  EXPECT_DEATH(builder.emit(RunMoved{RunState::Success}), "assertion failed");
}

TEST(Apply, AClearedTaskIsResetWhenItsAttemptIsOver) {
  RunBuilder builder(make_dag({{"a"}}));
  builder.start().open("a").running("a");
  EXPECT_NE(refusal(builder, TaskReset{key_of("a")}), "") << "an attempt is open";
  builder.emit(AttemptStopping{builder.last("a"), FailureClass::External}).emit(TaskClearing{key_of("a")});
  EXPECT_TRUE(builder.run().state.tasks.at(key_of("a")).clearing);
  EXPECT_EQ(builder.state("a"), TaskState::Stopping);
  EXPECT_NE(refusal(builder, TaskReset{key_of("a")}), "");
  builder.end("a", TaskState::Success);
  EXPECT_FALSE(builder.run().state.tasks.at(key_of("a")).clearing);
  builder.emit(TaskReset{key_of("a")});
  EXPECT_EQ(builder.state("a"), TaskState::None);
  EXPECT_EQ(refusal(builder, TaskClearing{key_of("a")}), "a has no attempt to wait for");
}

TEST(Apply, WhatHasNotRunCanBeResetButNotBeforeItBegan) {
  RunBuilder builder(make_dag({{"a"}, {"b", {"a"}}}));
  builder.start();
  EXPECT_EQ(refusal(builder, TaskReset{key_of("a")}), "a cannot be reset: it is none");
  builder.schedule("a");
  EXPECT_EQ(refusal(builder, TaskReset{key_of("a")}), "");
  builder.emit(AttemptOpened{builder.next("a"), "fake", {}}).end("a", TaskState::UpForRetry);
  EXPECT_EQ(refusal(builder, TaskReset{key_of("a")}), "");
}

TEST(Apply, AMarkOpensTheNextGenerationAndTheAttemptEndsInTheOlder) {
  RunBuilder builder(make_dag({{"a"}}));
  builder.start().open("a").running("a");
  EXPECT_EQ(refusal(builder, TaskMarked{key_of("a"), TaskState::Success}),
            "a is marked before its attempt was asked to stop");
  builder.emit(AttemptStopping{builder.last("a"), FailureClass::External});
  builder.emit(TaskMarked{key_of("a"), TaskState::Failed, "by hand"});
  const TaskInstance& a = builder.run().state.tasks.at(key_of("a"));
  EXPECT_EQ(a.state, TaskState::Failed);
  EXPECT_EQ(a.failure, FailureClass::External);
  EXPECT_EQ(a.generation, 2);
  EXPECT_EQ(builder.run().unfinished, 0);
  EXPECT_EQ(builder.run().open_attempts.size(), 1U) << "its slots are held until the attempt is over";
  EXPECT_NE(refusal(builder, TaskReset{key_of("a")}), "") << "two attempts must not run side by side";
  builder.end("a", TaskState::Success, Value::Object{{"n", 1}});
  EXPECT_EQ(a.state, TaskState::Failed);
  EXPECT_EQ(a.reason, "by hand");
  EXPECT_TRUE(builder.run().open_attempts.empty());
  EXPECT_EQ(builder.run().state.attempts.at(builder.last("a")).state, AttemptState::Succeeded);
}

TEST(Apply, MarksThatMakeNoSenseAreIllegal) {
  RunBuilder builder(make_dag({{"a"}}));
  builder.start();
  EXPECT_EQ(refusal(builder, TaskMarked{key_of("a"), TaskState::Cancelled}),
            "a task is marked success, failed or skipped");
  EXPECT_EQ(refusal(builder, RunMarked{RunState::Cancelled}), "a run is marked success or failed");
  EXPECT_NE(refusal(builder, TaskMarked{key_of("x"), TaskState::Success}), "");
  builder.emit(RunMoved{RunState::Cancelling, {}, FailureClass::External});
  EXPECT_NE(refusal(builder, TaskMarked{key_of("a"), TaskState::Success}), "");
  EXPECT_NE(refusal(builder, RunMarked{RunState::Success}), "");
}

TEST(Apply, AMarkedRunEndsSoAtOnceUnlessItRuns) {
  RunBuilder queued(make_dag({{"a"}}));
  queued.emit(RunMarked{RunState::Failed, "by hand"});
  EXPECT_EQ(queued.run().state.state, RunState::Failed);
  EXPECT_EQ(queued.run().state.failures, std::vector<std::string>{"by hand"});
  EXPECT_TRUE(queued.run().state.ended_at);
  queued.emit(RunMarked{RunState::Success, "by hand"});
  EXPECT_EQ(queued.run().state.state, RunState::Success);
  EXPECT_TRUE(queued.run().state.failures.empty());
  RunBuilder running(make_dag({{"a"}}));
  running.start().emit(RunMarked{RunState::Success, "by hand"});
  EXPECT_EQ(running.run().state.state, RunState::Running);
  EXPECT_EQ(running.run().state.marked, RunState::Success);
}

TEST(Apply, AnotherVersionAddsAndRemovesTasks) {
  RunBuilder builder(make_dag({{"a"}, {"b", {"a"}}}));
  builder.start().finish("a", TaskState::Success).finish("b", TaskState::Failed);
  builder.run().dag = std::make_shared<const dag::Dag>(make_dag({{"a"}, {"c", {"a"}}}));
  builder.emit(RunReversioned{VersionId("v2"), Value::Object{{"n", 1}}, {key_of("c")}, {key_of("b")}});
  const run::Run& run = builder.run().state;
  EXPECT_EQ(run.header.version, VersionId("v2"));
  EXPECT_EQ(run.header.params.dump(), R"({"n":1})");
  EXPECT_EQ(builder.state("b"), TaskState::Removed);
  EXPECT_EQ(builder.state("c"), TaskState::None);
  EXPECT_EQ(builder.run().unfinished, 1);
  EXPECT_EQ(builder.run().upstream[1].success, 1);
  EXPECT_EQ(refusal(builder, RunReversioned{VersionId("v3"), {}, {key_of("c")}, {}}), "c is added twice");
}

TEST(Apply, ARunKnowsTheBackfillItRunsFor) {
  RunBuilder builder(make_dag({{"a"}}));
  builder.start().finish("a", TaskState::Failed).emit(RunMoved{RunState::Failed, {"a"}});
  builder.emit(RunReopened{"b1"});
  EXPECT_EQ(builder.run().state.backfill, "b1");
  builder.emit(RunMoved{RunState::Running}).emit(RunMoved{RunState::Success}).emit(RunReopened{});
  EXPECT_EQ(builder.run().state.backfill, "");
}

}  // namespace
}  // namespace slipway::run
