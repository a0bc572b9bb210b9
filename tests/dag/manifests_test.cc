#include <gtest/gtest.h>

#include <algorithm>

#include "dag/support.h"
#include "slipway/dag/parse.h"

namespace slipway::dag {
namespace {

constexpr const char* kDeployment =
    "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  replicas: ${{ params.n }}\n"
    "  template: {metadata: {annotations: {n: \"${{ params.n }}\"}}}\n";
constexpr const char* kService = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\n";

ParseResult<Dag> read(const std::string& tasks, const Companions& beside) {
  return parse({"d.yaml", "dag: d\nparams: {n: {type: integer, default: 2}}\ntasks:\n" + tasks}, beside);
}
std::string first_error(const ParseResult<Dag>& parsed) {
  if (parsed.diagnostics.items().empty()) return "none";
  const auto& all = parsed.diagnostics.items();
  const auto error =
      std::find_if(all.begin(), all.end(), [](const Diagnostic& d) { return d.severity == Severity::Error; });
  const Diagnostic& first = error == all.end() ? all.front() : *error;
  return first.code + ": " + first.message;
}
const std::string kApply = "  a: {apply: m.yaml}\n  b: {run: 'echo ${{ params.n }}'}\n";

TEST(Manifests, DocumentsAreObjectsAndTheTaskRunsOnACluster) {
  const auto parsed =
      read("  a: {apply: [m.yaml]}\n",
           {{"m.yaml", "# head\n---\n" + std::string(kDeployment) + "--- # next\n" + kService + "---\n"}});
  ASSERT_TRUE(parsed.value) << first_error(parsed);
  EXPECT_TRUE(parsed.diagnostics.empty()) << first_error(parsed) << ": the parameter is used by the manifest";
  const Task& task = parsed.value->tasks[0];
  ASSERT_EQ(task.manifests.size(), 2U);
  EXPECT_EQ(task.place, Place::Kubernetes);
  EXPECT_EQ(task.manifests[1].object.get_string("kind"), "Service");
  const Value& spec = *task.manifests[0].object.find("spec");
  EXPECT_EQ(spec.get_string("replicas"), "${{ params.n }}");
  EXPECT_EQ(spec.find("template")->find("metadata")->find("annotations")->get_string("n"), "${{ string( params.n ) }}")
      << "what is in quotes stays text";
}

TEST(Manifests, MistakesAreToldWithTheirPlaceInTheFile) {
  EXPECT_EQ(first_error(read(kApply, {})), "missing-file: `m.yaml` cannot be read");
  EXPECT_EQ(first_error(read("  a: {apply: ../m.yaml}\n", {})), "bad-path: `../m.yaml` leads away from this file");
  EXPECT_EQ(first_error(read(kApply, {{"m.yaml", std::string(kService) + "---\nkind: [\n"}})).substr(0, 22),
            "yaml-syntax: m.yaml:5:");
  EXPECT_EQ(first_error(read(kApply, {{"m.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n"}})),
            "bad-manifest: m.yaml:1:1: `Secret` of `v1` is not among the kinds that tasks apply");
  EXPECT_EQ(first_error(read(kApply, {{"m.yaml", "apiVersion: v1\nkind: ConfigMap\n"}})),
            "bad-manifest: m.yaml:1:1: this ConfigMap has no name");
  EXPECT_EQ(first_error(read(kApply, {{"m.yaml", std::string(kService) + "---\n" + kService}})),
            "bad-manifest: Service web stands in the manifests of task `a` twice");
  EXPECT_EQ(first_error(read(kApply, {{"m.yaml", "---\n"}})), "empty-manifest: `m.yaml` holds no object");
  EXPECT_EQ(
      first_error(read(kApply, {{"m.yaml", std::string(kService) + "data: {a: \"${{ params.m }}\"}\n"}})).substr(0, 27),
      "unknown-name: m.yaml:4: the");
}

TEST(Manifests, AServiceHasADeploymentAndAServiceOrACommandOrAnImage) {
  const std::string service =
      "  a: {service: {name: w, manifest: m.yaml, port: 80}}\n  b: {run: 'echo ${{ params.n }}'}\n";
  EXPECT_EQ(first_error(read(service, {{"m.yaml", kService}})),
            "bad-manifest: the manifests of a service hold no Deployment");
  const auto both = read("  a: {service: {name: w, manifest: m.yaml, run: [s], port: 80}}\n",
                         {{"m.yaml", std::string(kDeployment) + "---\n" + kService}});
  ASSERT_TRUE(both.value) << first_error(both);
  EXPECT_FALSE(both.value->tasks[0].place) << "where it runs is the server's to say";
  const auto image = read("  a: {image: 'i:${{ params.n }}', service: {name: w, port: 80, strategy: recreate}}\n", {});
  ASSERT_TRUE(image.value) << first_error(image);
  EXPECT_EQ(image.value->tasks[0].place, Place::Kubernetes);
  EXPECT_TRUE(image.value->tasks[0].service->recreate);
  EXPECT_EQ(first_error(read("  a: {executor: local, image: 'i:${{ params.n }}', service: {name: w, port: 80}}\n", {})),
            "no-command: the service of task `a` has no command, so no process of this machine can be it");
}

TEST(Manifests, TheirTextsArePartOfTheVersion) {
  const SourceText source{"d.yaml", "dag: d\nparams_from: p.json\ntasks:\n" + kApply +
                                        "  c: {service: {name: w, port: 80, manifest: [m.yaml, n.yaml, ../o.yaml]}}\n"};
  EXPECT_EQ(companion_names(source), (std::vector<std::string>{"m.yaml", "n.yaml", "p.json"}));
  EXPECT_NE(version_of(source, {{"m.yaml", "a"}}), version_of(source, {{"m.yaml", "b"}}));
}

}  // namespace
}  // namespace slipway::dag
