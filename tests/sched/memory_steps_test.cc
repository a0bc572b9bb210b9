// on_oom: each kill for lack of memory is one step, until the maximum.
#include <gtest/gtest.h>

#include "slipway/sched/planner.h"
#include "support/dags.h"
#include "support/run_builder.h"

namespace slipway::sched {
namespace {

using namespace std::chrono_literals;
using run::AttemptState;
using run::FailureClass;
using run::TaskState;
using test::at_second;

constexpr std::int64_t kMebibyte = 1 << 20;

dag::Task hungry(std::int64_t first_mib, double factor, std::int64_t max_mib) {
  dag::Task task = test::run_task({"a"});
  task.resources.memory_bytes = first_mib * kMebibyte;
  task.on_oom = dag::OnOom{factor, max_mib * kMebibyte};
  return task;
}

run::Attempt attempt_with(std::int64_t mib) {
  run::Attempt attempt;
  attempt.id = {RunId("r1"), test::key_of("a"), 1};
  attempt.state = AttemptState::Running;
  if (mib > 0) attempt.rendered = Value::Object{{"resources", Value::Object{{"memory", mib * kMebibyte}}}};
  return attempt;
}

run::AttemptEnded judged(const dag::Task& task, const run::Attempt& attempt, int retries_used = 0) {
  run::TaskInstance instance;
  instance.key = attempt.id.key;
  instance.retries_used = retries_used;
  Observation seen;
  seen.at = at_second(99);
  seen.exit_code = 137;
  seen.oom = true;
  return judge(task, instance, attempt, seen, run::RunState::Running, at_second(100));
}

TEST(MemorySteps, AreABudgetOfTheirOwn) {
  const dag::Task task = hungry(100, 1.5, 200);
  const auto first = judged(task, attempt_with(100));
  EXPECT_EQ(first.failure, FailureClass::Oom);
  EXPECT_EQ(first.task_to, TaskState::UpForRetry) << "retry.limit is 0 and does not matter";
  EXPECT_TRUE(first.memory_step);
  EXPECT_FALSE(first.infra_budget);
  EXPECT_EQ(first.reason, "killed for lack of memory (limit 100Mi)");
  EXPECT_EQ(judged(task, attempt_with(150)).task_to, TaskState::UpForRetry);
  const auto last = judged(task, attempt_with(200));
  EXPECT_EQ(last.task_to, TaskState::Failed) << "with the most there is, it would die again";
  EXPECT_FALSE(last.memory_step);
}

TEST(MemorySteps, WaitLongerEachTime) {
  dag::Task task = hungry(100, 2, 1600);
  task.retry.delay = 10s;
  const auto delay = [&](std::int64_t mib) { return *judged(task, attempt_with(mib)).retry_at - at_second(100); };
  const Duration first = delay(100);
  EXPECT_NEAR(static_cast<double>(delay(200).count()), 2 * static_cast<double>(first.count()), 4);
  EXPECT_NEAR(static_cast<double>(delay(400).count()), 4 * static_cast<double>(first.count()), 4);
}

TEST(MemorySteps, WithoutOnOomTheLimitCounts) {
  dag::Task task = test::run_task({"a"});
  task.retry.limit = 1;
  EXPECT_EQ(judged(task, attempt_with(0)).task_to, TaskState::UpForRetry);
  EXPECT_FALSE(judged(task, attempt_with(0)).memory_step);
  EXPECT_EQ(judged(task, attempt_with(0), 1).task_to, TaskState::Failed);
  EXPECT_EQ(judged(task, attempt_with(0)).reason, "killed for lack of memory");
}

// Opens an attempt with what next_memory() says and ends it as `failure`; returns what it had, in MiB.
std::int64_t attempt(test::RunBuilder& builder, const dag::Task& task, FailureClass failure, bool again = true) {
  const run::ActiveRun& run = builder.run();
  const TaskKey key = test::key_of("a");
  const std::int64_t memory = next_memory(task, run.state, key);
  const int number = run.state.tasks.at(key).attempts + 1;
  const AttemptId id{run.state.header.id, key, number};
  builder.schedule("a");
  builder.emit(run::AttemptOpened{id, "fake", Value::Object{{"resources", Value::Object{{"memory", memory}}}}});
  builder.running("a");
  run::AttemptEnded ended{id, AttemptState::Failed, failure, "x"};
  ended.task_to = again ? TaskState::UpForRetry : TaskState::Failed;
  if (again) ended.retry_at = at_second(1);
  ended.memory_step = failure == FailureClass::Oom;
  builder.emit(std::move(ended));
  return memory / kMebibyte;
}

TEST(MemorySteps, TheNextAttemptHasMoreOnlyAfterAKillForMemory) {
  const dag::Task task = hungry(100, 1.5, 300);
  test::RunBuilder builder(test::make_dag({{"a"}}));
  builder.start();
  EXPECT_EQ(attempt(builder, task, FailureClass::User), 100);
  EXPECT_EQ(attempt(builder, task, FailureClass::Oom), 100);
  EXPECT_EQ(attempt(builder, task, FailureClass::User), 150) << "what it needed once it keeps";
  EXPECT_EQ(attempt(builder, task, FailureClass::Oom), 150);
  EXPECT_EQ(attempt(builder, task, FailureClass::Oom), 225);
  EXPECT_EQ(attempt(builder, task, FailureClass::Oom, false), 300) << "no more than max";
  const run::TaskInstance& instance = builder.run().state.tasks.at(test::key_of("a"));
  EXPECT_EQ(instance.retries_used, 2) << "steps are charged to no limit";
  EXPECT_EQ(instance.infra_used, 0);
  builder.emit(run::RunMoved{run::RunState::Failed, {"a"}})
      .emit(run::RunReopened{})
      .emit(run::TaskReset{test::key_of("a")});
  EXPECT_EQ(next_memory(task, builder.run().state, test::key_of("a")), 100 * kMebibyte)
      << "a new generation begins anew";
}

TEST(MemorySteps, NoMemoryOfItsOwnStaysNone) {
  test::RunBuilder builder(test::make_dag({{"a"}}));
  EXPECT_EQ(next_memory(test::run_task({"a"}), builder.run().state, test::key_of("a")), 0);
}

}  // namespace
}  // namespace slipway::sched
