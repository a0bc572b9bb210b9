#include "sched/run_result.h"

#include <gtest/gtest.h>

#include "support/world.h"

namespace slipway::sched {
namespace {

using dag::TriggerRule;
using run::RunState;
using run::TaskState;
using test::make_dag;
using test::RunBuilder;

struct End {
  const char* task;
  TaskState state;
};

RunMove conclude_with(dag::Dag dag, std::initializer_list<End> ends) {
  RunBuilder builder(std::move(dag));
  builder.start();
  for (const End& end : ends) {
    if (end.state == TaskState::Success || end.state == TaskState::Failed)
      builder.finish(end.task, end.state);
    else
      builder.emit(run::TaskMoved{test::key_of(end.task), end.state, "because"});
  }
  return conclude(builder.run());
}

TEST(RunResult, StrictFailsForAnyFailure) {
  const auto move =
      conclude_with(make_dag({{"a"}, {"b", {"a"}}, {"report", {"b"}, TriggerRule::AllDone}}),
                    {{"a", TaskState::Failed}, {"b", TaskState::UpstreamFailed}, {"report", TaskState::Success}});
  EXPECT_EQ(move.to, RunState::Failed);
  EXPECT_EQ(move.failures, std::vector<std::string>{"a: exit code 1 (user)"});
}

TEST(RunResult, SkippedAndRemovedAreNoFailures) {
  const auto move = conclude_with(make_dag({{"a"}, {"b", {"a"}}, {"c"}}),
                                  {{"a", TaskState::Skipped}, {"b", TaskState::Removed}, {"c", TaskState::Success}});
  EXPECT_EQ(move.to, RunState::Success);
  EXPECT_TRUE(move.failures.empty());
}

TEST(RunResult, SomebodysWordGoesOverWhatTheTasksSay) {
  for (const RunState to : {RunState::Success, RunState::Failed}) {
    RunBuilder builder(make_dag({{"a"}}));
    builder.start().finish("a", to == RunState::Success ? TaskState::Failed : TaskState::Success);
    builder.emit(run::RunMarked{to, "by hand"});
    const RunMove move = conclude(builder.run());
    EXPECT_EQ(move.to, to);
    EXPECT_EQ(move.failures, to == RunState::Failed ? std::vector<std::string>{"by hand"} : std::vector<std::string>());
  }
}

TEST(RunResult, AFailureIsToleratedByItsHandler) {
  for (const TriggerRule rule : {TriggerRule::OneFailed, TriggerRule::AllFailed}) {
    const auto move =
        conclude_with(make_dag({{"a"}, {"fix", {"a"}, rule}, {"next", {"a"}}}),
                      {{"a", TaskState::Failed}, {"fix", TaskState::Success}, {"next", TaskState::UpstreamFailed}});
    EXPECT_EQ(move.to, RunState::Success) << dag::kTriggerRules.text(rule);
  }
}

TEST(RunResult, AllDoneAndFailedHandlersTolerateNothing) {
  EXPECT_EQ(conclude_with(make_dag({{"a"}, {"b", {"a"}, TriggerRule::AllDone}}),
                          {{"a", TaskState::Failed}, {"b", TaskState::Success}})
                .to,
            RunState::Failed);
  const auto move = conclude_with(make_dag({{"a"}, {"fix", {"a"}, TriggerRule::OneFailed}}),
                                  {{"a", TaskState::Failed}, {"fix", TaskState::Failed}});
  EXPECT_EQ(move.failures, (std::vector<std::string>{"a: exit code 1 (user)", "fix: exit code 1 (user)"}));
}

TEST(RunResult, ContinueOnErrorToleratesAndUpstreamFailedInherits) {
  dag::Dag dag = make_dag({{"a"}, {"b"}, {"c", {"a"}}, {"d", {"a", "b"}}});
  dag.tasks[0].continue_on_error = true;
  EXPECT_EQ(conclude_with(dag, {{"a", TaskState::Failed},
                                {"b", TaskState::Success},
                                {"c", TaskState::UpstreamFailed},
                                {"d", TaskState::UpstreamFailed}})
                .to,
            RunState::Success);
  const auto move = conclude_with(dag, {{"a", TaskState::Failed},
                                        {"b", TaskState::Failed},
                                        {"c", TaskState::UpstreamFailed},
                                        {"d", TaskState::UpstreamFailed}});
  EXPECT_EQ(move.failures, std::vector<std::string>{"b: exit code 1 (user)"});
}

TEST(RunResult, LeavesLooksAtTasksWithoutDownstream) {
  dag::Dag dag = make_dag({{"a"}, {"b", {"a"}, TriggerRule::AllDone}});
  dag.run_result = dag::RunResultRule::Leaves;
  EXPECT_EQ(conclude_with(dag, {{"a", TaskState::Failed}, {"b", TaskState::Success}}).to, RunState::Success);
  const auto move = conclude_with(dag, {{"a", TaskState::Failed}, {"b", TaskState::UpstreamFailed}});
  EXPECT_EQ(move.failures, std::vector<std::string>{"b: upstream_failed, because"});
}

TEST(RunResult, ManyReasonsAreCut) {
  dag::Dag dag = make_dag({});
  for (int i = 0; i < 30; ++i) dag.tasks.push_back(test::run_task({"t" + std::to_string(i)}));
  test::link(dag);
  RunBuilder builder(dag);
  builder.start();
  for (const auto& task : dag.tasks) builder.finish(task.id.str(), TaskState::Failed);
  const auto move = conclude(builder.run());
  ASSERT_EQ(move.failures.size(), 21U);
  EXPECT_EQ(move.failures.back(), "and 10 more");
}

}  // namespace
}  // namespace slipway::sched
