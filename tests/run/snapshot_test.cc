#include "slipway/run/snapshot.h"

#include <gtest/gtest.h>

#include "slipway/base/rng.h"
#include "support/dags.h"
#include "support/run_builder.h"

namespace slipway::run {
namespace {

using test::at_second;
using test::key_of;
using test::make_dag;
using test::RunBuilder;

std::set<TaskKey> keys(std::initializer_list<const char*> tasks) {
  std::set<TaskKey> set;
  for (const char* task : tasks) set.insert(key_of(task));
  return set;
}

TEST(Fold, TouchesDownstreamOnlyWhenItsCountsChange) {
  RunBuilder builder(make_dag({{"a"}, {"b", {"a"}}, {"c", {"b"}}}));
  EXPECT_EQ(builder.run().touched, keys({"a", "b", "c"}));
  builder.start().run().touched.clear();
  builder.open("a").running("a");
  EXPECT_EQ(builder.run().touched, keys({"a"}));
  builder.end("a", TaskState::Success);
  EXPECT_EQ(builder.run().touched, keys({"a", "b"}));
  EXPECT_EQ(builder.run().upstream[1], (UpstreamCounts{.success = 1}));
}

TEST(Fold, AMoveOfTheRunTouchesEverything) {
  RunBuilder builder(make_dag({{"a"}, {"b"}}));
  builder.run().touched.clear();
  builder.start();
  EXPECT_EQ(builder.run().touched, keys({"a", "b"}));
}

TEST(Fold, KeepsWhatWaitsInLaunchOrder) {
  dag::Dag dag = make_dag({{"short"}, {"long"}, {"urgent"}, {"tail", {"long"}}});
  dag.tasks[2].priority = 5;
  RunBuilder builder(dag);
  builder.start().schedule("short").at(at_second(1)).schedule("long").at(at_second(2)).schedule("urgent");
  Snapshot snapshot;
  snapshot.dags[DagId("d")].dag = builder.run().dag;
  insert_run(snapshot, builder.run(), at_second(3));
  std::string order;
  for (const Waiting& waiting : snapshot.queues.at(PoolId("default")).lanes.at(DagId("d")).waiting)
    order += waiting.key.str() + " ";
  EXPECT_EQ(order, "urgent long short ");
}

TEST(Fold, ServiceAttemptsHoldNoSlot) {
  dag::Dag dag = make_dag({{"job"}, {"web"}});
  dag.tasks[1].kind = dag::TaskKind::Service;
  RunBuilder builder(dag);
  builder.start().open("job").open("web");
  EXPECT_EQ(builder.run().open_attempts.size(), 2U);
  Snapshot snapshot;
  snapshot.dags[DagId("d")].dag = builder.run().dag;
  insert_run(snapshot, builder.run(), at_second(0));
  EXPECT_EQ(slots_used(snapshot), 1);
}

TEST(Fold, AnExpansionCountsEachInstance) {
  dag::Dag dag = make_dag({{"a"}, {"b", {"a"}}});
  dag.groups = {{"g", {0}, 2, {}}};
  dag.tasks[0].groups = {0};
  RunBuilder builder(dag);
  builder.start().run().touched.clear();
  builder.expand("a", {1, 2, 3});
  EXPECT_EQ(builder.run().upstream[1], (UpstreamCounts{.pending = 3}));
  EXPECT_EQ(builder.run().own[0], (UpstreamCounts{.pending = 3}));
  Snapshot snapshot;
  snapshot.dags[DagId("d")].dag = builder.run().dag;
  insert_run(snapshot, builder.run(), at_second(0));
  EXPECT_EQ(snapshot.queues.at(PoolId("default")).lanes.at(DagId("d")).waiting.size(), 3U);
  EXPECT_EQ(builder.run().unfinished, 4);
  EXPECT_EQ(builder.run().touched, keys({"a", "a[0]", "a[1]", "a[2]", "b"}));
  builder.finish("a[1]", TaskState::Failed).open("a[2]");
  EXPECT_EQ(builder.run().upstream[1], (UpstreamCounts{.failed = 1, .pending = 2}));
  EXPECT_EQ(builder.run().active[0], 1);
  EXPECT_EQ(builder.run().group_active[0], 1);
}

TEST(Fold, InstancesOfAPlaceholderThatWasResetCountNoMore) {
  RunBuilder builder(make_dag({{"a"}, {"b", {"a"}}}));
  builder.start().expand("a", {1, 2}).finish("a[0]", TaskState::Success).finish("a[1]", TaskState::Success);
  EXPECT_EQ(builder.run().upstream[1], (UpstreamCounts{.success = 2}));
  builder.emit(TaskReset{key_of("a")});
  EXPECT_EQ(builder.run().upstream[1], (UpstreamCounts{.pending = 1}));
}

TEST(Fold, AnEndTouchesOnlyWhatIsUndecidedBelow) {
  RunBuilder builder(make_dag({{"a"}, {"b", {"a"}}}));
  builder.start().finish("a", TaskState::Success).expand("b", {1, 2, 3}).finish("b[1]", TaskState::Failed);
  builder.run().touched.clear();
  builder.emit(TaskReset{key_of("a")});
  EXPECT_EQ(builder.run().touched, keys({"a", "b"}));
  builder.emit(TaskReset{key_of("b[1]")});
  builder.run().touched.clear();
  builder.finish("a", TaskState::Success);
  EXPECT_EQ(builder.run().touched.count(key_of("b[1]")), 1U);
}

TEST(Fold, TouchesWhatASetupEncloses) {
  dag::Dag dag = make_dag({{"setup"}, {"a", {"setup"}}, {"b", {"a"}}});
  dag.tasks[2].enclosing_setups = {TaskId("setup")};
  test::link(dag);
  RunBuilder builder(dag);
  builder.start().run().touched.clear();
  builder.finish("setup", TaskState::Success);
  EXPECT_EQ(builder.run().touched, keys({"setup", "a", "b"}));
}

TEST(UpstreamCounts, EveryStateIsCountedOnce) {
  for (const auto& row : kTaskStates.rows()) {
    UpstreamCounts counts;
    counts.add(row.value);
    EXPECT_EQ(counts.total(), row.value == TaskState::Removed ? 0 : 1) << row.text;
    EXPECT_EQ(counts.pending, is_terminal(row.value) ? 0 : 1) << row.text;
    counts.add(row.value, -1);
    EXPECT_EQ(counts, UpstreamCounts{});
  }
}

TEST(IndexTicks, FollowsTheCursor) {
  DagEntry entry;
  dag::Dag dag = make_dag({{"a"}});
  dag::Schedule schedule;
  schedule.name = "hourly";
  schedule.kind = dag::ScheduleKind::Every;
  schedule.every = std::chrono::hours(1);
  dag.schedules = {schedule};
  entry.dag = std::make_shared<const dag::Dag>(dag);
  index_ticks(entry);
  EXPECT_TRUE(entry.next_ticks.empty());
  entry.cursors["hourly"] = *parse_rfc3339("2024-01-01T10:20:00Z");
  index_ticks(entry);
  EXPECT_EQ(entry.next_ticks["hourly"], *parse_rfc3339("2024-01-01T11:00:00Z"));
}

// --- fold == activate
// -------------------------------------------------------------------------------------------------

dag::Dag random_dag(Rng& rng) {
  dag::Dag dag;
  dag.id = DagId("d");
  const int count = 1 + static_cast<int>(rng.below(12));
  for (int i = 0; i < count; ++i) {
    test::TaskSketch sketch{"t" + std::to_string(i)};
    for (int j = 0; j < i; ++j)
      if (rng.chance(0.3)) sketch.needs.push_back("t" + std::to_string(j));
    dag.tasks.push_back(test::run_task(sketch));
    dag.tasks.back().priority = static_cast<int>(rng.below(3));
    if (rng.chance(0.2)) dag.tasks.back().kind = dag::TaskKind::Service;
    if (rng.chance(0.1)) dag.tasks.back().role = dag::TaskRole::OnFailure;
    if (rng.chance(0.3)) dag.tasks.back().groups = {0};
  }
  dag.groups = {{"g", {}, 2, {}}};
  test::link(dag);
  return dag;
}

// Any event on any object, most of them illegal: the ones that check() lets through make a random legal history.
EventBody random_event(Rng& rng, RunBuilder& builder) {
  std::string task = "t" + std::to_string(rng.below(builder.run().dag->tasks.size()));
  if (const std::string instance = task + "[" + std::to_string(rng.below(4)) + "]";
      builder.run().state.tasks.count(key_of(instance)) != 0 && rng.chance(0.7))
    task = instance;
  const auto pick = [&](const auto& table) { return table.rows()[rng.below(table.size())].value; };
  switch (rng.below(11)) {
    case 0: return RunMoved{pick(kRunStates), {}, FailureClass::External};
    case 1:
    case 2: return TaskMoved{key_of(task), rng.chance(0.7) ? TaskState::Scheduled : pick(kTaskStates)};
    case 3: return AttemptOpened{builder.next(task), "fake", {}};
    case 4: return AttemptStarted{builder.last(task), pick(kAttemptStates), "1"};
    case 5: return AttemptStopping{builder.last(task), FailureClass::Timeout};
    case 6: return TaskReset{key_of(task)};
    case 7: return RunReopened{};
    case 8: return TaskExpanded{key_of(task).task, Value::Array(1 + rng.below(4))};
    case 9: return ClockMoved{std::chrono::seconds(rng.below(100))};
    default: break;
  }
  AttemptEnded ended{builder.last(task), pick(kAttemptStates), pick(kFailureClasses)};
  ended.task_to = pick(kTaskStates);
  ended.retry_at = at_second(static_cast<std::int64_t>(rng.below(5)));
  ended.infra_budget = rng.chance(0.5);
  return ended;
}

TEST(Fold, DerivesWhatActivateDerives) {
  int applied = 0;
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    Rng rng(seed);
    RunBuilder builder(random_dag(rng));
    builder.start();
    for (int i = 0; i < 300; ++i) {
      EventBody body = random_event(rng, builder);
      ActiveRun& run = builder.run();
      if (is_terminal(run.state.state) && rng.chance(0.9)) body = RunReopened{};
      if (!check(run.state, {builder.id(), run.state.last_seq + 1, at_second(i), body})) continue;
      builder.at(at_second(i)).emit(std::move(body));
      ++applied;
      const ActiveRun fresh = activate(run.state, run.dag);
      ASSERT_EQ(run.upstream, fresh.upstream) << "seed " << seed;
      ASSERT_EQ(run.path, fresh.path);
      ASSERT_EQ(run.retry_due, fresh.retry_due) << "seed " << seed;
      ASSERT_EQ(run.open_attempts, fresh.open_attempts) << "seed " << seed;
      ASSERT_EQ(run.attempt_due, fresh.attempt_due) << "seed " << seed;
      ASSERT_EQ(run.unfinished, fresh.unfinished) << "seed " << seed;
      ASSERT_EQ(run.unfinished_last, fresh.unfinished_last) << "seed " << seed;
      ASSERT_EQ(run.own, fresh.own) << "seed " << seed;
      ASSERT_EQ(run.active, fresh.active) << "seed " << seed;
      ASSERT_EQ(run.group_active, fresh.group_active) << "seed " << seed;
      ASSERT_EQ(run.undecided, fresh.undecided) << "seed " << seed;
    }
  }
  EXPECT_GT(applied, 10'000);
}

}  // namespace
}  // namespace slipway::run
