#include "slipway/kube/pod_outcome.h"

#include <gtest/gtest.h>

namespace slipway::kube {
namespace {

// A pod from the members of its status, as JSON without the outer braces.
PodView pod(const std::string& status, const std::string& metadata = "", const std::string& spec = "") {
  const auto value = parse_json(R"({"metadata":{"name":"p","uid":"u")" + metadata + R"(},"spec":{"nodeName":"n")" +
                                spec + "},\"status\":{" + status + "}}");
  EXPECT_TRUE(value) << status;
  return view_of(*value);
}
// The state of the container `main`, behind an injected one.
std::string main_is(const std::string& state) {
  return R"("containerStatuses":[{"name":"istio-proxy","state":{"running":{}}},{"name":"main","state":{)" + state +
         "}}]";
}
std::string ended(int code, const std::string& reason, const std::string& message = "") {
  return main_is(R"("terminated":{"exitCode":)" + std::to_string(code) + R"(,"reason":")" + reason +
                 R"(","message":")" + message +
                 R"(","startedAt":"2024-11-01T06:00:00Z","finishedAt":"2024-11-01T06:30:00Z"})");
}
std::string disrupted(const std::string& reason, const std::string& at = "2024-11-01T06:29:59Z") {
  return R"(,"conditions":[{"type":"Ready","status":"False"},{"type":"DisruptionTarget","status":"True","reason":")" +
         reason + R"(","lastTransitionTime":")" + at + "\"}]";
}
std::string waits(const std::string& reason) {
  return R"("phase":"Pending",)" + main_is(R"("waiting":{"reason":")" + reason + R"(","message":"m"})");
}
const std::string kRuns = R"("phase":"Running",)" + main_is(R"("running":{"startedAt":"2024-11-01T06:00:00Z"})");
const std::string kFailed = R"("phase":"Failed",)";
std::string failed(const std::string& reason, const std::string& message = "") {
  return kFailed + R"("reason":")" + reason + R"(","message":")" + message + "\"";
}

// "stage/class", then marks: started, hopeless, may-run, and the exit code.
std::string text(const PodOutcome& outcome) {
  std::string out =
      std::string(kPodStages.text(outcome.stage)) + "/" + std::string(run::kFailureClasses.text(outcome.failure));
  if (outcome.started) out += " started";
  if (outcome.hopeless) out += " hopeless";
  if (outcome.may_still_run) out += " may-run";
  if (outcome.exit_code) out += " " + std::to_string(*outcome.exit_code);
  return out;
}

struct OutcomeCase {
  const char* name;
  PodView pod;
  const char* outcome;
  const char* why;
};

