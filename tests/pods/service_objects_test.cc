#include "slipway/pods/service_objects.h"

#include <gtest/gtest.h>

#include "slipway/dag/parse.h"
#include "slipway/kube/rollout.h"

namespace slipway::pods {
namespace {

PodDefaults defaults() {
  PodDefaults made;
  made.instance = "test";
  made.namespace_name = "work";
  made.image = "localhost/tools:1";
  return made;
}

exec::LaunchSpec spec() {
  exec::LaunchSpec made;
  made.id = {RunId("r1"), {TaskId("serve"), TaskKey::kUnmapped}, 2};
  made.dag = DagId("site");
  made.env = {{"MODEL", "m2"}, {"SLIPWAY_RUN", "r1"}};
  made.rollout.emplace();
  made.pod.emplace();
  made.service = exec::ServiceSpec{.name = ServiceId("web"), .dag = DagId("site"), .port = 8000, .health = "/ready"};
  return made;
}

Value deployment(const std::string& extra = {}) {
  return *parse_json(R"({"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web"},"spec":{
    "selector":{"matchLabels":{"app":"web"}},"template":{"metadata":{"labels":{"app":"web"}},"spec":{)" +
                     extra + R"("automountServiceAccountToken":false,"securityContext":{"runAsNonRoot":true},
    "containers":[{"name":"proxy","image":"p:1","securityContext":{"allowPrivilegeEscalation":false,"capabilities":{"drop":["ALL"]}}},
      {"name":"main","image":"m:1","env":[{"name":"MODEL","value":"old"},{"name":"KEEP","value":"k"}],
       "securityContext":{"allowPrivilegeEscalation":false,"capabilities":{"drop":["ALL"]}}}]}}}})");
}

const Value& pod_of(const Value& object) { return *object.find("spec")->find("template")->find("spec"); }

TEST(ServiceObjects, ACommandBecomesADeploymentAndAService) {
  exec::LaunchSpec made = spec();
  made.argv = {"server"};
  const auto objects = prepare_objects(made, defaults());
  ASSERT_TRUE(objects) << objects.error().message;
  ASSERT_EQ(objects->size(), 2U);
  const Value& main = pod_of(objects->front()).find("containers")->as_array().front();
  EXPECT_EQ(main.get_string("image"), "localhost/tools:1");
  EXPECT_EQ(main.find("readinessProbe")->find("httpGet")->get_string("path"), "/ready");
  EXPECT_NE(main.find("env")->dump().find(R"({"name":"PORT","value":"8000"})"), std::string::npos);
  EXPECT_NE(main.find("env")->dump().find(R"({"name":"SLIPWAY_HOST","value":"0.0.0.0"})"), std::string::npos);
  EXPECT_EQ(pod_of(objects->front()).find("restartPolicy"), nullptr);
  EXPECT_EQ(objects->front().find("spec")->find("replicas"), nullptr) << "an autoscaler may own it";
  const std::string labels = objects->front().find("spec")->find("template")->find("metadata")->find("labels")->dump();
  EXPECT_EQ(labels.find("slipway/instance"), std::string::npos) << "it is no pod of an attempt: " << labels;
  EXPECT_EQ(front_port(*front_of(*objects, 8000), 8000), 8000);
}

TEST(ServiceObjects, AGivenDeploymentGetsTheTasksImageEnvironmentAndSecrets) {
  exec::LaunchSpec made = spec();
  made.rollout->objects = {deployment()};
  made.pod->image = "m:2";
  made.pod->secret_env["TOKEN"] = {"", "TOKEN"};
  const auto objects = prepare_objects(made, defaults());
  ASSERT_TRUE(objects) << objects.error().message;
  const auto& containers = pod_of(objects->front()).find("containers")->as_array();
  EXPECT_EQ(containers[0].get_string("image"), "p:1");
  EXPECT_EQ(containers[1].get_string("image"), "m:2");
  EXPECT_EQ(containers[1].find("env")->dump(),
            R"([{"name":"MODEL","value":"m2"},{"name":"KEEP","value":"k"},)"
            R"({"name":"TOKEN","valueFrom":{"secretKeyRef":{"key":"TOKEN","name":"slipway-secrets"}}}])");
  EXPECT_EQ(objects->front().find("metadata")->get_string("namespace"), "work");
}

TEST(ServiceObjects, AppliedObjectsStayAsTheyAre) {
  exec::LaunchSpec made = spec();
  made.service.reset();
  made.rollout->objects = {deployment()};
  const auto objects = prepare_objects(made, defaults());
  ASSERT_TRUE(objects) << objects.error().message;
  EXPECT_EQ(pod_of(objects->front()), pod_of(deployment()));
  EXPECT_EQ(objects->front().find("spec")->find("template")->find("metadata")->find("annotations"), nullptr)
      << "an unchanged object restarts nothing";
}

TEST(ServiceObjects, PolicyAndNamespacesHoldForManifestsToo) {
  exec::LaunchSpec made = spec();
  made.rollout->objects = {deployment(R"("hostNetwork":true,)")};
  auto refused = prepare_objects(made, defaults());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "Deployment web: spec.hostNetwork is not permitted: it is the node's");
  Value foreign = deployment();
  foreign["metadata"]["namespace"] = "kube-system";
  made.rollout->objects = {foreign};
  refused = prepare_objects(made, defaults());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::Forbidden);
}

TEST(ServiceObjects, ANameThatAServiceCannotHaveIsRefused) {
  exec::LaunchSpec made = spec();
  made.argv = {"server"};
  made.service->name = ServiceId("my.web");
  EXPECT_FALSE(prepare_objects(made, defaults()));
}

// The language's list and ours.
TEST(ServiceObjects, WhatTheLanguageLetsInCanBeApplied) {
  for (const kube::AppliedKind& kind : kube::applied_kinds()) {
    const std::string text = "apiVersion: " + std::string(kind.api_version) + "\nkind: " + std::string(kind.kind) +
                             "\nmetadata: {name: x}\n";
    const auto parsed = dag::parse({"d.yaml", "dag: d\ntasks: {a: {apply: x.yaml}}\n"}, {{"x.yaml", text}});
    EXPECT_TRUE(parsed.value) << kind.kind;
  }
  const auto other = dag::parse({"d.yaml", "dag: d\ntasks: {a: {apply: x.yaml}}\n"},
                                {{"x.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: x}\n"}});
  ASSERT_FALSE(other.value);
  EXPECT_NE(other.diagnostics.items().front().help.find("HorizontalPodAutoscaler (autoscaling/v2)"), std::string::npos);
}

}  // namespace
}  // namespace slipway::pods
