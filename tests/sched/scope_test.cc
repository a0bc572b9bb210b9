#include "slipway/sched/scope.h"

#include <gtest/gtest.h>

#include "slipway/dag/parse.h"
#include "support/world.h"

namespace slipway::sched {
namespace {

using run::TaskState;
using test::make_dag;
using test::World;

// What templates with these texts see in a run of tasks a and b, a being done.
Value names(std::initializer_list<const char*> texts, dag::Dag dag = make_dag({{"a"}, {"b"}})) {
  World world;
  world.now = *parse_rfc3339("2024-07-01T22:30:00Z");
  world.snapshot.vars = Value::Object{{"x", 1}, {"y", 2}};
  world.add(std::move(dag));
  world.create("d", "r1", "nightly");
  world.settle();
  world.start("r1", "a");
  world.finish("r1", "a", TaskState::Success, Value::Object{{"n", 5}});
  std::vector<dag::Template> templates;
  for (const char* text : texts) templates.push_back({text, {}});
  std::vector<const dag::Template*> pointers;
  for (const dag::Template& text : templates) pointers.push_back(&text);
  return names_for(world.snapshot, world.snapshot.runs.at(RunId("r1")), pointers);
}

TEST(NamesFor, HoldsExactlyTheNamesThatFilesMayUse) {
  const Value value = names({});
  std::set<std::string> given;
  for (const auto& [name, member] : value.find("run")->as_object()) given.insert(name);
  EXPECT_EQ(given, std::set<std::string>(dag::kRunNames.begin(), dag::kRunNames.end()));
  EXPECT_EQ(value.find("dag")->dump(), R"({"folder":null,"id":"d","owner":""})");
}

TEST(NamesFor, CopiesOnlyWhatIsRead) {
  EXPECT_EQ(names({"plain"}).find("tasks")->dump(), "{}");
  EXPECT_EQ(names({"plain"}).find("vars")->dump(), "{}");
  const Value read = names({"${{ tasks.a.outputs.n }}", "x ${{ vars.y }} ${{ vars.unset }}"});
  EXPECT_EQ(read.find("tasks")->dump(), R"({"a":{"attempts":1,"outputs":{"n":5},"state":"success"}})");
  EXPECT_EQ(read.find("vars")->dump(), R"({"y":2})");
  EXPECT_EQ(names({"${{ len(vars) }}"}).find("vars")->dump(), R"({"x":1,"y":2})");
}

TEST(NamesFor, OutputsAreNullUnlessTheTaskSucceeded) {
  EXPECT_TRUE(names({"${{ tasks.b.outputs }}"}).find("tasks")->find("b")->find("outputs")->is_null());
}

TEST(NamesFor, DatesAreThoseOfTheScheduleZone) {
  dag::Dag dag = make_dag({{"a"}, {"b"}});
  dag::Schedule schedule;
  schedule.name = "nightly";
  schedule.kind = dag::ScheduleKind::Once;
  schedule.zone = *dag::load_time_zone("Europe/Paris");
  dag.schedules = {schedule};
  const Value run = *names({}, dag).find("run");
  EXPECT_EQ(run.get_string("ts"), "2024-07-02T00:30:00+02:00");
  EXPECT_EQ(run.get_string("ds"), "2024-07-02");
  EXPECT_EQ(run.get_string("ds_nodash"), "20240702");
  EXPECT_EQ(run.get_string("ts_nodash"), "20240702T003000");
}

}  // namespace
}  // namespace slipway::sched
