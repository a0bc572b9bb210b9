#include "slipway/engine/preview.h"

#include <gtest/gtest.h>

#include "slipway/dag/parse.h"

namespace slipway::engine {
namespace {

// The fields of task `a`, as "path = text", with "?names" or "!error" behind it.
std::vector<std::string> fields(const std::string& lines, Value given = Value::Object{}, Value vars = Value::Object{},
                                const std::string& folder = "/srv/dags") {
  const SourceText source{"d.yaml", "dag: d\n" + lines};
  const auto parsed = dag::parse(source);
  EXPECT_TRUE(parsed.value) << (parsed.diagnostics.empty() ? "" : render(parsed.diagnostics.items().front(), source));
  if (!parsed.value) return {};
  const auto params = dag::resolve_params(*parsed.value, given);
  EXPECT_TRUE(params.value);
  const auto tasks = preview({*parsed.value, *params.value, vars, folder, *parse_rfc3339("2024-11-01T12:00:00Z")});
  std::vector<std::string> out;
  for (const PreviewTask& task : tasks) {
    if (task.id.str() != "a") continue;
    for (const PreviewField& field : task.fields) {
      out.push_back(field.path + " = " + field.text);
      for (const std::string& name : field.unknown) out.back() += " ?" + name;
      if (!field.error.empty()) out.back() += " !" + field.error;
    }
  }
  return out;
}

using Lines = std::vector<std::string>;

TEST(Preview, RendersWhatIsKnown) {
  EXPECT_EQ(fields("params: {n: {type: integer, default: 2}}\n"
                   "tasks:\n  a: {run: [echo, 'n=${{ params.n }}', '${{ run.ds }}', '${{ dag.folder }}'],"
                   " workdir: 'w${{ params.n }}'}\n",
                   Value::Object{{"n", 7}}),
            (Lines{"run[0] = echo", "run[1] = n=7", "run[2] = 2024-11-01", "run[3] = /srv/dags", "workdir = w7"}));
}

TEST(Preview, LeavesWhatOnlyARunKnows) {
  EXPECT_EQ(
      fields(
          "tasks:\n  b: {run: 'true', outputs: {n: integer}}\n"
          "  a: {needs: b, run: ['${{ tasks.b.outputs.n }}-${{ run.id }}'], when: '${{ tasks.b.outputs.n > 1 }}'}\n"),
      (Lines{"when = ${{ tasks.b.outputs.n > 1 }} ?tasks.b.outputs.n",
             "run[0] = ${{ tasks.b.outputs.n }}-${{ run.id }} ?run.id ?tasks.b.outputs.n"}));
}

TEST(Preview, VariablesAreKnownWhereSomebodySaysThem) {
  const std::string text = "tasks:\n  a: {run: ['${{ vars.BUCKET }}']}\n";
  EXPECT_EQ(fields(text), (Lines{"run[0] = ${{ vars.BUCKET }} ?vars.BUCKET"}));
  EXPECT_EQ(fields(text, Value::Object{}, Value::Object{{"BUCKET", "b"}}), (Lines{"run[0] = b"}));
}

TEST(Preview, SecretsAreMasked) {
  EXPECT_EQ(fields("tasks:\n  a: {run: 'true', env: {AUTH: 'Bearer ${{ secrets.KEY }}'}}\n"),
            (Lines{"run = true", "env.AUTH = Bearer ***"}));
}

TEST(Preview, TheEnvironmentIsKnownToTheOthers) {
  EXPECT_EQ(fields("tasks:\n  a: {run: ['${{ env.A }}', '${{ env.B }}'], env: {A: x, B: '${{ run.id }}'}}\n"),
            (Lines{"run[0] = x", "run[1] = ${{ env.B }} ?env.B", "env.A = x", "env.B = ${{ run.id }} ?run.id"}));
}

TEST(Preview, TellsWhatCannotBeRendered) {
  const auto lines = fields(
      "params: {names: {type: array, default: [1]}}\n"
      "tasks:\n  a: {run: ['x${{ params.names[3] }}']}\n");
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_NE(lines[0].find(" !null-value:"), std::string::npos) << lines[0];
}

TEST(Preview, ListsAreShownAsJson) {
  const auto lines = fields(
      "params: {regions: {type: array, default: [eu, us]}}\n"
      "tasks:\n  a: {for_each: '${{ params.regions }}', run: [load, '${{ item }}']}\n");
  EXPECT_EQ(lines, (Lines{R"(for_each = ["eu","us"])", "run[0] = load", "run[1] = ${{ item }} ?item"}));
}

TEST(Preview, EveryKindOfTaskShowsItsTexts) {
  EXPECT_EQ(fields("tasks:\n  a: {wait: {file: '/in/${{ run.ds }}.csv'}}\n"),
            (Lines{"wait.file = /in/2024-11-01.csv"}));
  EXPECT_EQ(fields("tasks:\n  a: {dag: {id: other, params: {day: '${{ run.ds }}'}}}\n"),
            (Lines{"dag.params.day = 2024-11-01"}));
  EXPECT_EQ(
      fields(
          "tasks:\n  a:\n    service: {name: s, run: serve, port: 80, smoke: {post: /x, json: {q: ['${{ run.ds }}']}, "
          "expect: y}}\n"),
      (Lines{"service.run = serve", "service.smoke.json.q[0] = 2024-11-01"}));
}

TEST(Preview, APodIsWhatItWouldBe) {
  const auto parsed = dag::parse(
      {"d.yaml",
       "dag: d\ntasks:\n"
       "  up: {run: x, outputs: {n: integer}}\n"
       "  a: {needs: up, run: [go, '${{ run.ds }}', '${{ tasks.up.outputs.n }}'], image: 'i:1', workdir: sub,\n"
       "      env: {N: '${{ tasks.up.outputs.n }}'}, labels: {day: '${{ run.ds }}', n: '${{ tasks.up.outputs.n "
       "}}'}}\n"});
  ASSERT_TRUE(parsed.value);
  const PreviewInput input{*parsed.value, Value(Value::Object{}), Value(Value::Object{}), "",
                           *parse_rfc3339("2024-11-01T12:00:00Z")};
  const exec::LaunchSpec spec = preview_pod(input, parsed.value->tasks[1], preview(input)[1]);
  EXPECT_EQ(spec.argv, (std::vector<std::string>{"go", "2024-11-01", "${{ tasks.up.outputs.n }}"}));
  EXPECT_EQ(spec.env.at("N"), "${{ tasks.up.outputs.n }}");
  EXPECT_EQ(spec.env.at("SLIPWAY_TASK"), "a");
  EXPECT_EQ(spec.workdir, "/slipway/workspace/sub");
  EXPECT_EQ(spec.pod->image, "i:1");
  EXPECT_EQ(spec.pod->labels, (std::map<std::string, std::string>{{"day", "2024-11-01"}}));
}

TEST(Preview, ManifestsAreRenderedAsFarAsTheyAreKnown) {
  const dag::Companions beside{{"m.yaml",
                                "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: w}\ndata: {day: '${{ run.ds }}', "
                                "id: '${{ run.id }}', k: v}\n"}};
  const auto parsed = dag::parse({"d.yaml", "dag: d\ntasks: {a: {apply: m.yaml}}\n"}, beside);
  ASSERT_TRUE(parsed.value);
  const PreviewInput input{*parsed.value, Value(Value::Object{}), Value(Value::Object{}), "",
                           *parse_rfc3339("2024-11-01T12:00:00Z")};
  const PreviewTask shown = preview(input)[0];
  ASSERT_EQ(shown.fields.size(), 2U) << "texts without expressions are not shown";
  EXPECT_EQ(shown.fields[0].path, "m.yaml.data.day");
  EXPECT_EQ(shown.fields[0].text, "2024-11-01");
  const exec::LaunchSpec spec = preview_pod(input, parsed.value->tasks[0], shown);
  ASSERT_TRUE(spec.rollout);
  EXPECT_EQ(spec.rollout->objects[0].find("data")->dump(),
            R"({"day":"2024-11-01","id":"${{ string( run.id ) }}","k":"v"})");
}

}  // namespace
}  // namespace slipway::engine
