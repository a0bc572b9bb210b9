#include "slipway/kube/rollout.h"

#include <gtest/gtest.h>

namespace slipway::kube {
namespace {

Value json(const std::string& text) { return *parse_json(text); }

RolloutView deployment(const std::string& status, const std::string& spec = R"({"replicas":2})") {
  return judge_deployment(
      json(R"({"kind":"Deployment","metadata":{"generation":3},"spec":)" + spec + R"(,"status":)" + status + "}"));
}

struct Row {
  const char* status;
  RolloutStage stage;
  const char* words;
};

TEST(JudgeDeployment, ByGenerationCountsAndConditions) {
  for (
      const Row& row : {
          Row{R"({})", RolloutStage::Waiting, "the cluster has not taken it up yet"},
          Row{R"({"observedGeneration":2,"replicas":2,"updatedReplicas":2,"availableReplicas":2})",
              RolloutStage::Waiting, "the cluster has not taken it up yet"},
          Row{R"({"observedGeneration":3,"replicas":3,"updatedReplicas":1,"availableReplicas":2})",
              RolloutStage::Waiting, "1 of 2 new pods, 2 of 3 ready, 2 old to go"},
          Row{R"({"observedGeneration":3,"replicas":3,"updatedReplicas":2,"availableReplicas":3})",
              RolloutStage::Waiting, "2 of 2 new pods, 3 of 3 ready, 1 old to go"},
          Row{R"({"observedGeneration":3,"replicas":2,"updatedReplicas":2,"availableReplicas":1})",
              RolloutStage::Waiting, "2 of 2 new pods, 1 of 2 ready"},
          Row{R"({"observedGeneration":3,"replicas":2,"updatedReplicas":2,"availableReplicas":2})", RolloutStage::Done,
              "2 of 2 new pods, 2 of 2 ready"},
          Row{R"({"observedGeneration":3,"conditions":[{"type":"ReplicaFailure","status":"True","reason":"FailedCreate","message":"quota"}]})",
              RolloutStage::Waiting, "0 of 2 new pods, 0 of 0 ready; FailedCreate: quota"},
          Row{R"({"observedGeneration":3,"conditions":[{"type":"Progressing","status":"False","reason":"ProgressDeadlineExceeded","message":"late"}]})",
              RolloutStage::Failed, "ProgressDeadlineExceeded: late"},
      })
    EXPECT_EQ(deployment(row.status), (RolloutView{row.stage, row.words})) << row.status;
}

TEST(JudgeDeployment, OneReplicaIsMeantWhereNoneIsNamedAndNoneIsDoneAtOnce) {
  EXPECT_EQ(
      deployment(R"({"observedGeneration":3,"replicas":1,"updatedReplicas":1,"availableReplicas":1})", "{}").stage,
      RolloutStage::Done);
  EXPECT_EQ(deployment(R"({"observedGeneration":3})", R"({"replicas":0})").stage, RolloutStage::Done);
}

TEST(JudgeJob, ByItsConditions) {
  EXPECT_EQ(judge_job(json(R"({"status":{"active":1,"failed":2}})")),
            (RolloutView{RolloutStage::Waiting, "1 pods active, 0 done, 2 failed"}));
  EXPECT_EQ(judge_job(json(R"({"status":{"conditions":[{"type":"Complete","status":"True"}]}})")).stage,
            RolloutStage::Done);
  EXPECT_EQ(judge_job(json(
                R"({"status":{"conditions":[{"type":"Failed","status":"True","reason":"BackoffLimitExceeded"}]}})")),
            (RolloutView{RolloutStage::Failed, "BackoffLimitExceeded"}));
  EXPECT_EQ(judge_object(json(R"({"kind":"ConfigMap"})")).stage, RolloutStage::Done);
}

Value pod(const std::string& name, const std::string& revision, const std::string& status) {
  return json(R"({"metadata":{"name":")" + name + R"(","annotations":{"slipway/revision":")" + revision +
              R"("}},"status":)" + status + "}");
}
PodTroubleView worst(Value::Array pods) {
  return worst_pod(Value(Value::Object{{"items", std::move(pods)}}), "slipway/revision", "r2");
}

