// Shapes that need no store: edge values of the bodies.
#include "api/bodies.h"

#include "api/api_fixture.h"

namespace slipway::api {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

store::DagRow row(bool paused) {
  return {.id = DagId("nightly"),
          .version = VersionId(),
          .paused = paused,
          .present = true,
          .cursors = {},
          .error = "nightly.yaml:1:1: error",
          .file = "nightly.yaml"};
}

std::vector<std::string> names_of(const Value& object) {
  std::vector<std::string> names;
  for (const auto& [name, value] : object.as_object()) names.push_back(name);
  return names;
}

dag::Dag with_schedules(std::vector<dag::Schedule> schedules) {
  dag::Dag dag;
  dag.id = DagId("nightly");
  dag.owner = "ml";
  dag.schedules = std::move(schedules);
  return dag;
}

dag::Schedule every(int hours) {
  dag::Schedule schedule;
  schedule.kind = dag::ScheduleKind::Every;
  schedule.every = std::chrono::hours(hours);
  return schedule;
}

TEST(Bodies, ADagTellsItsNextTick) {
  const Instant eleven = kNoon - std::chrono::hours(1);
  const auto next = [&](bool paused, const std::vector<dag::Schedule>& schedules) {
    const dag::Dag dag = with_schedules(schedules);
    return dag_line(row(paused), &dag, eleven).find("next")->dump();
  };
  EXPECT_EQ(next(false, {every(24), every(6)}), R"("2024-11-01T12:00:00.000000Z")");
  EXPECT_EQ(next(true, {every(6)}), "null");
  EXPECT_EQ(next(false, {}), "null");
  const dag::Dag dag = with_schedules({});
  EXPECT_EQ(dag_line(row(false), &dag, eleven).get_string("owner"), "ml");
  EXPECT_EQ(dag_line(row(false), nullptr, eleven).find("next"), nullptr);
}

// The two lists of docs/api.md that scripts rely on.
TEST(Bodies, ARunHasTheseFields) {
  Story story(header(1));
  const auto body = run_body(story.run, nullptr);
  EXPECT_THAT(names_of(body), ElementsAre("run", "tasks"));
  EXPECT_THAT(names_of(*body.find("run")),
              ElementsAre("dag", "ended_at", "failures", "id", "last_event", "logical_date", "params", "queued_at",
                          "resumed_from", "started_at", "state", "trigger", "version"));
  EXPECT_THAT(names_of(body.find("tasks")->as_array()[0]),
              ElementsAre("attempt", "class", "ended_at", "exit_code", "generation", "item", "map_index", "marked",
                          "outputs", "queued_at", "reason", "scheduled_at", "started_at", "state", "task"));
}

TEST(Bodies, WhatDidNotHappenIsNull) {
  Story story(header(1));
  const auto body = run_body(story.run, nullptr);
  for (const char* name : {"started_at", "ended_at"}) EXPECT_TRUE(body.find("run")->find(name)->is_null()) << name;
  const auto& task = body.find("tasks")->as_array()[0];
  for (const char* name : {"class", "scheduled_at", "queued_at", "started_at", "ended_at", "exit_code", "outputs"})
    EXPECT_TRUE(task.find(name)->is_null()) << name;
  EXPECT_EQ(task.get_int("attempt", -1), 0);
  EXPECT_EQ(task.get_int("map_index"), -1);
}

TEST(Bodies, TasksComeInTheOrderOfTheFile) {
  Story story(header(1));
  dag::Dag dag;
  dag.index = {{TaskId("train"), 0}, {TaskId("prepare"), 1}};
  dag.tasks.resize(2);
  std::vector<std::string> order;
  const auto body = run_body(story.run, &dag);
  for (const Value& task : body.find("tasks")->as_array())
    order.push_back(task.get_string("task") + std::to_string(task.get_int("map_index")));
  EXPECT_THAT(order, ElementsAre("train0", "train1", "prepare-1"));
}

TEST(Bodies, ATaskOfAGroupNamesIt) {
  Story story(header(1));
  dag::Dag dag;
  dag.index = {{TaskId("prepare"), 0}, {TaskId("train"), 1}};
  dag.tasks.resize(2);
  dag.tasks[0].id = TaskId("prepare");
  dag.tasks[1].id = TaskId("train");
  dag.groups = {{"first", {1}, 0, {}}, {"second", {1}, 0, {}}};
  std::vector<std::string> groups;
  const auto body = run_body(story.run, &dag);
  for (const Value& task : body.find("tasks")->as_array()) groups.push_back(task.get_string("group", "none"));
  EXPECT_THAT(groups, ElementsAre("none", "first", "first"));
}

TEST(Bodies, APageThatIsNotFullIsTheLast) {
  const store::RunSummary run{header(1), run::RunState::Queued, {}, {}, {}};
  EXPECT_TRUE(runs_body({}, 1).find("next")->is_null());
  EXPECT_TRUE(runs_body({run}, 2).find("next")->is_null());
  EXPECT_EQ(runs_body({run}, 1).get_string("next"), run_id(1).str());
}

TEST(Bodies, EventsSayWhereToGoOn) {
  EXPECT_EQ(events_body({}, 7).get_int("next"), 7);
  Story story(header(1));
  EXPECT_EQ(events_body(story.events, 0).get_int("next"), 1);
}

TEST(Bodies, AnInvalidDagShowsItsError) {
  const auto body = dag_body(row(false), nullptr, kNoon);
  const auto& dag = *body.find("dag");
  EXPECT_EQ(dag.get_string("error"), "nightly.yaml:1:1: error");
  EXPECT_TRUE(dag.find("version")->is_null());
  EXPECT_EQ(dag.find("tasks"), nullptr);
}

TEST(Bodies, SchedulesOfAPausedDagHaveNoNextTick) {
  dag::Schedule schedule;
  schedule.kind = dag::ScheduleKind::Every;
  schedule.every = std::chrono::hours(1);
  const auto active = schedule_value(row(false), schedule, kNoon, 2);
  EXPECT_EQ(active.get_string("kind"), "every");
  EXPECT_EQ(active.get_string("expression"), "1h");
  EXPECT_EQ(active.find("next")->dump(), R"(["2024-11-01T13:00:00.000000Z","2024-11-01T14:00:00.000000Z"])");
  EXPECT_THAT(schedule_value(row(true), schedule, kNoon, 2).find("next")->as_array(), IsEmpty());
  schedule.kind = dag::ScheduleKind::Continuous;
  const auto continuous = schedule_value(row(false), schedule, kNoon, 2);
  EXPECT_EQ(continuous.get_string("kind"), "continuous");
  EXPECT_TRUE(continuous.find("expression")->is_null());
  EXPECT_THAT(continuous.find("next")->as_array(), IsEmpty());
}

}  // namespace
}  // namespace slipway::api
