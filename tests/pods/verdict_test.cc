#include "pods/verdict.h"

#include <gtest/gtest.h>

namespace slipway::pods {
namespace {

using run::FailureClass;
using namespace std::chrono_literals;

const AttemptId kId{RunId("r1"), {TaskId("a"), TaskKey::kUnmapped}, 1};
const Instant kNow = Instant(1'000'000s);

Ending ending_of(kube::PodView pod) { return {kId, std::move(pod), {}, false, {}, kNow}; }

kube::PodView exited(int code, const std::string& message = {}) {
  kube::PodView pod;
  pod.phase = code == 0 ? "Succeeded" : "Failed";
  pod.main.terminated = true;
  pod.main.exit_code = code;
  pod.main.message = message;
  pod.main.started_at = kNow - 10s;
  pod.main.finished_at = kNow - 5s;
  return pod;
}
exec::Report judged(const Ending& ending) {
  return report_of(ending, kube::judge(ending.pod, result_whole(ending.pod, ending.rules)));
}

TEST(Verdict, ASuccessHasItsOutputAndItsTime) {
  const auto report = std::get<exec::Exited>(judged(ending_of(exited(0, R"({"n":1})"))));
  EXPECT_EQ(report.exit_code, 0);
  EXPECT_EQ(report.failure, FailureClass::None);
  EXPECT_EQ(report.output, R"({"n":1})");
  EXPECT_EQ(report.at, kNow - 5s);
}

TEST(Verdict, AnExitCodeSaysItAllButNotTheLogsLastLines) {
  const auto report = std::get<exec::Exited>(judged(ending_of(exited(3, "last words of a log"))));
  EXPECT_EQ(report.exit_code, 3);
  EXPECT_EQ(report.failure, FailureClass::None);  // the engine calls it the user's
  EXPECT_EQ(report.output, "");
  EXPECT_EQ(report.message, "");
}

TEST(Verdict, AReasonThatTheTaskGaveItselfIsKept) {
  const std::string output = R"({"_error":{"message":"no data"}})";
  EXPECT_EQ(std::get<exec::Exited>(judged(ending_of(exited(3, output)))).output, output);
}

TEST(Verdict, AMessageThatWasCutIsTooLarge) {
  const auto report = std::get<exec::Exited>(judged(ending_of(exited(0, "{\"a\":\"" + std::string(4090, 'x')))));
  EXPECT_TRUE(report.output_too_large);
}

TEST(Verdict, OutOfMemory) {
  kube::PodView pod = exited(137);
  pod.main.reason = "OOMKilled";
  const auto report = std::get<exec::Exited>(judged(ending_of(pod)));
  EXPECT_TRUE(report.oom);
  EXPECT_EQ(report.failure, FailureClass::None);
}

TEST(Verdict, AnEvictionIsALossOfTheMachine) {
  kube::PodView pod = exited(137);
  pod.disruption = "EvictionByEvictionAPI";
  pod.disrupted_at = kNow - 7s;
  const auto report = std::get<exec::Exited>(judged(ending_of(pod)));
  EXPECT_EQ(report.failure, FailureClass::InfraLost);
}

TEST(Verdict, ExitZeroWhileBeingEndedNeedsAResultOrTheTasksWord) {
  kube::PodView pod = exited(0);
  pod.disruption = "EvictionByEvictionAPI";
  pod.disrupted_at = kNow - 7s;
  EXPECT_EQ(std::get<exec::Exited>(judged(ending_of(pod))).failure, FailureClass::InfraLost);
  Ending trusted = ending_of(pod);
  trusted.rules.trust_exit_zero = true;
  EXPECT_EQ(std::get<exec::Exited>(judged(trusted)).failure, FailureClass::None);
}

TEST(Verdict, WhatNeverRanIsALaunchThatFailed) {
  kube::PodView pod;
  pod.phase = "Failed";
  pod.reason = "OutOfcpu";
  EXPECT_EQ(std::get<exec::LaunchFailed>(judged(ending_of(pod))).failure, FailureClass::InfraNotStarted);
}

TEST(Verdict, ADeletionByHandIsExternalOrALossWhereTheTaskSaysSo) {
  kube::PodView pod;
  pod.phase = "Running";
  pod.main.running = true;
  pod.main.started_at = kNow - 10s;
  pod.deleted_at = kNow - 3s;
  Ending ending = ending_of(pod);
  EXPECT_EQ(std::get<exec::Exited>(report_of(ending, kube::judge_gone(pod, false, false))).failure,
            FailureClass::External);
  ending.rules.retry_on_delete = true;
  EXPECT_EQ(std::get<exec::Exited>(report_of(ending, kube::judge_gone(pod, false, false))).failure,
            FailureClass::InfraLost);
  ending.stopped = true;  // the engine knows why: a time-out is none of somebody else's doing
  EXPECT_EQ(std::get<exec::Exited>(report_of(ending, kube::judge_gone(pod, false, true))).failure, FailureClass::None);
}

TEST(Verdict, ACodeThatFollowsADeletionIsNotTheTasks) {
  kube::PodView pod = exited(143);
  pod.deleted_at = kNow - 7s;
  EXPECT_EQ(std::get<exec::Exited>(judged(ending_of(pod))).failure, FailureClass::External);
  pod.deleted_at = kNow - 3s;  // it had ended by then
  EXPECT_EQ(std::get<exec::Exited>(judged(ending_of(pod))).failure, FailureClass::None);
  pod.deleted_at = kNow - 7s;
  Ending ending = ending_of(pod);
  ending.stopped = true;
  EXPECT_EQ(std::get<exec::Exited>(judged(ending)).failure, FailureClass::None);
  EXPECT_EQ(std::get<exec::Exited>(judged(ending)).exit_code, 143);
}

TEST(Verdict, AForcedDeletionOfAPodThatIsToBeRepeatedIsNoProof) {
  kube::PodView pod;
  pod.phase = "Running";
  pod.main.running = true;
  pod.main.started_at = kNow - 10s;
  Ending ending = ending_of(pod);
  ending.rules.retry_on_delete = true;
  EXPECT_FALSE(std::get<exec::Lost>(report_of(ending, kube::judge_gone(pod, false, false))).end_proved);
}

TEST(Verdict, WhatWasGivenUpFailsForItsReasonUnlessItRanAfterAll) {
  kube::PodView waiting;
  Ending ending = ending_of(waiting);
  ending.given_up = GivenUp{FailureClass::Launch, "ErrImagePull"};
  const auto failed = std::get<exec::LaunchFailed>(report_of(ending, kube::judge_gone(waiting, false, true)));
  EXPECT_EQ(failed.failure, FailureClass::Launch);
  EXPECT_EQ(failed.message, "ErrImagePull");
  Ending done = ending_of(exited(0));
  done.given_up = ending.given_up;
  EXPECT_EQ(std::get<exec::Exited>(judged(done)).failure, FailureClass::None);
  Ending killed = ending_of(exited(143));
  killed.given_up = GivenUp{FailureClass::InfraNotStarted, "did not start in time"};
  EXPECT_EQ(std::get<exec::Exited>(judged(killed)).failure, FailureClass::InfraNotStarted);
}

TEST(Verdict, AClockAheadOfOursIsBroughtBack) {
  kube::PodView pod = exited(0);
  pod.main.finished_at = kNow + 60s;
  EXPECT_EQ(std::get<exec::Exited>(judged(ending_of(pod))).at, kNow);
}

}  // namespace
}  // namespace slipway::pods