TEST(WorstPod, OfTheNewRevisionOnly) {
  const std::string crash =
      R"({"containerStatuses":[{"name":"main","restartCount":5,"ready":false,"state":{"waiting":{"reason":"CrashLoopBackOff"}},"lastState":{"terminated":{"exitCode":137,"reason":"OOMKilled"}}}]})";
  EXPECT_EQ(worst({pod("old", "r1", crash)}).trouble, PodTrouble::None);
  Value leaving = pod("leaving", "r2", crash);
  leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z";
  EXPECT_EQ(worst({leaving}).trouble, PodTrouble::None);
  const PodTroubleView found = worst({pod("new", "r2", crash)});
  EXPECT_EQ(found.trouble, PodTrouble::Crash);
  EXPECT_EQ(found.restarts, 5);
  EXPECT_EQ(found.words, "container main of pod new ended with exit code 137 for lack of memory (5 restarts)");
}

TEST(WorstPod, TheDeepestTroubleIsTold) {
  const Value waits =
      pod("a", "r2",
          R"({"conditions":[{"type":"PodScheduled","status":"False","reason":"Unschedulable","message":"no node"}]})");
  const Value image = pod(
      "b", "r2",
      R"({"containerStatuses":[{"name":"main","state":{"waiting":{"reason":"InvalidImageName","message":"bad"}}}]})");
  const Value config = pod(
      "c", "r2",
      R"({"initContainerStatuses":[{"name":"init","state":{"waiting":{"reason":"CreateContainerConfigError","message":"no secret"}}}]})");
  const Value ready = pod(
      "d", "r2",
      R"({"containerStatuses":[{"name":"main","ready":true,"restartCount":1,"lastState":{"terminated":{"exitCode":1}}}]})");
  EXPECT_EQ(worst({ready}).trouble, PodTrouble::None);
  EXPECT_EQ(worst({ready, waits}).words, "pod a waits: Unschedulable: no node");
  const PodTroubleView pull = worst({image, waits});
  EXPECT_EQ(pull.words, "pod b: InvalidImageName: bad");
  EXPECT_TRUE(pull.hopeless);
  EXPECT_EQ(worst({waits, image, config}).trouble, PodTrouble::Config);
}

TEST(Applied, WhatAServerAddsIsLeftOut) {
  const Value shown = json(
      R"({"kind":"Deployment","metadata":{"name":"w","uid":"u","generation":2,"managedFields":[],"resourceVersion":"7","annotations":{"a":"b","deployment.kubernetes.io/revision":"3"}},"spec":{"replicas":4,"paused":false},"status":{"replicas":4}})");
  EXPECT_EQ(without_status(shown).dump(),
            R"({"kind":"Deployment","metadata":{"annotations":{"a":"b"},"name":"w"},"spec":{"paused":false}})");
}

TEST(Applied, AFieldThatTheSchemaDoesNotHaveIsTheObjectsFaultWhateverTheStatus) {
  const std::string body =
      R"({"kind":"Status","code":500,"message":"failed to create typed patch object (n/w; v1, Kind=ConfigMap): .dat: field not declared in schema"})";
  EXPECT_EQ(failure_of_reply(500, {}, body).kind, FailureKind::Invalid);
  EXPECT_EQ(failure_of_reply(500, {}, R"({"kind":"Status","code":500,"message":"etcd"})").kind,
            FailureKind::Overloaded);
}

TEST(Applied, PathsAndSelectors) {
  const auto path = path_of(json(
      R"({"apiVersion":"autoscaling/v2","kind":"HorizontalPodAutoscaler","metadata":{"name":"w","namespace":"n"}})"));
  ASSERT_TRUE(path);
  EXPECT_EQ(path->str(), "/apis/autoscaling/v2/namespaces/n/horizontalpodautoscalers/w");
  EXPECT_FALSE(path_of(json(R"({"apiVersion":"v1","kind":"Secret","metadata":{"name":"w"}})")));
  EXPECT_EQ(selector_of(json(R"({"spec":{"selector":{"matchLabels":{"a":"b","c":"d"}}}})")), "a=b,c=d");
  EXPECT_EQ(external_host(json(R"({"status":{"loadBalancer":{"ingress":[{"hostname":"h"}]}}})")), "h");
  EXPECT_EQ(external_host(json(R"({"status":{"loadBalancer":{}}})")), "");
}

TEST(Applied, ARequestThroughTheServerKeepsItsPath) {
  const ApiCall call = proxy_call(
      {.namespace_name = "n", .service = "w", .port = 80, .post = true, .path = "/ask?a=b%20c", .body = "{}"});
  EXPECT_EQ(call.method + " " + call.target(), "POST /api/v1/namespaces/n/services/http:w:80/proxy/ask?a=b%20c");
  EXPECT_FALSE(call.repeatable);
  EXPECT_TRUE(call.raw);
}

}  // namespace
}  // namespace slipway::kube
