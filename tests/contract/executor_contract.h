// What every executor must do: a suite to be instantiated on each of them.
//
//   INSTANTIATE_TEST_SUITE_P(Local, ExecutorContract, ::testing::Values(make_local_harness));
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <functional>
#include <memory>

#include "slipway/exec/executor.h"

namespace slipway::test {

// What a launched command is to do; a harness turns it into a spec of its executor.
struct Behaviour {
  bool until_stopped = false;  // else it ends at once
  int exit_code = 0;
  std::string output;  // written to $SLIPWAY_OUTPUT
};

// An executor with the world it works on. Reports are kept in the order of arrival.
class ExecutorHarness {
 public:
  virtual ~ExecutorHarness() = default;
  [[nodiscard]] virtual exec::Executor& executor() = 0;
  [[nodiscard]] virtual exec::LaunchSpec spec(const AttemptId& id, const Behaviour& behaviour) = 0;
  // The daemon dies and another starts: what was launched goes on, reports not yet given are lost.
  virtual void restart() = 0;
  // Lets time pass until `holds`, or for long enough that it never will.
  virtual bool wait_until(const std::function<bool()>& holds) = 0;
  // A copy of everything reported since the start of the test.
  [[nodiscard]] virtual std::vector<exec::Report> reports() = 0;
  // How often the command of that attempt was really started.
  [[nodiscard]] virtual int starts(const AttemptId& id) = 0;
};
using MakeExecutorHarness = std::function<std::unique_ptr<ExecutorHarness>()>;

class ExecutorContract : public ::testing::TestWithParam<MakeExecutorHarness> {
 protected:
  void SetUp() override { harness_ = GetParam()(); }

  static AttemptId attempt(const std::string& task, int number = 1) {
    return {RunId("r1"), {TaskId(task), TaskKey::kUnmapped}, number};
  }
  void launch(const AttemptId& id, const Behaviour& behaviour) {
    harness_->executor().launch(harness_->spec(id, behaviour));
  }
  template <class Kind>
  std::vector<Kind> reported(const AttemptId& id) {
    std::vector<Kind> found;
    for (const exec::Report& report : harness_->reports())
      if (const Kind* kind = std::get_if<Kind>(&report); kind != nullptr && kind->id == id) found.push_back(*kind);
    return found;
  }
  template <class Kind>
  Kind expect_report(const AttemptId& id, std::size_t nth = 1) {
    const bool came = harness_->wait_until([&] { return reported<Kind>(id).size() >= nth; });
    EXPECT_TRUE(came) << "no such report of " << id.str() << "; there were:" << told();
    return came ? reported<Kind>(id)[nth - 1] : Kind{};
  }
  // Every report in the order of arrival, for a person.
  std::string told() {
    std::string text;
    for (const exec::Report& report : harness_->reports()) {
      static constexpr std::array kNames = {"Launched", "Running", "Exited", "LaunchFailed", "Lost"};
      static_assert(kNames.size() == std::variant_size_v<exec::Report>);
      text += std::string(" ") + kNames[report.index()];
      if (const auto* failed = std::get_if<exec::LaunchFailed>(&report)) text += " (" + failed->message + ")";
      if (const auto* lost = std::get_if<exec::Lost>(&report)) text += " (" + lost->message + ")";
    }
    return text;
  }
  // As it is known after its first Running report.
  exec::OpenAttempt open_attempt(const AttemptId& id, bool stop_requested = false) {
    const auto running = reported<exec::Running>(id);
    return {id, running.empty() ? std::string() : running.front().identity, stop_requested, Duration(0), false};
  }

