#include "engine/render.h"

#include "slipway/exec/attempt_folder.h"
#include "support/engine_world.h"

namespace slipway::engine {
namespace {

using test::EngineWorld;

class RenderTest : public ::testing::Test, public EngineWorld {
 protected:
  void SetUp() override {
    options.home = "/srv/home";
    boot();
  }
  // What was launched for task `a` of a DAG with these lines; the run's failures in `failed` otherwise.
  exec::LaunchSpec launch(const std::string& lines, Value params = {}) {
    put("dag: d\n" + lines, "d.yaml", beside);
    run_id = trigger("d", std::move(params));
    drive();
    const auto found = launched.find(attempt());
    return found == launched.end() ? exec::LaunchSpec() : found->second;
  }
  [[nodiscard]] AttemptId attempt() const { return {run_id, test::key_of("a"), 1}; }
  [[nodiscard]] Value shown() const { return run(run_id).attempts.at(attempt()).rendered; }

  RunId run_id;
  dag::Companions beside;
};

TEST_F(RenderTest, TheContractOfTheEnvironment) {
  const exec::LaunchSpec spec = launch(
      "params: {model_name: {type: string, default: gemma}, epochs: {type: integer, default: 2}}\n"
      "tasks:\n  a: {run: 'true'}\n");
  const std::string run = run_id.str();
  const std::string at = "2023-11-14T22:13:20.000000Z";
  std::map<std::string, std::string> want = {
      {"PATH", "/opt/bin:/usr/bin"},
      {"SLIPWAY_DAG", "d"},
      {"SLIPWAY_RUN", run},
      {"SLIPWAY_TASK", "a"},
      {"SLIPWAY_MAP_INDEX", "-1"},
      {"SLIPWAY_ATTEMPT", "1"},
      {"SLIPWAY_ATTEMPT_ID", run + "/a/1"},
      {"SLIPWAY_LOGICAL_DATE", at},
      {"SLIPWAY_INTERVAL_START", at},
      {"SLIPWAY_INTERVAL_END", at},
      {"SLIPWAY_OUTPUT", "/srv/home/attempts/" + run + "/a.1/output.json"},
      {"SLIPWAY_WORKSPACE", "/srv/home/workspace/" + run},
      {"SLIPWAY_ARTIFACTS", "file:///srv/home/artifacts/" + run + "/a/1"},
      {"SLIPWAY_URL", "http://localhost:8080"},
      {"SLIPWAY_PARAM_MODEL_NAME", "gemma"},
      {"SLIPWAY_PARAM_EPOCHS", "2"},
      {"TRACEPARENT", spec.env.at("TRACEPARENT")},
  };
  EXPECT_EQ(spec.env, want);
  EXPECT_EQ(spec.argv, (std::vector<std::string>{"/bin/sh", "-ec", "true"}));
  EXPECT_EQ(spec.workdir, "/srv/home/workspace/" + run);
}

TEST_F(RenderTest, AParameterThatNoProcessCouldTakeIsLeftOut) {
  const std::string lines = "params: {regions: {type: string, default: x}}\ntasks:\n  a: {run: 'true'}\n";
  const std::size_t room = (128U << 10U) - std::string("SLIPWAY_PARAM_REGIONS=").size() - 1;
  const auto largest = launch(lines, Value::Object{{"regions", std::string(room, 'r')}});
  EXPECT_EQ(largest.env.at("SLIPWAY_PARAM_REGIONS").size(), room);
  EXPECT_LT(shown().dump().size(), 1'000U);  // what every attempt is given is not recorded with each
  const auto larger = launch(lines, Value::Object{{"regions", std::string(room + 1, 'r')}});
  EXPECT_EQ(larger.env.count("SLIPWAY_PARAM_REGIONS"), 0U);
  EXPECT_EQ(larger.env.count("SLIPWAY_RUN"), 1U);
}

TEST_F(RenderTest, PathsAreThoseOfTheExecutor) {
  const exec::LaunchSpec spec = launch("tasks:\n  a: {run: 'true'}\n");
  EXPECT_EQ(spec.env.at("SLIPWAY_OUTPUT"), (exec::attempt_folder("/srv/home", attempt()) / "output.json").string());
  EXPECT_EQ(spec.env.at("SLIPWAY_WORKSPACE"), exec::workspace_folder("/srv/home", run_id).string());
  EXPECT_EQ(spec.env.at("SLIPWAY_ARTIFACTS"), "file://" + exec::artifact_folder("/srv/home", attempt()).string());
}

TEST_F(RenderTest, TraceIdsHaveTheirForm) {
  const std::string trace = launch("tasks:\n  a: {run: 'true'}\n").env.at("TRACEPARENT");
  ASSERT_EQ(trace.size(), 55U);
  EXPECT_EQ(trace.substr(0, 3), "00-");
  EXPECT_EQ(trace.substr(35, 1), "-");
  EXPECT_EQ(trace.substr(52), "-01");
}

TEST_F(RenderTest, WordsAndFoldersAreRendered) {
  const exec::LaunchSpec spec = launch(
      "params: {n: {type: integer, default: 2}}\n"
      "tasks:\n  a: {run: [echo, 'n=${{ params.n }}', '${{ run.ds }}'], workdir: 'sub/${{ params.n }}',"
      " env: {WHO: '${{ dag.id }}'}}\n",
      Value::Object{{"n", 7}});
  EXPECT_EQ(spec.argv, (std::vector<std::string>{"echo", "n=7", "2023-11-14"}));
  EXPECT_EQ(spec.workdir, "/srv/home/workspace/" + run_id.str() + "/sub/7");
  EXPECT_EQ(spec.env.at("WHO"), "d");
}

TEST_F(RenderTest, SecretsAreGivenAndNeverShown) {
  secrets.values = {{"TOKEN", "hush-hush"}, {"KEY", "k-e-y-k-e-y"}};
  const exec::LaunchSpec spec =
      launch("tasks:\n  a: {run: 'true', secrets: [TOKEN], env: {AUTH: 'Bearer ${{ secrets.KEY }}', PLAIN: x}}\n");
  EXPECT_EQ(spec.secret_env.at("TOKEN").reveal(), "hush-hush");
  EXPECT_EQ(spec.secret_env.at("AUTH").reveal(), "Bearer k-e-y-k-e-y");
  EXPECT_EQ(spec.env.count("TOKEN") + spec.env.count("AUTH"), 0U);
  EXPECT_EQ(spec.env.at("PLAIN"), "x");
  EXPECT_EQ(shown().find("env")->get_string("AUTH"), "***");
  EXPECT_EQ(shown().find("secret_env")->dump(), R"(["AUTH","TOKEN"])");
  for (const run::Event& event : disk->events.at(run_id)) {
    const std::string text = run::to_value(event.body).dump();
    EXPECT_EQ(text.find("hush-hush") + 1, 0U);
    EXPECT_EQ(text.find("k-e-y") + 1, 0U);
  }
}

TEST_F(RenderTest, AMissingSecretIsClassConfigWithoutAnAttempt) {
  launch("tasks:\n  a: {run: 'true', secrets: [TOKEN], retry: {limit: 3}}\n");
  EXPECT_EQ(task(run_id, "a").failure, run::FailureClass::Config);
  EXPECT_EQ(task(run_id, "a").reason, "secret `TOKEN`: there is no such secret");
  EXPECT_TRUE(run(run_id).attempts.empty());
}

TEST_F(RenderTest, AnExpressionThatFailsIsClassRender) {
  launch(
      "tasks:\n"
      "  first: {run: 'true', outputs: {n: integer}}\n"
      "  a: {needs: first, trigger_rule: all_done, run: 'true', env: {N: '${{ tasks.first.outputs.n + 1 }}'}}\n");
  EXPECT_EQ(task(run_id, "a").failure, run::FailureClass::Render);
  EXPECT_EQ(task(run_id, "a").reason.rfind("env.N: null-value", 0), 0U) << task(run_id, "a").reason;
}

TEST_F(RenderTest, ServicesCarryTheirSmokeRequest) {
  scripts["a"].output = R"({"url": "http://x"})";
  const exec::LaunchSpec spec = launch(
      "params: {n: {type: integer, default: 2}}\n"
      "tasks:\n"
      "  a:\n"
      "    service:\n"
      "      name: web\n"
      "      run: [serve]\n"
      "      port: 8000\n"
      "      health: /ready\n"
      "      smoke: {post: /generate, json: {n: '${{ params.n }}', text: 'n is ${{ params.n }}'}, expect: ok}\n");
  ASSERT_TRUE(spec.service.has_value());
  EXPECT_EQ(spec.service->name, ServiceId("web"));
  EXPECT_EQ(spec.service->health, "/ready");
  ASSERT_TRUE(spec.service->smoke.has_value());
  EXPECT_TRUE(spec.service->smoke->post);
  EXPECT_EQ(spec.service->smoke->path, "/generate");
  EXPECT_EQ(spec.service->smoke->body, R"({"n":2,"text":"n is 2"})");
  EXPECT_EQ(spec.service->smoke->expect, "ok");
}

TEST_F(RenderTest, ResourcesAndTheUserAreRecordedAndGiven) {
  const exec::LaunchSpec spec =
      launch("tasks:\n  a: {run: 'true', resources: {cpu: 500m, memory: 64Mi, disk: 1Gi}, run_as: nobody}\n");
  EXPECT_EQ(spec.resources, (exec::Resources{500, 64 << 20}));
  EXPECT_EQ(spec.run_as, "nobody");
  EXPECT_EQ(shown().find("resources")->dump(), R"({"cpu":0.5,"memory":67108864})");
  EXPECT_EQ(shown().get_string("run_as"), "nobody");
}

TEST_F(RenderTest, AKillForMemoryGivesTheNextAttemptMore) {
  scripts["a"].exit_code = 137;
  scripts["a"].oom = true;
  launch("tasks:\n  a: {run: 'true', resources: {memory: 64Mi}, on_oom: {memory: x1.5, max: 128Mi}}\n");
  std::vector<std::int64_t> given;
  for (const auto& [id, spec] : launched) given.push_back(spec.resources.memory_bytes >> 20);
  EXPECT_EQ(given, (std::vector<std::int64_t>{64, 96, 128}));
  EXPECT_EQ(task(run_id, "a").state, run::TaskState::Failed);
  EXPECT_EQ(task(run_id, "a").failure, run::FailureClass::Oom);
  EXPECT_EQ(task(run_id, "a").reason, "killed for lack of memory (limit 128Mi)");
  EXPECT_EQ(task(run_id, "a").retries_used, 0);
}

TEST_F(RenderTest, SecretsInFilesAreGivenAndNeverShown) {
  secrets.values = {{"TOKEN", "hush-hush"}, {"KEY", "k-e-y-k-e-y"}};
  const exec::LaunchSpec spec = launch("tasks:\n  a: {run: 'true', secrets: [TOKEN, {name: KEY, file: key.json}]}\n");
  EXPECT_EQ(spec.secret_env.size(), 1U);
  ASSERT_EQ(spec.secret_files.count("KEY"), 1U);
  EXPECT_EQ(spec.secret_files.at("KEY").file, "key.json");
  EXPECT_EQ(spec.secret_files.at("KEY").content.reveal(), "k-e-y-k-e-y");
  EXPECT_EQ(shown().find("secret_files")->dump(), R"({"KEY":"key.json"})");
  for (const run::Event& event : disk->events.at(run_id))
    EXPECT_EQ(run::to_value(event.body).dump().find("k-e-y") + 1, 0U);
}

TEST_F(RenderTest, InputsStandBeforeTheCommand) {
  const exec::LaunchSpec spec = launch(
      "params: {day: {type: string, default: '2024-11-01'}}\n"
      "tasks:\n  a: {run: [train, x], inputs: {raw_data: 'file:///data/${{ params.day }}.csv'}}\n");
  EXPECT_EQ(spec.argv, (std::vector<std::string>{"/opt/bin/slipway", "fetch-inputs", "--", "train", "x"}));
  EXPECT_EQ(spec.env.at("SLIPWAY_INPUT_RAW_DATA"), "/srv/home/workspace/" + run_id.str() + "/.inputs/a/raw_data");
  EXPECT_EQ(spec.env.at("SLIPWAY_INPUTS"), R"({"raw_data":"file:///data/2024-11-01.csv"})");
  EXPECT_EQ(shown().find("argv")->dump(), R"(["train","x"])");
  EXPECT_EQ(shown().find("inputs")->dump(), R"({"raw_data":"file:///data/2024-11-01.csv"})");
}

class PodRenderTest : public RenderTest {
 protected:
  void SetUp() override {
    executors = {"kubernetes", std::string(exec::kRollouts)};
    RenderTest::SetUp();
  }
};

TEST_F(PodRenderTest, APodIsToldWhatOnlyPodsNeed) {
  const exec::LaunchSpec spec = launch(
      "namespace: ml\nparams: {tag: {default: '3'}}\ntasks:\n"
      "  a: {run: [train], executor: kubernetes, image: 'tools:${{ params.tag }}', labels: {team: 'x${{ params.tag "
      "}}'},\n"
      "      resources: {cpu: 500m, memory: 64Mi, disk: 1Gi, gpu: {count: 2, type: l4}}, timeout: 1h, start_timeout: "
      "2m,\n"
      "      secrets: [TOKEN, {name: KEY, file: key.json, k8s: cloud/key}], env_from: [{configmap: all}],\n"
      "      on_delete: retry, idempotent: true, security: baseline, pod: {nodeSelector: {a: b}}}\n");
  EXPECT_EQ(spec.executor, "kubernetes");
  EXPECT_EQ(spec.dag.str(), "d");
  EXPECT_EQ(spec.slots, 0);
  EXPECT_EQ(spec.workdir, "/slipway/workspace");
  for (const char* name : {"PATH", "SLIPWAY_OUTPUT", "SLIPWAY_WORKSPACE", "TOKEN"}) EXPECT_EQ(spec.env.count(name), 0U);
  EXPECT_EQ(spec.env.at("SLIPWAY_TASK"), "a");
  EXPECT_TRUE(spec.secret_env.empty());  // nobody was asked for it
  ASSERT_TRUE(spec.pod);
  EXPECT_EQ(spec.pod->namespace_name, "ml");
  EXPECT_EQ(spec.pod->image, "tools:3");
  EXPECT_EQ(spec.pod->labels.at("team"), "x3");
  EXPECT_EQ(spec.pod->gpus, 2);
  EXPECT_EQ(spec.pod->disk_bytes, 1 << 30);
  EXPECT_EQ(spec.pod->timeout, std::chrono::hours(1));
  EXPECT_EQ(spec.pod->start_timeout, std::chrono::minutes(2));
  EXPECT_EQ(spec.pod->secret_env.at("TOKEN").key, "TOKEN");
  EXPECT_EQ(spec.pod->secret_files.at("key.json").secret, "cloud");
  EXPECT_EQ(spec.pod->file_variables.at("key.json"), "KEY_FILE");
  EXPECT_EQ(spec.pod->env_config_maps, std::vector<std::string>{"all"});
  EXPECT_TRUE(spec.pod->retry_on_delete && spec.pod->restartable && spec.pod->baseline);
  EXPECT_NE(spec.pod->fragment.find("nodeSelector"), nullptr);
  EXPECT_EQ(run(run_id).attempts.at(attempt()).executor, "kubernetes");
}

TEST_F(PodRenderTest, AnImagesOwnEntrypointHasNoCommand) {
  const exec::LaunchSpec spec =
      launch("defaults: {executor: kubernetes}\ntasks:\n  a: {image: 'tools:1', args: [--day, '${{ run.ds }}']}\n");
  EXPECT_TRUE(spec.argv.empty());
  EXPECT_EQ(spec.workdir, "");
  EXPECT_EQ(spec.pod->args, (std::vector<std::string>{"--day", "2023-11-14"}));
}

TEST_F(PodRenderTest, ASecretInsideATextIsNotForPods) {
  launch("tasks:\n  a: {run: 'true', executor: kubernetes, env: {URL: 'x${{ secrets.TOKEN }}'}}\n");
  EXPECT_EQ(task(run_id, "a").state, run::TaskState::Failed);
  EXPECT_NE(task(run_id, "a").reason.find("known to the pod alone"), std::string::npos);
}

TEST_F(PodRenderTest, ManifestsAreRenderedAndGoToTheExecutorOfRollouts) {
  beside["m.yaml"] =
      "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: w}\nspec:\n  replicas: '${{ params.n }}'\n"
      "  paused: ${{ params.n == 2 }}\n  selector: ${{ params.n }}\n---\n"
      "apiVersion: v1\nkind: Service\nmetadata:\n  name: w-${{ run.ds }}\n";
  const exec::LaunchSpec spec = launch(
      "params: {n: {type: integer, default: 2}}\ntasks:\n"
      "  a: {executor: kubernetes, env: {A: b}, service: {name: w, manifest: m.yaml, run: [x], port: 80, strategy: "
      "recreate, smoke: {post: /q, "
      "json: {n: '${{ params.n }}'}}}}\n");
  EXPECT_EQ(spec.executor, exec::kRollouts);
  ASSERT_TRUE(spec.rollout);
  EXPECT_TRUE(spec.rollout->recreate);
  ASSERT_EQ(spec.rollout->objects.size(), 2U);
  EXPECT_EQ(spec.rollout->objects[0].find("spec")->dump(), R"({"paused":true,"replicas":"2","selector":2})");
  EXPECT_EQ(spec.rollout->objects[1].find("metadata")->get_string("name"), "w-2023-11-14");
  EXPECT_TRUE(spec.argv.empty());
  EXPECT_EQ(spec.env.at("A"), "b");
  EXPECT_EQ(spec.slots, 0);
  ASSERT_TRUE(spec.service);
  EXPECT_EQ(spec.service->smoke->body, R"({"n":2})");
}

TEST_F(PodRenderTest, AServiceOfACommandIsOneOfTheClusterWhereItsTasksAre) {
  const exec::LaunchSpec spec = launch(
      "defaults: {executor: kubernetes, image: 'i:1'}\ntasks:\n  a: {service: {name: w, run: [serve, x], port: 80}}\n");
  EXPECT_EQ(spec.executor, exec::kRollouts);
  ASSERT_TRUE(spec.rollout);
  EXPECT_TRUE(spec.rollout->objects.empty());
  EXPECT_EQ(spec.argv, (std::vector<std::string>{"serve", "x"}));
  EXPECT_EQ(spec.pod->image, "i:1");
}

TEST_F(RenderTest, WhereAServiceHasACommandItsManifestsAreForClustersOnly) {
  beside["m.yaml"] =
      "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: w}\n---\napiVersion: v1\nkind: Service\nmetadata: "
      "{name: w}\n";
  const exec::LaunchSpec spec = launch("tasks:\n  a: {service: {name: w, manifest: m.yaml, run: [serve], port: 80}}\n");
  EXPECT_EQ(spec.executor, "");
  EXPECT_FALSE(spec.rollout);
  EXPECT_EQ(spec.argv, std::vector<std::string>{"serve"});
}

TEST_F(RenderTest, WhatNeedsAClusterFailsWhereThereIsNone) {
  beside["m.yaml"] = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: w}\n";
  launch("tasks:\n  a: {apply: m.yaml}\n");
  EXPECT_EQ(task(run_id, "a").state, run::TaskState::Failed);
  EXPECT_EQ(task(run_id, "a").reason, "this server has no executor `kubernetes`: see docs/kubernetes.md");
}

class ProcessesOnlyTest : public RenderTest {
 protected:
  void SetUp() override {
    options.processes_only = true;
    RenderTest::SetUp();
  }
};

TEST_F(ProcessesOnlyTest, WhatHasACommandRunsHereWhateverItsFileSays) {
  const exec::LaunchSpec spec = launch("tasks:\n  a: {run: [x], executor: kubernetes, image: 'i:1'}\n");
  EXPECT_EQ(spec.executor, "");
  EXPECT_EQ(spec.argv, std::vector<std::string>{"x"});
  EXPECT_EQ(spec.env.count("SLIPWAY_OUTPUT"), 1U);
}

TEST_F(RenderTest, AnExecutorThatIsNotThereIsClassConfig) {
  launch("tasks:\n  a: {run: 'true', executor: kubernetes}\n");
  EXPECT_EQ(task(run_id, "a").state, run::TaskState::Failed);
  EXPECT_NE(task(run_id, "a").reason.find("no executor `kubernetes`"), std::string::npos);
}

TEST_F(RenderTest, AnImageAloneDoesNotRunHere) {
  launch("tasks:\n  a: {image: 'tools:1'}\n");
  EXPECT_EQ(task(run_id, "a").state, run::TaskState::Failed);
  EXPECT_NE(task(run_id, "a").reason.find("needs a cluster"), std::string::npos);
}

}  // namespace
}  // namespace slipway::engine
