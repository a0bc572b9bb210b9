// Tasks without a command, and the fields that speak of data.
#include <gtest/gtest.h>

#include "dag/support.h"

namespace slipway::dag {
namespace {

using test::codes;
using test::parse_ok;

TEST(Waits, EachKindIsRead) {
  const Dag dag = parse_ok(
      "dag: d\ntasks:\n  a: {wait: {for: 90s}, timeout: 5m}\n  b: {wait: {until: 2024-11-01}}\n"
      "  c: {wait: {file: \"file:///x\", poll: 5s}}\n  d: {wait: {http: \"https://x\"}}\n  e: {wait: {run: \"${{ "
      "run.id }}\"}}\n  f: {wait: {dataset: \"s3://a\"}}\n");
  EXPECT_EQ(dag.tasks.at(0).wait->duration, std::chrono::seconds(90));
  EXPECT_EQ(dag.tasks.at(0).timeout, std::chrono::minutes(5));
  EXPECT_EQ(dag.tasks.at(2).wait->poll, std::chrono::seconds(5));
  EXPECT_EQ(dag.tasks.at(3).wait->poll, std::chrono::seconds(30));
  std::string kinds;
  for (const Task& task : dag.tasks) kinds += std::string(kWaitKinds.text(task.wait->kind)) + " ";
  EXPECT_EQ(kinds, "for until file http run dataset ");
}

TEST(Approve, HasAMessagePeopleAndAForm) {
  const Dag dag = parse_ok(
      "dag: d\ntasks:\n  a: {approve: {message: go now, by: [ann, bob], fields: {n: {type: integer}}}}\n  b: {approve: "
      "{}}\n");
  EXPECT_EQ(dag.tasks.at(0).approve->by, (std::vector<std::string>{"ann", "bob"}));
  EXPECT_EQ(dag.tasks.at(0).approve->fields.at(0).type, ValueType::Integer);
  EXPECT_TRUE(dag.tasks.at(1).approve->fields.empty());
}

TEST(SubDag, IsAnIdOrAMap) {
  const Dag dag = parse_ok("dag: d\ntasks:\n  a: {dag: other}\n  b: {dag: {id: other, params: {n: 1}}}\n");
  EXPECT_EQ(dag.tasks.at(0).sub_dag->id, DagId("other"));
  EXPECT_EQ(dag.tasks.at(1).sub_dag->params.get_int("n"), 1);
}

TEST(Data, FieldsAreRead) {
  const Dag dag = parse_ok(
      "dag: d\nvars: {A: [1]}\nschedule: {datasets: [\"s3://b\", \"s3://a\", \"s3://b\"]}\ntasks:\n  a:\n    run: "
      "'true'\n"
      "    produces: \"s3://c\"\n    consumes: [\"s3://a\", \"s3://b\"]\n    cache: {key: [\"${{ run.ds }}\"]}\n"
      "    outputs: {n: number, t: object}\n    set_vars: {N: \"${{ outputs.n }}\"}\n"
      "    check: {n: {within: 0.5}, t: {missing: 0, rows: 7, drift: 1.5}}\n");
  EXPECT_EQ(dag.vars.at("A").dump(), "[1]");
  EXPECT_EQ(dag.schedules.at(0).kind, ScheduleKind::Datasets);
  EXPECT_EQ(dag.schedules.at(0).datasets, (std::vector<std::string>{"s3://a", "s3://b"}));
  const Task& task = dag.tasks.at(0);
  EXPECT_EQ(task.produces.at(0).text, "s3://c");
  EXPECT_EQ(task.consumes.size(), 2U);
  EXPECT_EQ(task.cache->key.size(), 1U);
  EXPECT_EQ(task.set_vars.get_string("N"), "${{ outputs.n }}");
  EXPECT_EQ(task.checks.at(0).within, 0.5);
  EXPECT_EQ(task.checks.at(1).rows, 7);
}

// What a DAG with this file of defaults says; the default of `n` where it is valid.
std::string with_defaults(const std::string& json, const std::string& params = "{n: {type: integer, default: 1}}") {
  const SourceText source{"t.yaml", "dag: d\nparams: " + params + "\nparams_from: p.json\ntasks: {a: {run: 'true'}}\n"};
  EXPECT_EQ(companion_names(source), std::vector<std::string>{"p.json"});
  const auto result = parse(source, {{"p.json", json}});
  for (const auto& diagnostic : result.diagnostics.items())
    if (diagnostic.severity == Severity::Error) return diagnostic.code;
  return result.value->params.at(0).default_value->dump();
}

TEST(ParamsFrom, ReplacesDefaults) {
  EXPECT_EQ(with_defaults(R"({"n": 7})"), "7");
  EXPECT_EQ(with_defaults("{}"), "1");
  EXPECT_EQ(with_defaults(R"({"n": 7})", "{n: {required: true}}"), "7");
}

TEST(ParamsFrom, ABadFileIsReported) {
  EXPECT_EQ(with_defaults(R"({"n": "x"})"), "bad-default");
  EXPECT_EQ(with_defaults(R"({"m": 1})"), "unknown-param");
  EXPECT_EQ(with_defaults("[1]"), "bad-params-from");
  EXPECT_EQ(with_defaults("{"), "bad-params-from");
  EXPECT_EQ(with_defaults(R"({"n": 1, "n": 2})"), "bad-params-from");
  EXPECT_EQ(codes("dag: d\nparams_from: ../p.json\ntasks: {a: {noop: true}}\n"), "bad-path");
  EXPECT_EQ(codes("dag: d\nparams_from: p.json\ntasks: {a: {noop: true}}\n"), "missing-file");
  EXPECT_TRUE(companion_names({"t", "dag: d\nparams_from: ../p.json\n"}).empty());
}

TEST(ParamsFrom, IsPartOfTheVersion) {
  const SourceText source{"t.yaml", "dag: d\n"};
  EXPECT_EQ(version_of(source, {}), version_of(source, {}));
  EXPECT_NE(version_of(source, {}), version_of(source, {{"p.json", "{}"}}));
  EXPECT_NE(version_of(source, {{"p.json", "{}"}}), version_of(source, {{"p.json", "{} "}}));
}

}  // namespace
}  // namespace slipway::dag