TEST(PodOutcomes, Table) {
  const std::string own_limit = "Pod ephemeral local storage usage exceeds the total limit of containers 1Gi. ";
  const std::string init_failed =
      R"(,"initContainerStatuses":[{"name":"fetch","state":{"terminated":{"exitCode":2,"reason":"Error"}}}])";
  const std::string init_oom =
      R"(,"initContainerStatuses":[{"name":"fetch","state":{"terminated":{"exitCode":137,"reason":"OOMKilled"}}}])";
  const OutcomeCase cases[] = {
      {"just made", pod(R"("phase":"Pending")"), "waiting/infra_not_started", ""},
      {"no node",
       pod(R"("phase":"Pending","conditions":[{"type":"PodScheduled","status":"False","message":"0/3 nodes"}])"),
       "waiting/infra_not_started", "no node for it: 0/3 nodes"},
      {"being created", pod(waits("ContainerCreating")), "waiting/infra_not_started", ""},
      {"first pull failed", pod(waits("ErrImagePull")), "waiting/launch", "ErrImagePull: m"},
      {"pulls failed", pod(waits("ImagePullBackOff")), "waiting/launch", "ImagePullBackOff: m"},
      {"no such name", pod(waits("InvalidImageName")), "waiting/launch hopeless", "InvalidImageName: m"},
      {"never pull", pod(waits("ErrImageNeverPull")), "waiting/launch hopeless", "ErrImageNeverPull: m"},
      {"no such secret", pod(waits("CreateContainerConfigError")), "waiting/config hopeless",
       "CreateContainerConfigError: m"},
      {"an init container waits",
       pod(R"("phase":"Pending",)" + main_is(R"("waiting":{"reason":"PodInitializing"})") +
           R"(,"initContainerStatuses":[{"name":"i","state":{"waiting":{"reason":"ErrImagePull","message":"m"}}}])"),
       "waiting/launch", "ErrImagePull: m"},
      {"runs", pod(kRuns), "running/ started", ""},
      {"runs, to be ended", pod(kRuns + disrupted("EvictionByEvictionAPI")), "running/ started",
       "it is being ended: EvictionByEvictionAPI"},
      {"success", pod(R"("phase":"Succeeded",)" + ended(0, "Completed")), "ended/ started 0", ""},
      {"success, a sidecar lives on", pod(R"("phase":"Running",)" + ended(0, "Completed")), "ended/ started 0", ""},
      {"success, a sidecar failed", pod(kFailed + ended(0, "Completed")), "ended/ started 0", ""},
      {"success without a word of main", pod(R"("phase":"Succeeded")"), "ended/infra_lost",
       "the pod succeeded, and nothing is known of its main container"},
      {"exit code", pod(kFailed + ended(3, "Error")), "ended/user started 3", "exit code 3"},
      {"a signal of its own", pod(kFailed + ended(139, "Error")), "ended/user started 139", "exit code 139"},
      {"out of memory", pod(kFailed + ended(137, "OOMKilled")), "ended/oom started 137", "killed for lack of memory"},
      {"no such command", pod(kFailed + ended(128, "StartError", "exec: x: not found")), "ended/launch 128",
       "the container could not be started: exec: x: not found"},
      {"preempted", pod(kFailed + ended(137, "Error") + disrupted("PreemptionByScheduler")),
       "ended/infra_lost started 137", "PreemptionByScheduler"},
      {"drained", pod(kFailed + ended(143, "Error") + disrupted("EvictionByEvictionAPI")),
       "ended/infra_lost started 143", "EvictionByEvictionAPI"},
      {"node under pressure",
       pod(failed("Evicted", "The node was low on resource: memory.") + "," + ended(137, "ContainerStatusUnknown") +
           disrupted("TerminationByKubelet")),
       "ended/infra_lost started 137", "TerminationByKubelet: The node was low on resource: memory."},
      {"evicted before it ran", pod(failed("Evicted", "low on memory")), "ended/infra_not_started",
       "Evicted: low on memory"},
      {"own disk limit", pod(failed("Evicted", own_limit) + "," + ended(137, "Error")), "ended/storage started 137",
       own_limit.c_str()},
      {"own volume limit", pod(failed("Evicted", R"(Usage of EmptyDir volume \"w\" exceeds the limit \"1Gi\". )")),
       "ended/storage", "Usage of EmptyDir volume \"w\" exceeds the limit \"1Gi\". "},
      {"spot reclaim", pod(failed("Terminated", "imminent node shutdown") + "," + ended(143, "Error")),
       "ended/infra_lost started 143", "Terminated: imminent node shutdown"},
      {"older spot reclaim", pod(failed("NodeShutdown") + "," + ended(137, "Error")), "ended/infra_lost started 137",
       "NodeShutdown"},
      {"refused by the node", pod(failed("OutOfcpu", "Node didn't have enough resource")), "ended/infra_not_started",
       "OutOfcpu: Node didn't have enough resource"},
      {"the node changed", pod(failed("NodeAffinity")), "ended/infra_not_started", "NodeAffinity"},
      {"a device is gone", pod(failed("UnexpectedAdmissionError")), "ended/infra_not_started",
       "UnexpectedAdmissionError"},
      {"backstop", pod(failed("DeadlineExceeded") + "," + ended(143, "Error")), "ended/timeout started 143",
       "DeadlineExceeded"},
      {"backstop, never ran", pod(failed("DeadlineExceeded")), "ended/timeout", "DeadlineExceeded"},
      {"node gone, collected",
       pod(kFailed + main_is(R"("running":{"startedAt":"2024-11-01T06:00:00Z"})") + disrupted("DeletionByPodGC")),
       "ended/infra_lost started may-run", "DeletionByPodGC"},
      {"node lost", pod(failed("NodeLost") + "," + main_is(R"("running":{})")), "ended/infra_lost started may-run",
       "NodeLost"},
      {"unknown end", pod(kFailed + ended(137, "ContainerStatusUnknown")), "ended/infra_lost started 137",
       "the node cannot tell how it ended"},
      {"an init container failed", pod(kFailed + main_is(R"("waiting":{"reason":"PodInitializing"})") + init_failed),
       "ended/launch", "init container `fetch` ended with exit code 2"},
      {"an init container without memory", pod(kFailed + main_is("") + init_oom), "ended/oom",
       "init container `fetch` was killed for lack of memory"},
      {"failed without a word", pod(R"("phase":"Failed")"), "ended/infra_not_started",
       "the pod failed without a reason"},
  };
  for (const OutcomeCase& c : cases) {
    const PodOutcome outcome = judge(c.pod, false);
    EXPECT_EQ(text(outcome), c.outcome) << c.name;
    EXPECT_EQ(outcome.why, c.why) << c.name;
  }
}

