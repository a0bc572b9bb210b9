#include <gmock/gmock.h>

#include <array>

#include "dag/support.h"

namespace slipway::dag {
namespace {

using test::codes;
using test::parse_ok;
using testing::ElementsAre;

std::vector<std::string> needs_of(const Dag& dag, const std::string& id) {
  std::vector<std::string> needs;
  for (const TaskId& need : dag.find(TaskId(id))->needs) needs.push_back(need.str());
  return needs;
}

TEST(Defaults, MergeMapsReplaceTheRestAndNullRemoves) {
  const Dag dag = parse_ok(R"(
dag: d
env: {A: dag, B: dag, C: dag}
secrets: [S1]
defaults:
  env: {B: default, C: default, D: default}
  retry: {limit: 2, delay: 5s}
  timeout: 1h
  outputs: {loss: number}
  secrets: [S2]
tasks:
  a: {run: x}
  b:
    run: x
    env: {C: task, D: null}
    retry: {limit: 7}
    timeout: null
    outputs: {model: string}
    secrets: [S3]
)");
  const Task& a = *dag.find(TaskId("a"));
  const Task& b = *dag.find(TaskId("b"));
  EXPECT_EQ(a.env.at("A").text + a.env.at("B").text + a.env.at("D").text, "dagdefaultdefault");
  EXPECT_EQ(b.env.at("A").text + b.env.at("B").text + b.env.at("C").text, "dagdefaulttask");
  EXPECT_FALSE(b.env.contains("D"));
  EXPECT_EQ(b.retry.limit, 7);
  EXPECT_EQ(b.retry.delay, std::chrono::seconds(5));
  EXPECT_EQ(a.timeout, std::chrono::hours(1));
  EXPECT_EQ(b.timeout, Duration(0));
  EXPECT_TRUE(a.outputs.contains("loss") && b.outputs.contains("loss") && b.outputs.contains("model"));
  EXPECT_THAT(a.secrets, ElementsAre("S1", "S2"));
  EXPECT_THAT(b.secrets, ElementsAre("S1", "S3"));
}

TEST(Defaults, ThatDoNotApplyToATasksKindAreIgnored) {
  const Dag dag = parse_ok(R"(
dag: d
defaults: {image: "python:3", env: {A: b}, retry: {limit: 3}, priority: 5, needs: first}
tasks:
  first: {run: x}
  gate: {noop: true}
)");
  const Task& gate = *dag.find(TaskId("gate"));
  EXPECT_EQ(gate.kind, TaskKind::Noop);
  EXPECT_TRUE(gate.env.empty());
  EXPECT_EQ(gate.retry.limit, 0);
  EXPECT_EQ(gate.priority, 5);
  EXPECT_THAT(needs_of(dag, "gate"), ElementsAre("first"));
  EXPECT_TRUE(needs_of(dag, "first").empty());
}

TEST(Defaults, GiveAKindToTasksThatWriteNone) {
  const Dag dag = parse_ok("dag: d\ndefaults: {run: echo hi}\ntasks: {a: {env: {X: y}}, b: {noop: true}, c: null}\n");
  EXPECT_EQ(dag.tasks[0].kind, TaskKind::Run);
  EXPECT_EQ(dag.tasks[0].run.words[0].text, "echo hi");
  EXPECT_EQ(dag.tasks[1].kind, TaskKind::Noop);
  EXPECT_EQ(dag.tasks[2].kind, TaskKind::Run);
}

TEST(Tasks, TakeTheirFieldsFromTheFile) {
  const Dag dag = parse_ok(R"(
dag: d
tasks:
  a:
    description: one
    run: [sleep, 5, 1.10, true]
    timeout: 1h30m
    grace: 5s
    priority: -3
    continue_on_error: true
    trigger_rule: all_done
    workdir: /srv
    retry: {limit: 3, backoff: 1.5, max_delay: 1m, infra_limit: 0, timeouts: true, lost_after: 2h}
    exit_codes: {retry: [75], skip: [99], fail: [1, 2]}
    outputs: {loss: number, name: any}
    check: {loss: {max: 1.5, severity: warn}, name: {equals: best}}
)");
  const Task& a = dag.tasks.at(0);
  EXPECT_FALSE(a.run.shell);
  EXPECT_EQ(a.run.words.at(1).text + a.run.words.at(2).text + a.run.words.at(3).text, "51.10true");
  EXPECT_EQ(to_text(a.timeout) + to_text(a.grace) + to_text(a.retry.max_delay), "1h30m5s1m");
  EXPECT_EQ(a.priority, -3);
  EXPECT_TRUE(a.continue_on_error && a.retry.timeouts);
  EXPECT_EQ(a.trigger_rule, TriggerRule::AllDone);
  EXPECT_EQ(a.workdir->text, "/srv");
  EXPECT_EQ(a.retry.limit, 3);
  EXPECT_EQ(a.retry.backoff, 1.5);
  EXPECT_EQ(a.retry.infra_limit, 0);
  EXPECT_EQ(a.retry.lost_after, std::chrono::hours(2));
  EXPECT_THAT(a.exit_codes.retry, ElementsAre(75));
  EXPECT_THAT(a.exit_codes.skip, ElementsAre(99));
  EXPECT_THAT(a.exit_codes.fail, ElementsAre(1, 2));
  EXPECT_EQ(a.checks.at(0).max, 1.5);
  EXPECT_TRUE(a.checks.at(0).warn_only);
  EXPECT_EQ(a.checks.at(1).equals, Value("best"));
}

TEST(Tasks, ServicesHaveTheirOwnFields) {
  const Dag dag = parse_ok(R"(
dag: d
tasks:
  web:
    service:
      name: sentiment
      run: serve --port 8000
      port: 8000
      smoke: {post: /generate, json: {prompt: hi, n: 3}, expect: OK}
      rollout_timeout: 5m
      deploy_on_backfill: true
)");
  const Service& service = dag.tasks.at(0).service.value();
  EXPECT_EQ(service.name.str(), "sentiment");
  EXPECT_TRUE(service.run.shell);
  EXPECT_EQ(service.port, 8000);
  EXPECT_EQ(service.health, "/health");
  EXPECT_TRUE(service.smoke->post);
  EXPECT_EQ(service.smoke->json.dump(), R"({"n":3,"prompt":"hi"})");
  EXPECT_EQ(service.rollout_timeout, std::chrono::minutes(5));
  EXPECT_TRUE(service.deploy_on_backfill);
}

TEST(Tasks, TemplatesKnowWhereTheyStand) {
  const Dag dag = parse_ok("dag: d\ntasks:\n  a:\n    run: |\n      one\n      two\n    env: {X: \"text\"}\n");
  EXPECT_EQ(dag.tasks[0].run.words[0].span, (SourceSpan{5, 7, 6, 10}));
  EXPECT_EQ(dag.tasks[0].env.at("X").span.column, 15);
  EXPECT_EQ(dag.tasks[0].span, (SourceSpan{3, 3, 3, 4}));
}

TEST(TopLevel, FieldsAreRead) {
  const Dag dag = parse_ok(R"(
dag: top
description: text
doc: "**Markdown**"
owner: ml
tags: [a, b]
run_result: leaves
max_active_runs: 3
max_active_tasks: 7
timeout: 3h
paused_on_create: true
tasks: {a: {noop: true}}
)");
  EXPECT_EQ(dag.id.str() + dag.description + dag.doc + dag.owner, "toptext**Markdown**ml");
  EXPECT_THAT(dag.tags, ElementsAre("a", "b"));
  EXPECT_EQ(dag.run_result, RunResultRule::Leaves);
  EXPECT_EQ(dag.max_active_runs, 3);
  EXPECT_EQ(dag.max_active_tasks, 7);
  EXPECT_EQ(dag.timeout, std::chrono::hours(3));
  EXPECT_TRUE(dag.paused_on_create);
}

TEST(Schedules, AreOneTextOneMapOrAList) {
  EXPECT_TRUE(parse_ok("dag: d\ntasks: {a: {noop: true}}\n").schedules.empty());
  const Dag text = parse_ok("dag: d\nschedule: \"@daily\"\ntasks: {a: {noop: true}}\n");
  EXPECT_EQ(text.schedules.at(0).cron, *parse_cron("@daily"));
  EXPECT_EQ(text.schedules.at(0).params, Value(Value::Object{}));
  const Dag list = parse_ok(R"(
dag: d
params: {n: {type: integer, default: 1}}
schedule:
  - {cron: "0 6 * * 1-5", timezone: Europe/Paris, start: 2024-11-01, end: 2024-11-30T12:00:00Z, grace: 5m, missed: all,
     max_missed: 9, overlap: skip, name: workdays, params: {n: 2.0}}
  - {every: 6h}
  - {cron: "@continuous", name: always}
tasks: {a: {run: [x, "${{ params.n }}"]}}
)");
  const Schedule& first = list.schedules.at(0);
  EXPECT_EQ(first.name, "workdays");
  EXPECT_EQ(slipway::to_rfc3339(*first.start), "2024-10-31T23:00:00.000000Z")
      << "a date is midnight by the zone's clocks";
  EXPECT_EQ(slipway::to_rfc3339(*first.end), "2024-11-30T12:00:00.000000Z");
  EXPECT_EQ(first.grace, std::chrono::minutes(5));
  EXPECT_EQ(first.missed, Missed::All);
  EXPECT_EQ(first.max_missed, 9);
  EXPECT_EQ(first.overlap, Overlap::Skip);
  EXPECT_EQ(first.params.dump(), R"({"n":2})");
  EXPECT_EQ(list.schedules.at(1).kind, ScheduleKind::Every);
  EXPECT_EQ(list.schedules.at(1).every, std::chrono::hours(6));
  EXPECT_EQ(list.schedules.at(2).kind, ScheduleKind::Continuous);
}

TEST(Schedules, ADateOnADayOfClockChangesIsStillMidnight) {
  const auto start = [](const std::string& zone, const std::string& date) {
    const Dag dag = parse_ok("dag: d\nschedule: {cron: \"@daily\", timezone: " + zone + ", start: " + date +
                             "}\ntasks: {a: {noop: true}}\n");
    return slipway::to_rfc3339(*dag.schedules.at(0).start);
  };
  EXPECT_EQ(start("Europe/Paris", "2024-03-31"), "2024-03-30T23:00:00.000000Z");
  EXPECT_EQ(start("Europe/Paris", "2024-10-27"), "2024-10-26T22:00:00.000000Z");
  EXPECT_EQ(start("America/New_York", "2024-03-10"), "2024-03-10T05:00:00.000000Z");
  EXPECT_EQ(start("Pacific/Auckland", "2024-04-07"), "2024-04-06T11:00:00.000000Z");
}

TEST(Schedules, KeepTheirDefaultNameWhileKindExpressionAndZoneStay) {
  const auto name = [](const std::string& entry) {
    return parse_ok("dag: d\nschedule: {" + entry + "}\ntasks: {a: {noop: true}}\n").schedules.at(0).name;
  };
  const auto daily = name("cron: \"@daily\"");
  EXPECT_EQ(daily, name("cron: \"@daily\", missed: all, overlap: skip, start: 2024-11-01"));
  EXPECT_NE(daily, name("cron: \"@daily\", timezone: Europe/Paris"));
  EXPECT_NE(daily, name("cron: \"@weekly\""));
  EXPECT_NE(name("every: 1h"), name("every: 2h"));
  EXPECT_TRUE(is_id(daily)) << daily;
}

TEST(Links, OrderIsTopologicalWithTiesInFileOrder) {
  const Dag dag = parse_ok(R"(
dag: d
tasks:
  last: {noop: true, needs: [left, right]}
  right: {noop: true, needs: [first, first]}
  left: {noop: true, needs: first}
  first: {noop: true}
  alone: {noop: true}
)");
  EXPECT_THAT(dag.order, ElementsAre(3, 1, 2, 0, 4));
  EXPECT_THAT(dag.downstream_of(3), ElementsAre(1, 2));
  EXPECT_THAT(needs_of(dag, "last"), ElementsAre("right", "left")) << "in file order of the tasks";
  EXPECT_THAT(needs_of(dag, "right"), ElementsAre("first"));
  EXPECT_EQ(dag.index_of(TaskId("left")), 2);
  EXPECT_EQ(dag.index_of(TaskId("nobody")), -1);
  EXPECT_EQ(dag.find(TaskId("nobody")), nullptr);
}

TEST(Links, AGroupStandsForItsTasks) {
  const Dag dag = parse_ok(R"(
dag: d
groups: {load: {tasks: [a, b], needs: setup}}
tasks: {setup: {noop: true}, a: {noop: true}, b: {noop: true}, c: {noop: true, needs: load}}
)");
  EXPECT_THAT(needs_of(dag, "c"), ElementsAre("a", "b"));
  EXPECT_THAT(needs_of(dag, "a"), ElementsAre("setup"));
}

TEST(Links, OnlyTheFirstCyclesAndNamesAreSearched) {
  std::string text = "dag: d\ntasks:\n";
  for (int i = 0; i < 100; ++i)
    text += "  t" + std::to_string(i) + ": {noop: true, needs: [t" + std::to_string(i) + ", q]}\n";
  const auto result = parse({"t.yaml", text});
  const auto& items = result.diagnostics.items();
  EXPECT_EQ(std::count_if(items.begin(), items.end(), [](const auto& d) { return d.code == "cycle"; }), 20);
  EXPECT_EQ(std::count_if(items.begin(), items.end(), [](const auto& d) { return d.code == "unknown-task"; }), 100);
}

TEST(Names, ReachThroughSeveralTasks) {
  EXPECT_EQ(codes(R"(
dag: d
tasks:
  a: {run: x, outputs: {n: integer}}
  b: {noop: true, needs: a}
  c: {noop: true, needs: b}
  d: {run: "echo ${{ tasks.a.outputs.n }} ${{ tasks.b.state == 'success' }} ${{ tasks.c.attempts }}", needs: c}
)"),
            "");
}

TEST(Names, ReachAlongLongChainsAndNoFurther) {
  std::string text = "dag: d\ntasks:\n  side: {noop: true}\n  t0: {noop: true}\n";
  for (int i = 1; i < 300; ++i)
    text += "  t" + std::to_string(i) + ": {noop: true, needs: t" + std::to_string(i - 1) + "}\n";
  const auto last = [&](const std::string& name) {
    return text + "  last: {run: \"echo ${{ tasks." + name + ".attempts }}\", needs: t299}\n";
  };
  EXPECT_EQ(codes(last("t0")), "");
  EXPECT_EQ(codes(last("t298")), "");
  EXPECT_EQ(codes(last("side")), "unreachable-name");
}

TEST(Names, AServiceLeavesItsAddress) {
  const std::string dag =
      "dag: d\ntasks:\n  w: {service: {name: w, run: [x], port: 1}}\n  t: {needs: w, run: [curl, \"${{ "
      "tasks.w.outputs.";
  EXPECT_EQ(codes(dag + "url }}\"]}\n"), "");
  EXPECT_EQ(codes(dag + "ulr }}\"]}\n"), "unknown-name");
}

TEST(Shell, OnlyWhatAShellReadsAsCodeIsRefused) {
  const auto with = [](const std::string& run) {
    return codes(
        "dag: d\nparams: {s: {type: string, default: x}, n: {type: integer, default: 1}, any: {default: 1}}\n"
        "tasks: {a: {run: " +
        run + ", env: {S: \"${{ params.s }}\", N: \"${{ params.n }}\", ANY: \"${{ params.any }}\"}}}\n");
  };
  EXPECT_EQ(with("'echo ${{ params.n }}'"), "");
  EXPECT_EQ(with("'echo ${{ params.s }}'"), "expr-in-shell");
  EXPECT_EQ(with("'echo ${{ params.any }}'"), "expr-in-shell");
  EXPECT_EQ(with("'${{ params.s }} ${{ params.any }}'"), "expr-in-shell expr-in-shell");
  EXPECT_EQ(with("[echo, \"${{ params.s }}\"]"), "");
  EXPECT_EQ(with("[sh, -c, \"echo ${{ params.s }}\"]"), "expr-in-shell");
  EXPECT_EQ(with("[/bin/bash, -euo, pipefail, -c, \"echo ${{ params.s }}\"]"), "expr-in-shell");
  EXPECT_EQ(with("[bash, -lc, 'echo $0', \"${{ params.s }}\"]"), "");
  EXPECT_EQ(with("[bash, script.sh, \"${{ params.s }}\"]"), "");
}

TEST(Params, ReadThroughTheEnvironmentAreUsed) {
  EXPECT_EQ(codes("dag: d\nparams: {n: {default: 1}}\ntasks: {a: {run: 'echo $SLIPWAY_PARAM_N'}}\n"), "");
  EXPECT_EQ(codes("dag: d\nparams: {n: {default: 1}}\ntasks: {a: {run: 'echo'}}\n"), "unused-param");
}

TEST(Pools, TasksNameOneOrHaveTheDags) {
  const Dag dag = parse_ok(R"(
dag: d
pool: gpu
priority_class: low
weight: 2.5
defaults: {slots: 2}
tasks:
  a: {run: x}
  b: {run: x, pool: default, slots: 3}
  web: {service: {name: w, run: [serve], port: 8000}}
)");
  EXPECT_EQ(dag.priority_class, PriorityClass::Low);
  EXPECT_EQ(dag.weight, 2.5);
  EXPECT_EQ(dag.tasks[0].pool, PoolId("gpu"));
  EXPECT_EQ(dag.tasks[0].slots, 2);
  EXPECT_EQ(dag.tasks[1].pool, PoolId("default"));
  EXPECT_EQ(dag.tasks[1].slots, 3);
  EXPECT_EQ(dag.tasks[2].slots, 1) << "a service holds none, so the default does not reach it";
  const Dag plain = parse_ok("dag: d\ntasks: {a: {run: x}}\n");
  EXPECT_EQ(plain.tasks[0].pool, PoolId("default"));
  EXPECT_EQ(plain.priority_class, PriorityClass::Normal);
  EXPECT_EQ(plain.weight, 1);
}

TEST(Pools, BadValuesAreRefused) {
  EXPECT_EQ(codes("dag: d\nweight: 0\ntasks: {a: {run: x}}\n"), "bad-value");
  EXPECT_EQ(codes("dag: d\npriority_class: urgent\ntasks: {a: {run: x}}\n"), "bad-value");
  EXPECT_EQ(codes("dag: d\ntasks: {a: {run: x, pool: A b}}\n"), "bad-value");
  EXPECT_EQ(codes("dag: d\ntasks: {a: {run: x, slots: 0}}\n"), "bad-value");
  EXPECT_EQ(codes("dag: d\ntasks: {a: {service: {name: w, run: [s], port: 80}, pool: gpu}}\n"), "wrong-kind");
}

TEST(Places, InAFoldedTextTheWholeIsPointedAt) {
  const auto span_of = [](const std::string& run) {
    const auto parsed = parse({"f.yaml", "dag: d\ntasks:\n  a:\n    run: " + run + "\n"});
    EXPECT_EQ(parsed.diagnostics.items().size(), 1U);
    const SourceSpan at = parsed.diagnostics.items().front().span;
    return std::array{at.line, at.column, at.end_line, at.end_column};
  };
  EXPECT_EQ(span_of("\"echo\n      ${{ params.x }}\""), (std::array{4, 11, 5, 23}));
  EXPECT_EQ(span_of(">\n      echo\n      ${{ params.x }}")[0], 5);
  EXPECT_EQ(span_of("|\n      echo\n      ${{ params.x }}"), (std::array{6, 11, 6, 19})) << "a block is exact";
  EXPECT_EQ(span_of("\"echo ${{ params.x }}\""), (std::array{4, 20, 4, 28})) << "a line, too";
}

TEST(Limits, TooManyTasks) {
  std::string text = "dag: d\ntasks:\n";
  for (int i = 0; i < 20'001; ++i) text += "  t" + std::to_string(i) + ": {noop: true}\n";
  EXPECT_EQ(codes(text), "too-many-tasks");
}

TEST(Limits, TenThousandTasksAreLinkedAndChecked) {
  std::string text = "dag: d\ndefaults: {env: {A: \"${{ run.id }}\"}}\ntasks:\n  t0: {run: x, outputs: {n: integer}}\n";
  for (int i = 1; i < 10'000; ++i)
    text += "  t" + std::to_string(i) + ": {run: [echo, \"${{ tasks.t0.state == 'x' }}\", done], needs: t" +
            std::to_string(i - 1) + "}\n";
  const Dag dag = parse_ok(text);
  ASSERT_EQ(dag.order.size(), 10'000U);
  EXPECT_EQ(dag.order.back(), 9'999);
  EXPECT_EQ(needs_of(dag, "t9999").at(0), "t9998");
}

TEST(Manifest, HasApiVersionAndKindAtTheTop) {
  EXPECT_TRUE(is_manifest({"m", "apiVersion: v1\nkind: Service\n---\nkind: Pod\n"}));
  EXPECT_FALSE(is_manifest({"m", "dag: d\ntasks:\n  a:\n    kind: x\n"}));
  EXPECT_FALSE(is_manifest({"m", "kind: x"}));
  EXPECT_FALSE(is_manifest({"m", ""}));
}

TEST(Draw, GraphvizHasEveryTaskAndEdge) {
  const Dag dag = parse_ok("dag: d\ntasks: {a: {noop: true}, b.1: {noop: true, needs: a}}\n");
  EXPECT_EQ(draw_dot(dag),
            "digraph \"d\" {\n  rankdir=LR;\n  node [shape=box, style=rounded];\n  \"a\";\n  \"b.1\";\n  \"a\" -> "
            "\"b.1\";\n}\n");
}

}  // namespace
}  // namespace slipway::dag