  std::unique_ptr<ExecutorHarness> harness_;
};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(ExecutorContract);

TEST_P(ExecutorContract, ReportsStartAndEndInOrder) {
  const AttemptId id = attempt("a");
  launch(id, {.exit_code = 3});
  EXPECT_EQ(expect_report<exec::Exited>(id).exit_code, 3);
  const auto running = expect_report<exec::Running>(id);
  EXPECT_FALSE(running.identity.empty());
  for (const auto& launched : reported<exec::Launched>(id)) EXPECT_EQ(launched.identity, running.identity);
  std::vector<std::size_t> order;
  for (const exec::Report& report : harness_->reports()) order.push_back(report.index());
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
  EXPECT_EQ(harness_->starts(id), 1);
}

TEST_P(ExecutorContract, DeliversTheOutput) {
  const AttemptId id = attempt("a");
  launch(id, {.output = R"({"loss":0.5})"});
  const auto exited = expect_report<exec::Exited>(id);
  EXPECT_EQ(exited.exit_code, 0);
  EXPECT_EQ(exited.output, R"({"loss":0.5})");
  EXPECT_FALSE(exited.output_too_large);
}

TEST_P(ExecutorContract, EndsAreNotBeforeStarts) {
  const AttemptId id = attempt("a");
  launch(id, {});
  const auto exited = expect_report<exec::Exited>(id);
  EXPECT_LE(expect_report<exec::Running>(id).at, exited.at);
}

TEST_P(ExecutorContract, AnAttemptIsStartedOnceHoweverOftenItIsLaunched) {
  const AttemptId id = attempt("a");
  launch(id, {.until_stopped = true});
  launch(id, {.until_stopped = true});
  expect_report<exec::Running>(id);
  launch(id, {.until_stopped = true});
  EXPECT_EQ(harness_->starts(id), 1);  // before it is killed: a start that nobody sees is not counted
  harness_->executor().stop(id, true);
  expect_report<exec::Exited>(id);
  EXPECT_EQ(harness_->starts(id), 1);
}

TEST_P(ExecutorContract, StopEndsIt) {
  const AttemptId id = attempt("a");
  launch(id, {.until_stopped = true});
  expect_report<exec::Running>(id);
  harness_->executor().stop(id, false);
  harness_->executor().stop(id, true);
  EXPECT_NE(expect_report<exec::Exited>(id).exit_code, 0);
}

TEST_P(ExecutorContract, AStopRightAfterTheLaunchIsNotForgotten) {
  const AttemptId id = attempt("a");
  launch(id, {.until_stopped = true});
  harness_->executor().stop(id, true);
  EXPECT_NE(expect_report<exec::Exited>(id).exit_code, 0);
}

TEST_P(ExecutorContract, StoppingAndForgettingTheUnknownDoesNothing) {
  harness_->executor().stop(attempt("nobody"), true);
  harness_->executor().forget(attempt("nobody"));
  const AttemptId id = attempt("a");
  launch(id, {});
  expect_report<exec::Exited>(id);
  EXPECT_TRUE(reported<exec::Exited>(attempt("nobody")).empty());
}

TEST_P(ExecutorContract, ARunningAttemptIsAdoptedAfterARestart) {
  const AttemptId id = attempt("a");
  launch(id, {.until_stopped = true});
  expect_report<exec::Running>(id);
  harness_->restart();
  harness_->executor().adopt({open_attempt(id)});
  EXPECT_EQ(expect_report<exec::Running>(id, 2).identity, expect_report<exec::Running>(id).identity);
  harness_->executor().stop(id, true);
  expect_report<exec::Exited>(id);
  EXPECT_EQ(harness_->starts(id), 1);
}

TEST_P(ExecutorContract, AnIntentLaunchedAgainIsAdopted) {
  const AttemptId id = attempt("a");
  launch(id, {.until_stopped = true});
  expect_report<exec::Running>(id);
  harness_->restart();
  launch(id, {.until_stopped = true});
  expect_report<exec::Running>(id, 2);
  EXPECT_EQ(harness_->starts(id), 1);
  harness_->executor().stop(id, true);
  expect_report<exec::Exited>(id);
}

TEST_P(ExecutorContract, AnEndThatNobodySawIsReportedAfterTheRestart) {
  const AttemptId id = attempt("a");
  launch(id, {.exit_code = 4, .output = R"({"n":1})"});
  expect_report<exec::Exited>(id);
  for (const bool by_launch : {false, true}) {
    const std::size_t before = reported<exec::Exited>(id).size();
    harness_->restart();
    by_launch ? launch(id, {.exit_code = 4}) : harness_->executor().adopt({open_attempt(id)});
    const auto exited = expect_report<exec::Exited>(id, before + 1);
    EXPECT_EQ(exited.exit_code, 4);
    EXPECT_EQ(exited.output, R"({"n":1})");
  }
  EXPECT_EQ(harness_->starts(id), 1);
}

TEST_P(ExecutorContract, AStopThatWasCommittedIsCarriedOutByTheNextDaemon) {
  const AttemptId id = attempt("a");
  launch(id, {.until_stopped = true});
  expect_report<exec::Running>(id);
  harness_->restart();
  harness_->executor().adopt({open_attempt(id, true)});
  EXPECT_NE(expect_report<exec::Exited>(id).exit_code, 0);
}

TEST_P(ExecutorContract, WhatLeftNoTraceIsLostAndProved) {
  const AttemptId id = attempt("ghost");
  harness_->executor().adopt({{id, "", true, Duration(0), false}});
  EXPECT_TRUE(expect_report<exec::Lost>(id).end_proved);
  EXPECT_EQ(harness_->starts(id), 0);
}

TEST_P(ExecutorContract, AttemptsAreIndependent) {
  for (int i = 0; i < 8; ++i) launch(attempt("t" + std::to_string(i)), {.exit_code = i});
  for (int i = 0; i < 8; ++i) EXPECT_EQ(expect_report<exec::Exited>(attempt("t" + std::to_string(i))).exit_code, i);
}

}  // namespace slipway::test
