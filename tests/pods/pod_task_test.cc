#include "slipway/pods/pod_task.h"

#include <gtest/gtest.h>

namespace slipway::pods {
namespace {

using namespace std::chrono_literals;

exec::LaunchSpec spec_of(exec::PodSpec pod = {}) {
  exec::LaunchSpec spec;
  spec.id = {RunId("r1"), {TaskId("train"), TaskKey::kUnmapped}, 2};
  spec.dag = DagId("nightly");
  spec.argv = {"train"};
  spec.env = {{"SLIPWAY_URL", "http://127.0.0.1:8480"}};
  spec.resources = {500, 64 << 20};
  spec.grace = 30s;
  spec.pod = std::move(pod);
  return spec;
}
PodDefaults defaults() {
  PodDefaults made;
  made.instance = "i1";
  made.namespace_name = "work";
  made.namespaces = {"other"};
  made.image = "localhost/tools:1";
  return made;
}
const Value& main_of(const Value& manifest) { return manifest.find("spec")->find("containers")->as_array().front(); }
std::string variable(const Value& manifest, std::string_view name) {
  for (const Value& one : main_of(manifest).find("env")->as_array())
    if (one.get_string("name") == name) return one.get_string("value");
  return "(none)";
}

TEST(PodTask, SaysWhereThingsAreInThePod) {
  const auto pod = prepare_pod(spec_of(), defaults());
  ASSERT_TRUE(pod) << pod.error().message;
  EXPECT_EQ(pod->namespace_name, "work");
  EXPECT_EQ(variable(pod->manifest, "SLIPWAY_OUTPUT"), "/dev/termination-log");
  EXPECT_EQ(variable(pod->manifest, "SLIPWAY_WORKSPACE"), "/slipway/workspace");
  EXPECT_EQ(variable(pod->manifest, "SLIPWAY_ARTIFACTS"), "file:///slipway/workspace/.artifacts/r1/train/2");
  EXPECT_EQ(variable(pod->manifest, "SLIPWAY_URL"), "(none)");  // the loopback of another machine
  EXPECT_EQ(main_of(pod->manifest).get_string("workingDir"), "/slipway/workspace");
}

TEST(PodTask, TheServersSettingsAreUsed) {
  PodDefaults given = defaults();
  given.artifacts = "gs://bucket/artifacts";
  given.server_url = "http://slipway:8480";
  given.workspace_claim = "shared";
  const auto pod = prepare_pod(spec_of(), given);
  ASSERT_TRUE(pod);
  EXPECT_EQ(variable(pod->manifest, "SLIPWAY_ARTIFACTS"), "gs://bucket/artifacts/r1/train/2");
  EXPECT_EQ(variable(pod->manifest, "SLIPWAY_URL"), "http://slipway:8480");
  const Value& mount = main_of(pod->manifest).find("volumeMounts")->as_array().front();
  EXPECT_EQ(mount.get_string("subPath"), "r1");
}

TEST(PodTask, SecretsAreNamedNotRead) {
  exec::PodSpec asked;
  asked.secret_env = {{"TOKEN", {"slipway-secrets", "TOKEN"}}};
  asked.secret_files = {{"key.json", {"cloud", "key"}}};
  asked.file_variables = {{"key.json", "KEY_FILE"}};
  asked.env_secrets = {"all"};
  const auto pod = prepare_pod(spec_of(asked), defaults());
  ASSERT_TRUE(pod);
  EXPECT_EQ(variable(pod->manifest, "KEY_FILE"), "/slipway/secrets/key.json");
  const std::string text = pod->manifest.dump();
  EXPECT_NE(text.find(R"("secretKeyRef":{"key":"TOKEN","name":"slipway-secrets"})"), std::string::npos);
  EXPECT_NE(text.find(R"("items":[{"key":"key","path":"key.json"}],"name":"cloud")"), std::string::npos);
  EXPECT_NE(text.find(R"("secretRef":{"name":"all"})"), std::string::npos);
}

TEST(PodTask, ADeadDaemonDoesNotLetItRunForEver) {
  exec::PodSpec asked;
  asked.timeout = 1h;
  asked.start_timeout = 15min;
  const auto pod = prepare_pod(spec_of(asked), defaults());
  ASSERT_TRUE(pod);
  EXPECT_EQ(pod->manifest.find("spec")->get_int("activeDeadlineSeconds"), 3600 + 900 + 30 + 600);
  EXPECT_EQ(prepare_pod(spec_of(), defaults())->manifest.find("spec")->find("activeDeadlineSeconds"), nullptr);
}

TEST(PodTask, AnImagesOwnEntrypointKeepsItsFolder) {
  exec::PodSpec asked;
  asked.args = {"--limit", "$(NAME)"};
  exec::LaunchSpec spec = spec_of(asked);
  spec.argv.clear();
  const auto pod = prepare_pod(spec, defaults());
  ASSERT_TRUE(pod);
  EXPECT_EQ(main_of(pod->manifest).find("command"), nullptr);
  EXPECT_EQ(main_of(pod->manifest).find("workingDir"), nullptr);
  EXPECT_EQ(main_of(pod->manifest).find("args")->dump(), R"x(["--limit","$$(NAME)"])x");
}

TEST(PodTask, RefusesWhatTheServerDoesNotGive) {
  exec::PodSpec elsewhere;
  elsewhere.namespace_name = "kube-system";
  EXPECT_EQ(prepare_pod(spec_of(elsewhere), defaults()).error().message,
            "namespace `kube-system` is not among those that tasks may use");
  elsewhere.namespace_name = "other";
  EXPECT_EQ(prepare_pod(spec_of(elsewhere), defaults())->namespace_name, "other");
  PodDefaults bare = defaults();
  bare.image.clear();
  EXPECT_EQ(prepare_pod(spec_of(), bare).error().message, "the task names no image, and the server has none for all");
  exec::PodSpec root;
  root.baseline = true;
  EXPECT_EQ(prepare_pod(spec_of(root), defaults()).error().code, ErrorCode::Forbidden);
}

TEST(PodRules, ReadBackWhatTheyWrite) {
  const PodRules rules{90s, true, true};
  EXPECT_EQ(PodRules::parse(rules.str()), rules);
  EXPECT_EQ(PodRules::parse("no json"), PodRules{});
  EXPECT_EQ(PodRules::parse(R"({"start_timeout_s":-1})"), PodRules{});
}

}  // namespace
}  // namespace slipway::pods
