#include "sched/ticks.h"

#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>

#include "support/world.h"

namespace slipway::sched {
namespace {

using dag::Missed;
using dag::Overlap;
using dag::ScheduleKind;
using test::make_dag;
using test::World;

Instant at(const char* text) { return *parse_rfc3339(text); }

dag::Schedule hourly() {
  dag::Schedule schedule;
  schedule.name = "s";
  schedule.kind = ScheduleKind::Every;
  schedule.every = std::chrono::hours(1);
  return schedule;
}

// A DAG with that schedule whose cursor stands at 10:00, seen at `now`.
World world_at(const dag::Schedule& schedule, const char* now) {
  World world;
  dag::Dag dag = make_dag({{"a"}});
  dag.schedules = {schedule};
  world.now = at("2024-01-01T10:00:00Z");
  world.add(dag);
  world.now = at(now);
  return world;
}

std::string ticks(const Plan& plan) {
  std::string text;
  for (const NewRun& run : plan.runs) text += to_rfc3339(run.tick).substr(11, 5) + " ";
  return text;
}

TEST(Ticks, FireAtTheirInstantAndWakeBefore) {
  World world = world_at(hourly(), "2024-01-01T10:59:59.999999Z");
  Plan plan = world.decide();
  EXPECT_TRUE(plan.empty());
  EXPECT_EQ(plan.wake_at, at("2024-01-01T11:00:00Z"));
  world.now = at("2024-01-01T11:00:00Z");
  plan = world.decide();
  ASSERT_EQ(ticks(plan), "11:00 ");
  EXPECT_EQ(plan.runs[0].interval_start, at("2024-01-01T10:00:00Z"));
  EXPECT_EQ(plan.cursors[0].to, at("2024-01-01T11:00:00Z"));
  EXPECT_EQ(plan.cursors[0].missed, 0);
  world.carry_out(plan);
  EXPECT_TRUE(world.decide().runs.empty());
  EXPECT_EQ(world.decide().wake_at, at("2024-01-01T12:00:00Z"));
}

struct MissedRow {
  const char* name;
  Missed missed;
  int max_missed;
  std::optional<Duration> grace;
  const char* now;
  const char* want;
  int recorded;
};

TEST(Ticks, MissedAndGrace) {
  using namespace std::chrono_literals;
  const std::vector<MissedRow> rows = {
      {"late within half the interval", Missed::None, 100, {}, "2024-01-01T11:30:00Z", "11:00 ", 0},
      {"later than that", Missed::None, 100, {}, "2024-01-01T11:30:01Z", "", 1},
      {"last fires the newest", Missed::Last, 100, {}, "2024-01-01T14:50:00Z", "14:00 ", 3},
      {"the newest is on time: one run", Missed::Last, 100, {}, "2024-01-01T14:10:00Z", "14:00 ", 3},
      {"none records them", Missed::None, 100, {}, "2024-01-01T14:10:00Z", "14:00 ", 3},
      {"all, oldest first", Missed::All, 100, {}, "2024-01-01T14:10:00Z", "11:00 12:00 13:00 14:00 ", 0},
      {"all, at most max_missed, the newest", Missed::All, 2, {}, "2024-01-01T14:50:00Z", "13:00 14:00 ", 2},
      {"a grace of its own", Missed::None, 100, 10s, "2024-01-01T11:00:11Z", "", 1},
      {"a long grace", Missed::None, 100, 5h, "2024-01-01T13:10:00Z", "11:00 12:00 13:00 ", 0},
  };
  for (const MissedRow& row : rows) {
    dag::Schedule schedule = hourly();
    schedule.missed = row.missed;
    schedule.max_missed = row.max_missed;
    schedule.grace = row.grace;
    World world = world_at(schedule, row.now);
    dag::Dag dag = *world.snapshot.dags.begin()->second.dag;
    dag.max_active_runs = 10;
    world.snapshot.dags.begin()->second.dag = std::make_shared<const dag::Dag>(dag);
    const Plan plan = world.decide();
    EXPECT_EQ(ticks(plan), row.want) << row.name;
    ASSERT_EQ(plan.cursors.size(), 1U) << row.name;
    EXPECT_EQ(plan.cursors[0].missed, row.recorded) << row.name;
    EXPECT_LE(plan.cursors[0].to, world.now);
  }
}

TEST(Ticks, AYearOfMinutesIsWorkedOffInBoundedRounds) {
  dag::Schedule schedule = hourly();
  schedule.every = std::chrono::minutes(1);
  World world = world_at(schedule, "2025-01-01T10:00:00Z");
  int missed = 0;
  int rounds = 0;
  std::vector<NewRun> fired;
  for (Plan plan = world.decide(); !plan.cursors.empty(); plan = world.decide(), ++rounds) {
    missed += plan.cursors[0].missed;
    fired.insert(fired.end(), plan.runs.begin(), plan.runs.end());
    world.carry_out(plan);
  }
  EXPECT_EQ(fired.size(), 1U);
  EXPECT_EQ(fired[0].tick, at("2025-01-01T10:00:00Z"));
  EXPECT_EQ(missed, 366 * 24 * 60 - 1);
  EXPECT_LE(rounds, 54);
}

TEST(Ticks, PausedAndAbsentDagsDoNotFireAndDoNotWake) {
  for (const bool paused : {true, false}) {
    World world = world_at(hourly(), "2024-01-01T11:00:00Z");
    run::DagEntry& entry = world.snapshot.dags.begin()->second;
    (paused ? entry.paused : entry.present) = paused;
    const Plan plan = world.decide();
    EXPECT_TRUE(plan.empty());
    EXPECT_FALSE(plan.wake_at.has_value());
  }
}

TEST(Ticks, StartAndEndBoundThem) {
  dag::Schedule schedule = hourly();
  schedule.start = at("2024-01-01T11:30:00Z");
  schedule.end = at("2024-01-01T12:30:00Z");
  World world = world_at(schedule, "2024-01-01T11:00:00Z");
  EXPECT_TRUE(world.decide().runs.empty());
  world.now = at("2024-01-01T18:00:00Z");
  EXPECT_EQ(ticks(world.decide()), "12:30 ");
  world.carry_out(world.decide());
  EXPECT_FALSE(world.decide().wake_at.has_value());
}

// Runs of the schedule that exist when the 11:00 tick comes.
Plan overlapping(Overlap overlap, Missed missed, int existing, bool settled = true) {
  dag::Schedule schedule = hourly();
  schedule.overlap = overlap;
  schedule.missed = missed;
  World world = world_at(schedule, "2024-01-01T10:30:00Z");
  for (int i = 0; i < existing; ++i) world.create("d", "r" + std::to_string(i), "s");
  if (settled) world.settle();
  world.now = at("2024-01-01T11:00:00Z");
  return world.decide();
}

// --- the tables of docs/dag-format.md ---

std::vector<std::vector<std::string>> docs_table(const std::string& header) {
  std::ifstream file(SLIPWAY_SOURCE_DIR "/docs/dag-format.md");
  std::vector<std::vector<std::string>> rows;
  bool inside = false;
  for (std::string line; std::getline(file, line);) {
    if (line == header) inside = true;
    if (!inside || line == header || line.starts_with("|---")) continue;
    if (!line.starts_with("|")) break;
    std::vector<std::string> cells;
    std::istringstream stream(line.substr(1));
    for (std::string cell; std::getline(stream, cell, '|');) {
      const auto first = cell.find_first_not_of(' ');
      cells.push_back(first == std::string::npos ? "" : cell.substr(first, cell.find_last_not_of(' ') + 1 - first));
    }
    rows.push_back(std::move(cells));
  }
  return rows;
}

TEST(TicksDocs, TheTableOfMissedTicksIsTrue) {
  const auto rows = docs_table("| missed | grace | max_missed | now | fires | recorded |");
  ASSERT_EQ(rows.size(), 12U);
  for (const auto& row : rows) {
    dag::Schedule schedule = hourly();
    schedule.missed = *dag::kMissed.parse(row[0]);
    if (!row[1].empty()) schedule.grace = *parse_duration(row[1]);
    schedule.max_missed = std::stoi(row[2]);
    World world = world_at(schedule, ("2024-01-01T" + row[3] + ":00Z").c_str());
    dag::Dag dag = *world.snapshot.dags.begin()->second.dag;
    dag.max_active_runs = 10;
    world.snapshot.dags.begin()->second.dag = std::make_shared<const dag::Dag>(dag);
    const Plan plan = world.decide();
    EXPECT_EQ(ticks(plan), row[4].empty() ? "" : row[4] + " ") << row[0] << " at " << row[3];
    ASSERT_EQ(plan.cursors.size(), 1U);
    EXPECT_EQ(plan.cursors[0].missed, std::stoi(row[5])) << row[0] << " at " << row[3];
  }
}

TEST(TicksDocs, TheTableOfOverlapsIsTrue) {
  const auto rows = docs_table("| overlap | missed | runs | the tick |");
  ASSERT_EQ(rows.size(), 8U);
  for (const auto& row : rows) {
    const Plan plan = overlapping(*dag::kOverlaps.parse(row[0]), *dag::kMissed.parse(row[1]), std::stoi(row[2]));
    const bool cancels = !plan.run_moves.empty() && plan.run_moves[0].to == run::RunState::Cancelling;
    const std::string did = std::string(plan.runs.empty() ? "recorded" : "fires") + (cancels ? ", cancels" : "");
    EXPECT_EQ(did, row[3]) << row[0] << " " << row[2];
    EXPECT_EQ(plan.cursors.at(0).missed, plan.runs.empty() ? 1 : 0) << row[0] << " " << row[2];
  }
}

TEST(Ticks, OverlapQueueLetsOneWait) {
  EXPECT_EQ(ticks(overlapping(Overlap::Queue, Missed::Last, 1)), "11:00 ");
  const Plan full = overlapping(Overlap::Queue, Missed::Last, 2);
  EXPECT_EQ(ticks(full), "");
  EXPECT_EQ(full.cursors.at(0).missed, 1);
  EXPECT_EQ(ticks(overlapping(Overlap::Queue, Missed::All, 2)), "11:00 ");
}

TEST(Ticks, OverlapSkipRecords) {
  EXPECT_EQ(ticks(overlapping(Overlap::Skip, Missed::Last, 0)), "11:00 ");
  const Plan plan = overlapping(Overlap::Skip, Missed::Last, 1);
  EXPECT_EQ(ticks(plan), "");
  EXPECT_EQ(plan.cursors.at(0).missed, 1);
}

TEST(Ticks, OverlapCancelMakesRoom) {
  for (const bool settled : {true, false}) {
    const Plan plan = overlapping(Overlap::Cancel, Missed::Last, 1, settled);
    EXPECT_EQ(ticks(plan), "11:00 ");
    ASSERT_EQ(plan.run_moves.size(), 1U);
    EXPECT_EQ(plan.run_moves[0].to, run::RunState::Cancelling);
    EXPECT_EQ(plan.run_moves[0].cause, run::FailureClass::External);
  }
}

TEST(Ticks, TwoTicksAtOnceWithRoomForOneQueueTheSecond) {
  dag::Schedule schedule = hourly();
  schedule.grace = std::chrono::hours(3);
  World world = world_at(schedule, "2024-01-01T13:00:00Z");
  const Plan plan = world.decide();
  EXPECT_EQ(ticks(plan), "11:00 12:00 ");
  EXPECT_EQ(plan.cursors.at(0).missed, 1);
}

TEST(Ticks, JitterDelaysTheStartAndNothingElse) {
  dag::Schedule schedule = hourly();
  schedule.jitter = std::chrono::minutes(20);
  std::set<Instant> starts;
  Instant cursor = at("2024-01-01T10:00:00Z");
  for (int i = 0; i < 50; ++i) {
    World world = world_at(schedule, "2024-01-01T10:00:00Z");
    run::DagEntry& entry = world.snapshot.dags.begin()->second;
    entry.cursors["s"] = cursor;
    run::index_ticks(entry);
    const Instant tick = cursor + std::chrono::hours(1);
    world.now = tick;
    Plan plan = world.decide();
    const Instant due = plan.runs.empty() ? *plan.wake_at : tick;
    EXPECT_GE(due, tick);
    EXPECT_LT(due, tick + schedule.jitter);
    world.now = due - Duration(1);
    EXPECT_TRUE(world.decide().runs.empty());
    world.now = due;
    plan = world.decide();
    ASSERT_EQ(plan.runs.size(), 1U);
    EXPECT_EQ(plan.runs[0].tick, tick) << "the logical date is the tick";
    EXPECT_EQ(plan.cursors.at(0).missed, 0) << "the delay is not counted as lateness";
    starts.insert(due - (tick - cursor) * i);
    cursor = tick;
  }
  EXPECT_GT(starts.size(), 45U) << "spread";
}

TEST(Ticks, JitterIsTheSameAfterARestartAndDiffersByDag) {
  dag::Schedule schedule = hourly();
  schedule.jitter = std::chrono::minutes(20);
  std::set<Instant> due;
  for (const char* id : {"d", "e", "d"}) {
    World world;
    dag::Dag dag = make_dag({{"a"}});
    dag.id = DagId(id);
    dag.schedules = {schedule};
    world.now = at("2024-01-01T10:00:00Z");
    world.add(dag);
    due.insert(*world.decide().wake_at);
  }
  EXPECT_EQ(due.size(), 2U);
}

// The wall clock is set under a schedule: what fires, and that nothing fires twice.
TEST(Ticks, ClockStepsMakeNoStormAndNoDouble) {
  struct Row {
    const char* set_to;  // at 12:00:30, after the ticks up to 12:00 fired
    Missed missed;
    const char* fires;  // at once
    int recorded;
    const char* wakes;
  };
  const Row rows[] = {
      {"2024-01-01T13:00:30Z", Missed::Last, "13:00 ", 0, "2024-01-01T14:00:00Z"},
      {"2024-01-01T13:45:00Z", Missed::None, "", 1, "2024-01-01T14:00:00Z"},
      {"2024-01-02T12:00:30Z", Missed::Last, "12:00 ", 23, "2024-01-02T13:00:00Z"},
      {"2024-01-02T12:45:00Z", Missed::Last, "12:00 ", 23, "2024-01-02T13:00:00Z"},
      {"2024-01-02T12:45:00Z", Missed::None, "", 24, "2024-01-02T13:00:00Z"},
      {"2024-01-01T11:00:30Z", Missed::Last, "", 0, "2024-01-01T13:00:00Z"},
      {"2024-01-01T11:00:30Z", Missed::All, "", 0, "2024-01-01T13:00:00Z"},
      {"2023-12-31T12:00:30Z", Missed::Last, "", 0, "2024-01-01T13:00:00Z"},
  };
  for (const Row& row : rows) {
    dag::Schedule schedule = hourly();
    schedule.missed = row.missed;
    World world = world_at(schedule, "2024-01-01T12:00:30Z");
    run::DagEntry& entry = world.snapshot.dags.begin()->second;
    entry.cursors["s"] = at("2024-01-01T12:00:00Z");
    run::index_ticks(entry);
    world.now = at(row.set_to);
    const Plan plan = world.decide();
    EXPECT_EQ(ticks(plan), row.fires) << row.set_to;
    EXPECT_EQ(plan.cursors.empty() ? 0 : plan.cursors[0].missed, row.recorded) << row.set_to;
    world.carry_out(plan);
    EXPECT_TRUE(world.decide().runs.empty()) << row.set_to;
    EXPECT_EQ(world.decide().wake_at, at(row.wakes)) << row.set_to;
  }
}

// POSIX time has no leap seconds, so neither has a tick: 2016-12-31T23:59:60Z is no instant here, and the minutes on
// either side of it are 60 s apart.
TEST(Ticks, LeapSecondsAreNoMatter) {
  dag::Schedule schedule;
  schedule.name = "s";
  schedule.cron = *dag::parse_cron("* * * * *");
  World world;
  dag::Dag dag = make_dag({{"a"}});
  dag.max_active_runs = 10;
  dag.schedules = {schedule};
  world.now = at("2016-12-31T23:58:30Z");
  world.add(dag);
  std::vector<Instant> fired;
  for (world.now = at("2016-12-31T23:58:30Z"); world.now < at("2017-01-01T00:01:30Z"); world.now += Duration(500'000)) {
    const Plan plan = world.decide();
    for (const NewRun& run : plan.runs) fired.push_back(run.tick);
    world.carry_out(plan);
  }
  EXPECT_EQ(fired, (std::vector{at("2016-12-31T23:59:00Z"), at("2017-01-01T00:00:00Z"), at("2017-01-01T00:01:00Z")}));
}

TEST(Ticks, OnceFiresOnce) {
  dag::Schedule schedule = hourly();
  schedule.kind = ScheduleKind::Once;
  World world = world_at(schedule, "2024-01-01T11:00:00Z");
  world.snapshot.dags.begin()->second.cursors.clear();
  const Plan plan = world.decide();
  EXPECT_EQ(ticks(plan), "11:00 ");
  EXPECT_EQ(plan.runs[0].interval_start, plan.runs[0].tick);
  world.carry_out(plan);
  EXPECT_TRUE(world.decide().empty());
}

TEST(Ticks, OnceWaitsForItsStart) {
  dag::Schedule schedule = hourly();
  schedule.kind = ScheduleKind::Once;
  schedule.start = at("2024-01-01T12:00:00Z");
  World world = world_at(schedule, "2024-01-01T11:00:00Z");
  world.snapshot.dags.begin()->second.cursors.clear();
  EXPECT_EQ(world.decide().wake_at, *schedule.start);
  world.now = at("2024-01-01T12:00:07Z");
  EXPECT_EQ(ticks(world.decide()), "12:00 ");
}

TEST(Ticks, ContinuousFollowsItselfWithoutStorm) {
  dag::Schedule schedule = hourly();
  schedule.kind = ScheduleKind::Continuous;
  World world = world_at(schedule, "2024-01-01T11:00:00Z");
  const Plan plan = world.decide();
  EXPECT_EQ(ticks(plan), "11:00 ");
  world.carry_out(plan);
  EXPECT_TRUE(world.decide().empty());
  EXPECT_EQ(world.decide().wake_at, at("2024-01-01T11:00:01Z"));
  World set_back = world;
  set_back.now = at("2023-12-01T00:00:00Z");
  EXPECT_EQ(ticks(set_back.decide()), "00:00 ") << "it does not wait for a month";
  world.create("d", "r1", "s");
  world.settle();
  world.now = at("2024-01-01T11:30:00Z");
  EXPECT_TRUE(world.decide().empty());
}

// A DAG that runs when both datasets were updated.
World world_of_datasets(Overlap overlap = Overlap::Queue) {
  dag::Schedule schedule = hourly();
  schedule.kind = ScheduleKind::Datasets;
  schedule.datasets = {"s3://a", "s3://b"};
  schedule.overlap = overlap;
  World world = world_at(schedule, "2024-01-01T11:00:00Z");
  run::DagEntry& entry = world.snapshot.dags.begin()->second;
  run::count_from_now(world.snapshot, entry, entry.dag->schedules[0], false);
  run::dag_changed(world.snapshot, DagId("d"), world.now);
  return world;
}

void update(World& world, const char* uri) { run::update_dataset(world.snapshot, uri, "ann", world.now); }

TEST(Ticks, DatasetsFireOnceWhenAllOfThemWereUpdated) {
  World world = world_of_datasets();
  update(world, "s3://a");
  update(world, "s3://a");
  EXPECT_TRUE(world.decide().empty());
  update(world, "s3://b");
  const Plan plan = world.decide();
  EXPECT_EQ(ticks(plan), "11:00 ");
  EXPECT_EQ(plan.runs[0].trigger, run::TriggerKind::Dataset);
  ASSERT_EQ(plan.seen.size(), 1U);
  EXPECT_EQ(plan.seen[0].counts.at("s3://a"), 2);
  world.carry_out(plan);
  EXPECT_TRUE(world.decide().empty());
  update(world, "s3://b");
  EXPECT_TRUE(world.decide().empty());
}

TEST(Ticks, DatasetsOverlapAsTicksDo) {
  const auto fired = [](Overlap overlap) {
    World world = world_of_datasets(overlap);
    for (const char* id : {"r1", "r2"}) world.create("d", id, "s");
    world.settle();
    update(world, "s3://a");
    update(world, "s3://b");
    const Plan plan = world.decide();
    return std::to_string(plan.runs.size()) + " runs, " + std::to_string(plan.seen.size()) + " seen";
  };
  EXPECT_EQ(fired(Overlap::Queue), "0 runs, 0 seen");
  EXPECT_EQ(fired(Overlap::Skip), "0 runs, 1 seen");
  EXPECT_EQ(fired(Overlap::Cancel), "1 runs, 1 seen");
}

}  // namespace
}  // namespace slipway::sched
