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

TEST(Place, PodsHaveFieldsOfTheirOwn) {
  const Dag dag = parse_ok(R"(
dag: d
namespace: ml
defaults: {executor: kubernetes}
tasks:
  a: {image: "a:1", args: [x, "${{ run.ds }}"], namespace: other, image_pull_policy: Always, service_account: sa}
  b: {run: x, executor: local, resources: {disk: 1Gi, gpu: 2}, labels: {n: 1}, annotations: {a: b}}
  c: {run: x, resources: {gpu: {type: l4}}, env_from: [{secret: s}, {configmap: m}], security: baseline}
  d: {run: x, secrets: [{name: T, k8s: kaggle/token}], on_delete: retry, trust_exit_zero: true, start_timeout: 2m, pod: {a: b}}
  e: {noop: true}
)");
  EXPECT_EQ(dag.tasks[0].place, Place::Kubernetes);
  EXPECT_EQ(dag.tasks[0].pod.args.size(), 2U);
  EXPECT_EQ(dag.tasks[0].pod.namespace_name, "other");
  EXPECT_EQ(dag.tasks[0].pod.image_pull_policy, "Always");
  EXPECT_EQ(dag.tasks[0].pod.service_account, "sa");
  EXPECT_EQ(dag.tasks[1].place, Place::Local);
  EXPECT_EQ(dag.tasks[1].pod.namespace_name, "ml");
  EXPECT_EQ(dag.tasks[1].pod.disk_bytes, 1 << 30);
  EXPECT_EQ(dag.tasks[1].pod.gpus, 2);
  EXPECT_EQ(dag.tasks[1].pod.labels.at("n").text, "1");
  EXPECT_EQ(dag.tasks[1].pod.annotations.at("a").text, "b");
  EXPECT_EQ(dag.tasks[2].pod.gpus, 1);
  EXPECT_EQ(dag.tasks[2].pod.gpu_type, "l4");
  EXPECT_EQ(dag.tasks[2].pod.env_secrets, std::vector<std::string>{"s"});
  EXPECT_EQ(dag.tasks[2].pod.env_config_maps, std::vector<std::string>{"m"});
  EXPECT_TRUE(dag.tasks[2].pod.baseline);
  EXPECT_EQ(dag.tasks[3].pod.secrets.at("T").secret, "kaggle");
  EXPECT_EQ(dag.tasks[3].pod.secrets.at("T").key, "token");
  EXPECT_TRUE(dag.tasks[3].pod.retry_on_delete && dag.tasks[3].pod.trust_exit_zero);
  EXPECT_EQ(dag.tasks[3].pod.start_timeout, std::chrono::minutes(2));
  EXPECT_NE(dag.tasks[3].pod.fragment.find("a"), nullptr);
  EXPECT_FALSE(parse_ok("dag: d\ntasks: {a: {run: x}}\n").tasks[0].place);
  EXPECT_EQ(task_codes("secrets: [{name: A, k8s: token}]"), "bad-secret");
  EXPECT_EQ(task_codes("env_from: [{secret: a, configmap: b}]"), "bad-env-from");
}

}  // namespace
}  // namespace slipway::dag