TEST(PodOutcomes, ExitZeroOfADisturbedPodNeedsAWholeResult) {
  const std::string zero = R"("phase":"Succeeded",)" + ended(0, "Completed");
  struct Case {
    const char* name;
    PodView pod;
    bool suspect;
  };
  const Case cases[] = {
      {"undisturbed", pod(zero), false},
      {"drained before it ended", pod(zero + disrupted("EvictionByEvictionAPI")), true},
      {"in the same second", pod(zero + disrupted("EvictionByEvictionAPI", "2024-11-01T06:30:00Z")), true},
      {"drained after it ended", pod(zero + disrupted("EvictionByEvictionAPI", "2024-11-01T06:30:01Z")), false},
      {"deleted before", pod(zero, R"(,"deletionTimestamp":"2024-11-01T06:29:00Z")"), true},
      {"deleted after", pod(zero, R"(,"deletionTimestamp":"2024-11-01T06:31:00Z")"), false},
      {"evicted", pod(failed("Evicted", "low") + "," + ended(0, "Completed")), true},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(text(judge(c.pod, false)), c.suspect ? "ended/infra_lost started 0" : "ended/ started 0") << c.name;
    EXPECT_EQ(text(judge(c.pod, true)), "ended/ started 0") << c.name;
  }
}

TEST(PodOutcomes, OfPodsThatAreGone) {
  const std::string deleted = R"(,"deletionTimestamp":"2024-11-01T06:29:00Z")";
  EXPECT_EQ(text(judge_gone(pod(kFailed + ended(3, "Error")), false, true)), "ended/user started 3");
  EXPECT_EQ(text(judge_gone(pod(kRuns, deleted), false, true)), "ended/external started");
  EXPECT_EQ(text(judge_gone(pod(kRuns, deleted), false, false)), "ended/external started");
  EXPECT_EQ(judge_gone(pod(kRuns, deleted), false, false).why, "the pod was deleted by somebody else");
  EXPECT_EQ(text(judge_gone(pod(kRuns), false, false)), "ended/external started may-run");
  EXPECT_EQ(text(judge_gone(pod(kRuns + disrupted("DeletionByTaintManager"), deleted), false, false)),
            "ended/infra_lost started may-run");
  EXPECT_EQ(text(judge_gone(pod(waits("ContainerCreating")), false, false)), "ended/external");
  EXPECT_EQ(text(judge_gone(pod(waits("ContainerCreating") + disrupted("PreemptionByScheduler")), false, false)),
            "ended/infra_not_started");
}

TEST(PodOutcomes, ASidecarsEndSaysNothing) {
  const std::string status =
      kRuns + R"(,"initContainerStatuses":[{"name":"side","state":{"terminated":{"exitCode":1}}}])";
  EXPECT_EQ(text(judge(pod(status, "", R"(,"initContainers":[{"name":"side","restartPolicy":"Always"}])"), false)),
            "running/ started");
  EXPECT_EQ(text(judge(pod(status, "", R"(,"initContainers":[{"name":"side"}])"), false)), "ended/launch started");
}

TEST(PodViews, KeepWhatCounts) {
  const PodView view = pod(kFailed + ended(3, "Error", std::string(10'000, 'x')) + disrupted("PreemptionByScheduler"),
                           R"(,"deletionTimestamp":"2024-11-01T06:29:00Z")");
  EXPECT_EQ(view.name, "p");
  EXPECT_EQ(view.uid, "u");
  EXPECT_EQ(view.node, "n");
  EXPECT_EQ(view.phase, "Failed");
  EXPECT_EQ(view.disruption, "PreemptionByScheduler");
  EXPECT_EQ(to_rfc3339(*view.deleted_at), "2024-11-01T06:29:00.000000Z");
  EXPECT_EQ(to_rfc3339(*view.main.finished_at), "2024-11-01T06:30:00.000000Z");
  EXPECT_EQ(view.main.message.size(), 4096U);
  EXPECT_EQ(view_of(Value(Value::Object{})).phase, "");  // not even a status
}

}  // namespace
}  // namespace slipway::kube
