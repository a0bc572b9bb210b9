#include "engine/selection.h"

#include <gtest/gtest.h>

#include "support/dags.h"
#include "support/run_builder.h"

namespace slipway::engine {
namespace {

using run::TaskState;
using test::key_of;
using test::make_dag;
using test::RunBuilder;

std::string told(const std::vector<Change>& changes) {
  std::string text;
  for (const Change& change : changes)
    text += (text.empty() ? "" : " ") + change.key.str() + ":" + std::string(kActions.text(change.action));
  return text;
}

std::string cleared(RunBuilder& builder, std::vector<std::string> names, bool failed_only = false) {
  ClearRun command{.run = builder.id(), .failed_only = failed_only};
  for (const auto& name : names) command.tasks.push_back(key_of(name));
  return told(select(builder.run(), command));
}

// fan -> after; three elements of fan.
RunBuilder expanded() {
  RunBuilder builder(make_dag({{"fan"}, {"after", {"fan"}}}));
  builder.start().expand("fan", {1, 2, 3});
  return builder;
}

TEST(Selection, AMappedTaskIsDecidedOnAnewAsAWhole) {
  RunBuilder builder = expanded();
  for (const char* element : {"fan[0]", "fan[1]", "fan[2]"}) builder.finish(element, TaskState::Success);
  EXPECT_EQ(cleared(builder, {"fan"}), "fan:reset");
  EXPECT_EQ(cleared(builder, {}), "fan:reset");
  EXPECT_EQ(cleared(builder, {"fan[1]"}), "fan[1]:reset");
}

TEST(Selection, ElementsUnderWayAreStoppedOneByOne) {
  RunBuilder builder = expanded();
  builder.finish("fan[0]", TaskState::Success).open("fan[1]").running("fan[1]");
  EXPECT_EQ(cleared(builder, {"fan"}), "fan[0]:reset fan[1]:stop fan[2]:reset");
}

TEST(Selection, RetryTakesTheElementsThatFailedAndWhatIsBelow) {
  RunBuilder builder = expanded();
  builder.finish("fan[0]", TaskState::Success).finish("fan[1]", TaskState::Failed).finish("fan[2]", TaskState::Failed);
  builder.emit(run::TaskMoved{key_of("after"), TaskState::UpstreamFailed});
  EXPECT_EQ(told(select_failed(builder.run(), {})), "fan[1]:reset fan[2]:reset after:reset");
  EXPECT_EQ(told(select_failed(builder.run(), {key_of("fan[2]")})), "fan[2]:reset after:reset");
  EXPECT_EQ(told(select_failed(builder.run(), {key_of("fan[0]")})), "");
  EXPECT_EQ(cleared(builder, {}, true), "fan[1]:reset fan[2]:reset after:reset");
}

TEST(Selection, ElementsThatHaveNotRunGoBackToTheirPlaceholder) {
  RunBuilder builder(make_dag({{"first"}, {"fan", {"first"}}}));
  builder.start().finish("first", TaskState::Success).expand("fan", {1, 2});
  EXPECT_EQ(cleared(builder, {"first"}), "first:reset fan:decide");
  builder.open("fan[0]");
  EXPECT_EQ(cleared(builder, {"first"}), "first:reset") << "one of them has begun";
}

// setup -> work, cleaned up by teardown.
RunBuilder torn_down(TaskState work) {
  dag::Dag dag = make_dag({{"setup"}, {"work", {"setup"}}, {"teardown", {"setup", "work"}}, {"other"}});
  dag.tasks[2].role = dag::TaskRole::Teardown;
  dag.tasks[2].setups = {TaskId("setup")};
  RunBuilder builder(std::move(dag));
  builder.start().finish("setup", TaskState::Success).finish("work", work);
  return builder;
}

TEST(Selection, WhatWasTornDownIsSetUpAgain) {
  RunBuilder builder = torn_down(TaskState::Failed);
  EXPECT_EQ(cleared(builder, {"work"}), "work:reset") << "its setup still stands";
  builder.finish("teardown", TaskState::Success).finish("other", TaskState::Success);
  EXPECT_EQ(cleared(builder, {"work"}), "setup:reset work:reset teardown:reset");
  EXPECT_EQ(told(select_failed(builder.run(), {})), "setup:reset work:reset teardown:reset");
  EXPECT_EQ(cleared(builder, {"other"}), "other:reset");
}

TEST(Selection, ATeardownBelowWhatRunsAgainTakesItsSetupsAlong) {
  dag::Dag dag = make_dag({{"setup"}, {"work", {"setup"}}, {"other"}, {"teardown", {"setup", "work", "other"}}});
  dag.tasks[3].role = dag::TaskRole::Teardown;
  dag.tasks[3].setups = {TaskId("setup")};
  RunBuilder builder(std::move(dag));
  builder.start().finish("setup", TaskState::Success).finish("work", TaskState::Success);
  builder.finish("other", TaskState::Failed).finish("teardown", TaskState::Success);
  EXPECT_EQ(told(select_failed(builder.run(), {})), "setup:reset other:reset teardown:reset");
}

TEST(Selection, ATeardownThatFailedAloneRunsAlone) {
  RunBuilder builder = torn_down(TaskState::Success);
  builder.finish("teardown", TaskState::Failed).finish("other", TaskState::Success);
  EXPECT_EQ(told(select_failed(builder.run(), {})), "teardown:reset");
  EXPECT_EQ(cleared(builder, {"teardown"}), "teardown:reset");
}

TEST(Selection, RetryDecidesAnewOnWhatExpandedBelow) {
  RunBuilder builder(make_dag({{"first"}, {"fan", {"first"}, dag::TriggerRule::AllDone}}));
  builder.start().finish("first", TaskState::Failed).expand("fan", {1, 2});
  builder.finish("fan[0]", TaskState::Success).finish("fan[1]", TaskState::Success);
  EXPECT_EQ(told(select_failed(builder.run(), {})), "first:reset fan:reset");
}

TEST(Selection, HooksAreDecidedOnAgain) {
  dag::Dag dag = make_dag({{"work"}, {"on_failure"}});
  dag.tasks[1].role = dag::TaskRole::OnFailure;
  RunBuilder builder(std::move(dag));
  builder.start().finish("work", TaskState::Failed).finish("on_failure", TaskState::Success);
  EXPECT_EQ(told(select_failed(builder.run(), {})), "work:reset on_failure:decide");
  EXPECT_EQ(cleared(builder, {"work"}), "work:reset on_failure:decide");
}

TEST(Selection, NamesThatTheRunDoesNotHaveAreRefused) {
  RunBuilder builder = expanded();
  EXPECT_TRUE(check_keys(builder.run(), {key_of("fan"), key_of("fan[2]"), key_of("after")}));
  EXPECT_EQ(check_keys(builder.run(), {key_of("fan[3]")}).error().code, ErrorCode::NotFound);
  EXPECT_EQ(check_keys(builder.run(), {key_of("aftr")}).error().help, "did you mean `after`?");
}

}  // namespace
}  // namespace slipway::engine
