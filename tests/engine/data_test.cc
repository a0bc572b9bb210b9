// What a success brings beside its outputs: variables, datasets, results taken over, comparisons with the run before.
#include "support/engine_world.h"

namespace slipway::engine {
namespace {

using namespace std::chrono_literals;
using run::FailureClass;
using run::RunState;
using run::TaskState;
using run::TriggerKind;
using test::at_second;
using test::EngineWorld;
using test::key_of;

class DataTest : public ::testing::Test, public EngineWorld {
 protected:
  void SetUp() override {
    options.slots = 4;
    boot();
  }
  RunId go(Value params = {}) {
    const RunId id = trigger("d", std::move(params));
    drive(clock.now() + 1min);
    return id;
  }
  [[nodiscard]] std::vector<const run::Run*> runs_of(const std::string& dag) const {
    std::vector<const run::Run*> found;
    for (const auto& [id, run] : disk->runs)
      if (run.header.dag == DagId(dag)) found.push_back(&run);
    return found;
  }
};

TEST_F(DataTest, VariablesAreSetWithTheSuccess) {
  put("dag: d\ntasks:\n  a: {run: 'true', outputs: {n: number}, set_vars: {BEST: \"${{ outputs.n }}\", OF: "
      "{run: \"r ${{ run.id }}\"}}}\n  b: {needs: a, run: [echo, \"${{ vars.BEST }}\"]}\n");
  scripts["a"].output = R"({"n": 0.25})";
  const RunId id = go();
  EXPECT_EQ(disk->vars.find("BEST")->dump(), "0.25");
  EXPECT_EQ(disk->vars.find("OF")->get_string("run"), "r " + id.str());
  EXPECT_EQ(launched.at({id, key_of("b"), 1}).argv.back(), "0.25");
}

TEST_F(DataTest, AnInstanceOfAFanOutSetsWithItsElement) {
  put("dag: d\ntasks:\n  a: {run: 'true', for_each: [7], set_vars: {LAST: \"${{ item }}\", AT: \"${{ index }}\"}}\n");
  go();
  ASSERT_NE(disk->vars.find("LAST"), nullptr);
  EXPECT_EQ(disk->vars.find("LAST")->dump(), "7");
  EXPECT_EQ(disk->vars.find("AT")->dump(), "0");
}

TEST_F(DataTest, AVariableThatCannotBeRenderedFailsTheTask) {
  put("dag: d\ntasks:\n  a: {run: 'true', set_vars: {X: \"${{ vars.NOTHING + 1 }}\"}, produces: s3://lake/a}\n");
  const RunId id = go();
  EXPECT_EQ(task(id, "a").failure, FailureClass::Render);
  EXPECT_EQ(disk->vars.find("X"), nullptr);
  EXPECT_TRUE(disk->datasets.empty());
}

TEST_F(DataTest, ADagsOwnVarsStandInForWhatIsNotSet) {
  put("dag: d\nvars: {GREETING: hello}\ntasks:\n  a: {run: [echo, \"${{ vars.GREETING }}\"]}\n");
  EXPECT_EQ(launched.at({go(), key_of("a"), 1}).argv.back(), "hello");
  ASSERT_TRUE(ask(SetVar{"GREETING", Value("hi")}));
  EXPECT_EQ(launched.at({go(), key_of("a"), 1}).argv.back(), "hi");
}

constexpr const char* kConsumer =
    "dag: c\nschedule: {datasets: [\"s3://lake/a\", \"s3://lake/b\"]}\nmax_active_runs: 9\ntasks: {t: {run: 'true'}}\n";

TEST_F(DataTest, AScheduleFiresWhenEachDatasetWasUpdated) {
  put("dag: d\ntasks:\n  a: {run: 'true', produces: \"s3://lake/${{ params.which }}\"}\nparams: {which: {default: "
      "a}}\n");
  put(kConsumer, "c.yaml");
  go();
  go();
  EXPECT_TRUE(runs_of("c").empty());
  EXPECT_EQ(disk->datasets.at("s3://lake/a").updates, 2);
  go(Value::Object{{"which", "b"}});
  ASSERT_EQ(runs_of("c").size(), 1U);
  EXPECT_EQ(runs_of("c")[0]->header.trigger, TriggerKind::Dataset);
  EXPECT_EQ(runs_of("c")[0]->header.logical_date, runs_of("c")[0]->header.created_at);
  go(Value::Object{{"which", "b"}});
  EXPECT_EQ(runs_of("c").size(), 1U);
}

TEST_F(DataTest, EachUpdateCountsOnceOverRestarts) {
  put(kConsumer, "c.yaml");
  for (const char* uri : {"s3://lake/a", "s3://lake/b"}) {
    ASSERT_TRUE(ask(TouchDataset{uri, "ann"}));
    die();
    boot();
    step();
  }
  EXPECT_EQ(runs_of("c").size(), 1U);
  die();
  boot();
  drive();
  EXPECT_EQ(runs_of("c").size(), 1U);
  EXPECT_EQ(disk->datasets.at("s3://lake/a").by, "ann");
}

TEST_F(DataTest, UpdatesBeforeTheScheduleDoNotCount) {
  ASSERT_TRUE(ask(TouchDataset{"s3://lake/a", "ann"}));
  put(kConsumer, "c.yaml");
  ASSERT_TRUE(ask(TouchDataset{"s3://lake/b", "ann"}));
  EXPECT_TRUE(runs_of("c").empty());
  ASSERT_TRUE(ask(TouchDataset{"s3://lake/a", "ann"}));
  EXPECT_EQ(runs_of("c").size(), 1U);
}

TEST_F(DataTest, APausedScheduleFiresOnceWhenItGoesOn) {
  put("dag: c\nschedule: {datasets: [\"s3://a\"]}\ntasks: {t: {noop: true}}\n", "c.yaml");
  ASSERT_TRUE(ask(PauseDag{DagId("c"), true}));
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(ask(TouchDataset{"s3://a", "ann"}));
  EXPECT_TRUE(runs_of("c").empty());
  ASSERT_TRUE(ask(PauseDag{DagId("c"), false}));
  drive();
  EXPECT_EQ(runs_of("c").size(), 1U);
}

TEST_F(DataTest, AWaitForADatasetTakesUpdatesSinceItsRunWasMade) {
  put("dag: d\ntasks: {w: {wait: {dataset: \"s3://a\"}}}\n");
  ASSERT_TRUE(ask(TouchDataset{"s3://a", "ann"}));
  clock.advance_to(at_second(10));
  const RunId id = go();
  EXPECT_EQ(task(id, "w").state, TaskState::Waiting);
  die();
  boot();
  ASSERT_TRUE(ask(TouchDataset{"s3://a", "bob"}));
  EXPECT_EQ(run(id).state, RunState::Success);
  EXPECT_EQ(task(id, "w").outputs.get_string("uri"), "s3://a");
}

constexpr const char* kCached =
    "dag: d\nparams: {n: {default: 1}}\ntasks:\n  a: {run: 'true', env: {LR: \"${{ vars.LR }}\"}, outputs: {loss: "
    "number}, "
    "cache: {key: [\"${{ vars.DATA }}\"]}, set_vars: {LOSS: \"${{ outputs.loss }}\"}}\n  b: {needs: a, run: 'true'}\n";

class CacheTest : public DataTest {
 protected:
  void SetUp() override {
    DataTest::SetUp();
    ASSERT_TRUE(ask(SetVar{"LR", Value(1)}));
    ASSERT_TRUE(ask(SetVar{"DATA", Value("v1")}));
    put(kCached);
    scripts["a"].output = R"({"loss": 0.5})";
  }
  [[nodiscard]] std::string missed(const RunId& id) const {
    const run::Attempt* attempt = run(id).last_attempt(key_of("a"));
    return attempt == nullptr ? "no attempt" : attempt->rendered.find("cache")->get_string("missed");
  }
};

TEST_F(CacheTest, TheSameIsNotDoneTwice) {
  const RunId first = go();
  EXPECT_EQ(missed(first), "the task has not succeeded with `cache` before");
  ASSERT_TRUE(ask(SetVar{"LOSS", std::nullopt}));
  die();
  boot();
  const RunId second = go();
  EXPECT_EQ(task(second, "a").attempts, 0);
  EXPECT_EQ(task(second, "a").cached, (AttemptId{first, key_of("a"), 1}));
  EXPECT_EQ(task(second, "a").reason.rfind("cached: the same as " + first.str() + "/a/1 at ", 0), 0U);
  EXPECT_EQ(task(second, "a").outputs.dump(), R"({"loss":0.5})");
  EXPECT_EQ(disk->vars.find("LOSS")->dump(), "0.5");
  EXPECT_EQ(run(second).state, RunState::Success);
}

TEST_F(CacheTest, WhatDiffersIsNamed) {
  const RunId first = go();
  const std::string before = "differs from " + first.str() + "/a/1 in ";
  ASSERT_TRUE(ask(SetVar{"LR", Value(2)}));
  EXPECT_EQ(missed(go()), before + "env.LR");
  ASSERT_TRUE(ask(SetVar{"LR", Value(1)}));
  EXPECT_EQ(missed(go()), "no attempt");
  EXPECT_NE(missed(go(Value::Object{{"n", 2}})).find("params.n"), std::string::npos);
  ASSERT_TRUE(ask(SetVar{"DATA", Value("v2")}));
  EXPECT_NE(missed(go()).find("key"), std::string::npos);
}

TEST_F(CacheTest, FailuresAreNotKept) {
  scripts["a"].exit_code = 1;
  go();
  scripts["a"].exit_code = 0;
  EXPECT_EQ(missed(go()), "the task has not succeeded with `cache` before");
}

TEST_F(CacheTest, WhoAsksToRunAgainGetsIt) {
  go();
  scripts["b"].exit_code = 1;
  const RunId id = go();
  ASSERT_EQ(run(id).state, RunState::Failed);
  EXPECT_EQ(task(id, "a").attempts, 0);
}

TEST_F(CacheTest, AnImageWithoutADigestIsNotKept) {
  put("dag: d\ntasks:\n  a: {run: 'true', image: \"x:1\", cache: {}}\n");
  go();
  const RunId id = go();
  EXPECT_EQ(run(id).last_attempt(key_of("a"))->rendered.find("cache")->get_string("off"),
            "the image x:1 has no digest");
  EXPECT_TRUE(disk->cached.empty());
}

TEST_F(DataTest, WithinComparesWithTheSuccessBefore) {
  put("dag: d\ntasks:\n  a: {run: 'true', outputs: {rows: number}, check: {rows: {within: 0.1}}}\n");
  const auto result = [&](const char* output) {
    scripts["a"].output = output;
    return task(go(), "a");
  };
  EXPECT_EQ(result(R"({"rows": 100})").state, TaskState::Success);
  EXPECT_EQ(result(R"({"rows": 110})").state, TaskState::Success);
  EXPECT_EQ(result(R"({"rows": 90})").reason, "output `rows` is 90, more than 0.1 of 110 (the success before) away");
  EXPECT_EQ(result(R"({"rows": 100})").state, TaskState::Success);
}

TEST_F(DataTest, ParametersFromAFileArePartOfTheVersion) {
  const auto put_with = [&](const std::string& json) {
    DagFile file{"d.yaml", "dag: d\nparams: {n: {type: integer}}\nparams_from: p.json\ntasks: {a: {run: 'true'}}\n"};
    file.beside = {{"p.json", json}};
    ASSERT_TRUE(ask(DagFolder{{file}, false}));
  };
  put_with(R"({"n": 1})");
  const RunId first = go();
  put_with(R"({"n": 2})");
  die();
  boot();
  const RunId second = go();
  EXPECT_EQ(run(first).header.params.get_int("n"), 1);
  EXPECT_EQ(run(second).header.params.get_int("n"), 2);
  EXPECT_NE(run(first).header.version, run(second).header.version);
  put_with(R"({"m": 2})");
  EXPECT_NE(disk->dags.at(DagId("d")).error.find("unknown-param"), std::string::npos);
}

}  // namespace
}  // namespace slipway::engine
