// resources, on_oom, run_as, secrets as files, inputs: what is read, and what is refused with which words.
#include "dag/support.h"

namespace slipway::dag {
namespace {

using test::codes;
using test::parse_ok;

TEST(Place, ResourcesAreReadInTheirUnits) {
  const Dag dag = parse_ok(R"(
dag: d
tasks:
  a: {run: x, resources: {cpu: 500m, memory: 1.5Gi}}
  b: {run: x, resources: {cpu: 2, memory: 64M}, on_oom: {max: 1Gi}, run_as: "1000:1000"}
  c: {run: x, resources: {memory: 67108864}, on_oom: {memory: x2, max: 1Gi}}
  d: {run: x}
)");
  EXPECT_EQ(dag.tasks[0].resources.cpu_milli, 500);
  EXPECT_EQ(dag.tasks[0].resources.memory_bytes, 1536LL << 20);
  EXPECT_FALSE(dag.tasks[0].on_oom);
  EXPECT_EQ(dag.tasks[1].resources.cpu_milli, 2000);
  EXPECT_EQ(dag.tasks[1].resources.memory_bytes, 64'000'000);
  ASSERT_TRUE(dag.tasks[1].on_oom);
  EXPECT_EQ(dag.tasks[1].on_oom->factor, 1.5);
  EXPECT_EQ(dag.tasks[1].on_oom->max_bytes, 1LL << 30);
  EXPECT_EQ(dag.tasks[1].run_as, "1000:1000");
  EXPECT_EQ(dag.tasks[2].resources.memory_bytes, 64 << 20);
  EXPECT_EQ(dag.tasks[2].on_oom->factor, 2);
  EXPECT_EQ(dag.tasks[3].resources.memory_bytes + dag.tasks[3].resources.cpu_milli, 0);
  EXPECT_TRUE(dag.planned.empty());
}

std::string task_codes(const std::string& fields) { return codes("dag: d\ntasks: {a: {run: x, " + fields + "}}\n"); }

TEST(Place, MistakesAreNamedOnce) {
  EXPECT_EQ(task_codes("resources: {memory: 32}"), "bad-memory");
  EXPECT_EQ(task_codes("resources: {memory: 500m}"), "bad-memory");
  EXPECT_EQ(task_codes("resources: {memory: 32gi}"), "bad-value");
  EXPECT_EQ(task_codes("resources: {memory: 32gi}, on_oom: {max: 64Gi}"), "bad-value");
  EXPECT_EQ(task_codes("on_oom: {max: 64Gi}"), "bad-on-oom");
  EXPECT_EQ(task_codes("resources: {memory: 4Gi}, on_oom: {memory: x2}"), "bad-on-oom");
  EXPECT_EQ(task_codes("resources: {memory: 4Gi}, on_oom: {memory: x1, max: 8Gi}"), "bad-on-oom");
  EXPECT_EQ(task_codes("resources: {memory: 4Gi}, on_oom: {max: 4Gi}"), "bad-on-oom");
  EXPECT_EQ(task_codes("resources: {memory: 4Gi}, on_oom: {memory: 1.5, max: 8Gi}"), "wrong-type");
}

TEST(Place, SecretsAreVariablesOrFiles) {
  const Dag dag = parse_ok(R"(
dag: d
secrets: [SHARED]
tasks:
  a: {run: x, secrets: [PLAIN, {name: NAMED}, {name: KEY, file: key.json}, {name: K8S, k8s: s/k}]}
)");
  EXPECT_EQ(dag.tasks[0].secrets, (std::vector<std::string>{"K8S", "NAMED", "PLAIN", "SHARED"}));
  EXPECT_EQ(dag.tasks[0].secret_files, (std::map<std::string, std::string>{{"KEY", "key.json"}}));
  EXPECT_EQ(task_codes("secrets: [{name: A, file: /run/key}]"), "bad-file");
  EXPECT_EQ(task_codes("secrets: [{name: A, file: ..}]"), "bad-file");
  EXPECT_EQ(task_codes("secrets: [{file: key}]"), "missing-field");
  EXPECT_EQ(task_codes("secrets: [{name: A, file: k}, {name: B, file: k}]"), "duplicate-file");
}

TEST(Place, InputsAreTemplates) {
  const Dag dag =
      parse_ok("dag: d\nparams: {f: {}}\ntasks: {a: {run: x, inputs: {data: 'file:///${{ params.f }}'}}}\n");
  ASSERT_EQ(dag.tasks[0].inputs.size(), 1U);
  EXPECT_EQ(dag.tasks[0].inputs.at("data").text, "file:///${{ params.f }}");
  EXPECT_EQ(task_codes("inputs: {data: '${{ secrets.A }}'}"), "forbidden-name");
}

}  // namespace
}  // namespace slipway::dag
