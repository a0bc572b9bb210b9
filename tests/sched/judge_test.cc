#include <gtest/gtest.h>

#include "slipway/sched/planner.h"
#include "support/dags.h"
#include "support/run_builder.h"

namespace slipway::sched {
namespace {

using namespace std::chrono_literals;
using run::AttemptState;
using run::FailureClass;
using run::RunState;
using run::TaskState;
using test::at_second;

struct Case {
  dag::Task task = test::run_task({"a"});
  run::TaskInstance instance;
  run::Attempt attempt;
  Observation seen;
  RunState run_state = RunState::Running;
  Instant now = at_second(100);

  Case() {
    instance.key = attempt.id.key = test::key_of("a");
    attempt.id.run = RunId("r1");
    attempt.id.number = 1;
    attempt.state = AttemptState::Running;
    seen.at = at_second(99);
    seen.exit_code = 0;
  }
  [[nodiscard]] run::AttemptEnded judged() const { return judge(task, instance, attempt, seen, run_state, now); }
};

Case exited(int code) {
  Case c;
  c.seen.exit_code = code;
  return c;
}

// The delay of a retry, with jitter taken out: the event's instant lies in [0.5, 1] of it.
void expect_delay(const run::AttemptEnded& ended, Instant now, Duration full) {
  ASSERT_TRUE(ended.retry_at.has_value());
  EXPECT_GE(*ended.retry_at - now, full / 2);
  EXPECT_LE(*ended.retry_at - now, full);
}

TEST(Judge, ExitZeroSucceedsWithItsOutputs) {
  Case c;
  c.seen.outputs = Value::Object{{"loss", 0.5}};
  const auto ended = c.judged();
  EXPECT_EQ(ended.to, AttemptState::Succeeded);
  EXPECT_EQ(ended.task_to, TaskState::Success);
  EXPECT_EQ(ended.outputs.dump(), R"({"loss":0.5})");
  EXPECT_EQ(ended.at, at_second(99));
  EXPECT_EQ(Case().judged().outputs.dump(), "{}");
}

// What a check says of an output; empty if it holds.
std::string verdict(const dag::Check& check, const Value& value, Value previous = {}) {
  Case c;
  c.task.outputs["x"] = {};
  c.task.checks = {check};
  c.task.checks[0].output = "x";
  c.seen.outputs = Value::Object{{"x", value}};
  c.seen.previous = std::move(previous);
  return c.judged().reason;
}

TEST(Judge, WithinIsAShareOfTheSuccessBefore) {
  dag::Check check;
  check.within = 0.1;
  const Value before = Value::Object{{"x", -100}};
  EXPECT_EQ(verdict(check, 7), "");
  EXPECT_EQ(verdict(check, -110, before), "");
  EXPECT_EQ(verdict(check, -90, before), "");
  EXPECT_EQ(verdict(check, -89, before), "output `x` is -89, more than 0.1 of -100 (the success before) away");
  EXPECT_EQ(verdict(check, 0.1, Value::Object{{"x", 0}}),
            "output `x` is 0.1, more than 0.1 of 0 (the success before) away");
  EXPECT_EQ(verdict(check, "a", before), "output `x` is no number: \"a\"");
  EXPECT_EQ(verdict(check, 5, Value::Object{{"x", "a"}}), "");
}

TEST(Judge, SharesAreMembersThatTheTaskMeasured) {
  dag::Check check;
  check.missing = 0.1;
  check.rows = 3;
  check.drift = 1;
  const auto table = [](double missing, int rows, double drift) {
    return Value(Value::Object{{"missing", missing}, {"rows", rows}, {"drift", drift}});
  };
  EXPECT_EQ(verdict(check, table(0.1, 3, 1)), "");
  EXPECT_EQ(verdict(check, table(0.2, 3, 1)), "`missing` of output `x` is 0.2, must be <= 0.1");
  EXPECT_EQ(verdict(check, table(0, 2, 1)), "`rows` of output `x` is 2, must be >= 3.0");
  EXPECT_EQ(verdict(check, table(0, 3, 2)), "`drift` of output `x` is 2.0, must be <= 1.0");
  EXPECT_EQ(verdict(check, 5), "`missing` of output `x` is no number");
  dag::Check list;
  list.rows = 2;
  EXPECT_EQ(verdict(list, Value::Array{1, 2}), "");
  EXPECT_EQ(verdict(list, Value::Array{1}), "`rows` of output `x` is 1, must be >= 2.0");
}

struct OutputRow {
  const char* name;
  Value outputs;
  const char* reason;  // null = success without remark
  TaskState want;
};

TEST(Judge, DeclaredOutputsAndChecks) {
  const std::vector<OutputRow> rows = {
      {"all well", Value::Object{{"acc", 0.9}, {"label", "x"}}, "", TaskState::Success},
      {"missing", Value::Object{{"acc", 0.9}}, "declared output `label` is missing", TaskState::Failed},
      {"no output at all", {}, "declared output `acc` is missing", TaskState::Failed},
      {"type", Value::Object{{"acc", "high"}, {"label", "x"}}, "output `acc` is \"high\", declared as number",
       TaskState::Failed},
      {"min", Value::Object{{"acc", 0.7}, {"label", "x"}}, "output `acc` is 0.7, must be >= 0.8", TaskState::Failed},
      {"max", Value::Object{{"acc", 2}, {"label", "x"}}, "output `acc` is 2, must be <= 1.0", TaskState::Failed},
      {"warn", Value::Object{{"acc", 0.9}, {"label", "y"}}, "warning: output `label` is \"y\", must be \"x\"",
       TaskState::Success},
  };
  for (const OutputRow& row : rows) {
    Case c;
    c.task.retry.limit = 5;  // class check has no budget
    c.task.outputs["acc"].type = dag::ValueType::Number;
    c.task.outputs["label"].type = dag::ValueType::String;
    c.task.checks = {{.output = "acc", .min = 0.8, .max = 1.0},
                     {.output = "label", .equals = Value("x"), .warn_only = true}};
    c.seen.outputs = row.outputs;
    const auto ended = c.judged();
    EXPECT_EQ(ended.task_to, row.want) << row.name;
    EXPECT_EQ(ended.reason, row.reason) << row.name;
    EXPECT_EQ(ended.failure, row.want == TaskState::Success ? FailureClass::None : FailureClass::Check) << row.name;
  }
}

TEST(Judge, AnUnusableOutputIsAFailedCheck) {
  Case c;
  c.seen.output_error = "output-too-large: more than 4096 bytes";
  EXPECT_EQ(c.judged().failure, FailureClass::Check);
  EXPECT_EQ(c.judged().reason, "output-too-large: more than 4096 bytes");
}

TEST(Judge, AnOutputThatIsNotRequiredToBeANumberMayBeNullButNotUnderACheck) {
  Case c;
  c.task.checks = {{.output = "acc", .min = 0.8}};
  c.seen.outputs = Value::Object{{"acc", nullptr}};
  EXPECT_EQ(c.judged().reason, "output `acc` is missing");
}

struct RetryRow {
  const char* name;
  FailureClass failure;
  int used;
  bool retried;
  bool infra;
  Duration delay;
};

TEST(Judge, RetriesByTheOneTable) {
  const std::vector<RetryRow> rows = {
      {"user, first", FailureClass::User, 0, true, false, 30s},
      {"user, second", FailureClass::User, 1, true, false, 60s},
      {"user, capped", FailureClass::User, 5, true, false, 10min},
      {"user, used up", FailureClass::User, 6, false, false, 0s},
      {"oom", FailureClass::Oom, 0, true, false, 30s},
      {"storage", FailureClass::Storage, 0, true, false, 30s},
      {"timeout", FailureClass::Timeout, 0, false, false, 0s},
      {"check", FailureClass::Check, 0, false, false, 0s},
      {"config", FailureClass::Config, 0, false, false, 0s},
      {"render", FailureClass::Render, 0, false, false, 0s},
      {"not started, first", FailureClass::InfraNotStarted, 0, true, true, 5s},
      {"not started, tenth", FailureClass::InfraNotStarted, 9, true, true, 5min},
      {"not started, used up", FailureClass::InfraNotStarted, 10, false, true, 0s},
      {"lost, first", FailureClass::InfraLost, 0, true, true, 30s},
      {"lost, third", FailureClass::InfraLost, 2, true, true, 2min},
      {"lost, used up", FailureClass::InfraLost, 3, false, true, 0s},
  };
  for (const RetryRow& row : rows) {
    Case c = exited(1);
    c.task.retry.limit = 6;
    c.instance.retries_used = c.instance.infra_used = row.used;
    if (row.failure == FailureClass::Oom)
      c.seen.oom = true;
    else if (row.failure != FailureClass::User)
      c.seen.failure = row.failure;
    const auto ended = c.judged();
    EXPECT_EQ(ended.failure, row.failure) << row.name;
    EXPECT_EQ(ended.task_to, row.retried ? TaskState::UpForRetry : TaskState::Failed) << row.name;
    EXPECT_EQ(ended.to, AttemptState::Failed);
    if (!row.retried) continue;
    EXPECT_EQ(ended.infra_budget, row.infra) << row.name;
    expect_delay(ended, c.now, row.delay);
  }
}

TEST(Judge, InfraLimitOfTheTaskCountsForBothInfraClasses) {
  Case c = exited(1);
  c.task.retry.infra_limit = 1;
  c.seen.failure = FailureClass::InfraNotStarted;
  EXPECT_EQ(c.judged().task_to, TaskState::UpForRetry);
  c.instance.infra_used = 1;
  EXPECT_EQ(c.judged().task_to, TaskState::Failed);
}

TEST(Judge, LaunchFailuresHaveABudgetOfTime) {
  Case c;
  c.seen.exit_code.reset();
  c.seen.failure = FailureClass::Launch;
  c.seen.message = "fork: resource temporarily unavailable";
  auto ended = c.judged();
  EXPECT_EQ(ended.reason, "fork: resource temporarily unavailable");
  expect_delay(ended, c.now, 1s);
  c.instance.launch_since = c.now - 20s;
  expect_delay(c.judged(), c.now, 20s);
  c.instance.launch_since = c.now - 4min;
  expect_delay(c.judged(), c.now, 1min);
  c.instance.launch_since = c.now - 5min;
  EXPECT_EQ(c.judged().task_to, TaskState::Failed);
}

TEST(Judge, JitterComesFromTheAttempt) {
  Case c = exited(1);
  c.task.retry.limit = 1;
  const auto first = c.judged().retry_at;
  EXPECT_EQ(c.judged().retry_at, first);
  c.attempt.id.number = 2;
  EXPECT_NE(c.judged().retry_at, first);
}

TEST(Judge, ExitCodesChooseWhatIsRetriedSkippedAndFailed) {
  Case c = exited(75);
  c.task.retry.limit = 3;
  c.task.exit_codes.retry = {75};
  c.task.exit_codes.skip = {99};
  EXPECT_EQ(c.judged().task_to, TaskState::UpForRetry);
  c.seen.exit_code = 1;
  EXPECT_EQ(c.judged().task_to, TaskState::Failed);
  c.seen.exit_code = 99;
  EXPECT_EQ(c.judged().task_to, TaskState::Skipped);
  EXPECT_EQ(c.judged().to, AttemptState::Succeeded);
  c.task.exit_codes = {{}, {}, {3}};
  c.seen.exit_code = 3;
  EXPECT_EQ(c.judged().task_to, TaskState::Failed);
  c.seen.exit_code = 4;
  EXPECT_EQ(c.judged().task_to, TaskState::UpForRetry);
}

TEST(Judge, TimeoutsAreRetriedOnlyWhereTheTaskSaysSo) {
  Case c = exited(143);
  c.task.timeout = 90s;
  c.task.retry.limit = 1;
  c.attempt.stop_cause = FailureClass::Timeout;
  c.attempt.stop_at = at_second(90);
  EXPECT_EQ(c.judged().task_to, TaskState::Failed);
  EXPECT_EQ(c.judged().failure, FailureClass::Timeout);
  EXPECT_EQ(c.judged().reason, "ran longer than its timeout of 1m30s");
  c.task.retry.timeouts = true;
  EXPECT_EQ(c.judged().task_to, TaskState::UpForRetry);
}

TEST(Judge, AUserStopCancelsWhateverTheExitCode) {
  for (const int code : {0, 1, 143}) {
    Case c = exited(code);
    c.task.retry.limit = 3;
    c.attempt.stop_cause = FailureClass::External;
    c.attempt.stop_at = at_second(98);
    EXPECT_EQ(c.judged().to, AttemptState::Cancelled);
    EXPECT_EQ(c.judged().task_to, TaskState::Cancelled);
    EXPECT_EQ(c.judged().failure, FailureClass::External);
  }
}

TEST(Judge, AnEndBeforeTheCommittedStopKeepsItsResult) {
  Case c;
  c.attempt.stop_cause = FailureClass::External;
  c.attempt.stop_at = at_second(99) + Duration(1);
  c.run_state = RunState::Cancelling;
  EXPECT_EQ(c.judged().task_to, TaskState::Success);
  c.attempt.stop_at = at_second(99);
  EXPECT_EQ(c.judged().task_to, TaskState::Cancelled);
}

TEST(Judge, ACancellingRunNeverRetries) {
  for (const FailureClass failure : {FailureClass::None, FailureClass::InfraLost, FailureClass::Launch}) {
    Case c = exited(1);
    c.task.retry.limit = 3;
    c.seen.failure = failure;
    c.run_state = RunState::Cancelling;
    EXPECT_EQ(c.judged().task_to, TaskState::Failed);
    EXPECT_FALSE(c.judged().retry_at.has_value());
  }
}

TEST(Judge, DeletedByHandIsCancelled) {
  Case c = exited(1);
  c.seen.failure = FailureClass::External;
  EXPECT_EQ(c.judged().task_to, TaskState::Cancelled);
}

TEST(Judge, TheTaskMayGiveTheReason) {
  Case c = exited(2);
  c.seen.outputs = Value::Object{{"_error", Value::Object{{"message", "table is empty"}}}};
  EXPECT_EQ(c.judged().reason, "exit code 2: table is empty");
  EXPECT_TRUE(c.judged().outputs.is_null());
}

}  // namespace
}  // namespace slipway::sched
