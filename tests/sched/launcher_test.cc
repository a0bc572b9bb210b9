#include "sched/launcher.h"

#include <gtest/gtest.h>

#include "slipway/base/rng.h"
#include "support/rebuilt.h"
#include "support/world.h"

namespace slipway::sched {
namespace {

using dag::PriorityClass;
using run::TaskState;
using test::key_of;
using test::make_dag;
using test::World;

struct Sketch {
  std::string id;
  int tasks = 1;
  std::string pool = "default";
  int slots = 1;
  PriorityClass priority_class = PriorityClass::Normal;
  double weight = 1;
};

dag::Dag dag_of(const Sketch& sketch) {
  dag::Dag dag = make_dag({}, sketch.id);
  for (int i = 0; i < sketch.tasks; ++i) {
    dag.tasks.push_back(test::run_task({"t" + std::to_string(i)}));
    dag.tasks.back().pool = PoolId(sketch.pool);
    dag.tasks.back().slots = sketch.slots;
  }
  dag.priority_class = sketch.priority_class;
  dag.weight = sketch.weight;
  test::link(dag);
  return dag;
}

// A world in which attempts run for a while and then succeed.
class Factory : public World {
 public:
  explicit Factory(int slots, std::map<std::string, int> pools = {}) {
    snapshot.slots_total = slots;
    for (const auto& [id, size] : pools) run::set_pool(snapshot, PoolId(id), run::Pool{size, {}}, now);
  }

  void begin(const Sketch& sketch) {
    add(dag_of(sketch));
    create(sketch.id, "run-" + sketch.id);
    settle();
  }
  // Settles; what was launched since the last call is noted and ends after its DAG's length.
  void settle() {
    for (sched::Plan plan = sched::decide(snapshot, now); !plan.empty(); plan = sched::decide(snapshot, now)) {
      for (const Launch& launch : plan.launches) {
        const std::string dag = snapshot.runs.at(launch.run).dag->id.str();
        launched.push_back(dag);
        ends.insert({now + length(dag), {launch.run, launch.key}});
      }
      carry_out(plan);
    }
  }
  // The next attempt ends.
  bool step() {
    if (ends.empty()) return false;
    const auto [at, what] = *ends.begin();
    ends.erase(ends.begin());
    now = std::max(now, at);
    start(what.first.str(), what.second.str());
    finish(what.first.str(), what.second.str(), TaskState::Success);
    settle();
    return true;
  }
  [[nodiscard]] Duration length(const std::string& dag) const {
    const auto found = lengths.find(dag);
    return found == lengths.end() ? std::chrono::seconds(1) : found->second;
  }
  [[nodiscard]] std::ptrdiff_t count(const std::string& dag) const {
    return std::count(launched.begin(), launched.end(), dag);
  }

  std::map<std::string, Duration> lengths;
  std::vector<std::string> launched;  // DAGs, in order
  std::multimap<Instant, std::pair<RunId, TaskKey>> ends;
};

// The regression test of the most asked-for fairness: a big DAG cannot starve a small one.
TEST(Fairness, FiveTasksBesideTenThousandEndWithinTheBound) {
  constexpr int kSlots = 4;
  Factory factory(kSlots);
  factory.begin({.id = "big", .tasks = 10'000});
  for (int i = 0; i < 400; ++i) ASSERT_TRUE(factory.step());
  const Instant before = factory.now;
  const auto at = static_cast<std::ptrdiff_t>(factory.launched.size());
  factory.begin({.id = "small", .tasks = 5});
  while (factory.count("small") < 5) ASSERT_TRUE(factory.step());
  // One launch of the other active DAG before the first, then turn by turn.
  const auto since = std::count(factory.launched.begin() + at, factory.launched.end(), "big");
  EXPECT_LE(since, 1 + 5);
  EXPECT_LE(factory.now - before, std::chrono::seconds(1) * (1 + 2 * 5 / kSlots + 1));
}

TEST(Fairness, ADagThatBeginsToWaitStartsAfterOneStartOfEachOther) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    Rng rng(seed);
    Factory factory(1 + static_cast<int>(rng.below(4)));
    const int others = 1 + static_cast<int>(rng.below(8));
    for (int i = 0; i < others; ++i) {
      const std::string id = "d" + std::to_string(i);
      factory.lengths[id] = Duration(static_cast<std::int64_t>(rng.below(20'000'000)));
      factory.begin({.id = id, .tasks = 150, .weight = 0.1 + 3 * rng.unit()});
    }
    for (std::uint64_t n = rng.below(60); n > 0; --n) ASSERT_TRUE(factory.step());
    const std::size_t at = factory.launched.size();
    factory.begin({.id = "new", .weight = 0.1 + 3 * rng.unit()});
    while (factory.count("new") == 0) ASSERT_TRUE(factory.step());
    EXPECT_LE(factory.launched.size() - 1 - at, static_cast<std::size_t>(others)) << "seed " << seed;
  }
}

TEST(Fairness, SharesFollowWeights) {
  Factory factory(2);
  factory.begin({.id = "light", .tasks = 400});
  factory.begin({.id = "heavy", .tasks = 400, .weight = 3});
  while (factory.launched.size() < 400) ASSERT_TRUE(factory.step());
  EXPECT_NEAR(static_cast<double>(factory.count("heavy")), 300, 8);
}

TEST(Fairness, SharesAreOfTimeNotOfTasks) {
  Factory factory(1);
  factory.lengths = {{"slow", std::chrono::seconds(10)}, {"quick", std::chrono::seconds(1)}};
  factory.begin({.id = "slow", .tasks = 100});
  factory.begin({.id = "quick", .tasks = 100});
  while (factory.count("quick") < 100) ASSERT_TRUE(factory.step());
  EXPECT_NEAR(static_cast<double>(factory.count("slow")), 10, 3);
}

TEST(Fairness, SlotsThatComeFreeTogetherAreShared) {
  Factory factory(8);
  factory.snapshot.slots_total = 0;
  factory.begin({.id = "a", .tasks = 20});
  factory.begin({.id = "b", .tasks = 20});
  EXPECT_TRUE(factory.launched.empty());
  factory.snapshot.slots_total = 8;
  run::set_pool(factory.snapshot, PoolId("default"), std::nullopt, factory.now);  // looks at its size again
  factory.settle();
  EXPECT_EQ(factory.count("a"), 4);
  EXPECT_EQ(factory.count("b"), 4);
}

TEST(Classes, AreStrictButLowIsOwedEveryTwentiethStart) {
  Factory factory(1);
  factory.begin({.id = "low", .tasks = 300, .priority_class = PriorityClass::Low});
  factory.begin({.id = "normal", .tasks = 300});
  factory.begin({.id = "high", .tasks = 300, .priority_class = PriorityClass::High});
  while (factory.launched.size() < 201) ASSERT_TRUE(factory.step());
  EXPECT_EQ(factory.count("low"), 1 + 10) << "the first was alone";
  EXPECT_EQ(factory.count("normal"), 0);
}

TEST(Pools, LimitWhatStartsAndTakeTurnsForTheLocalSlots) {
  Factory factory(3, {{"gpu", 2}});
  factory.begin({.id = "cpu", .tasks = 50});
  factory.begin({.id = "train", .tasks = 50, .pool = "gpu"});
  for (int i = 0; i < 30; ++i) {
    ASSERT_TRUE(factory.step());
    EXPECT_LE(run::pool_used(factory.snapshot, PoolId("gpu")), 2);
    EXPECT_EQ(run::pool_used(factory.snapshot, PoolId("default")), 3);
  }
  EXPECT_GE(factory.count("train"), 12);
  EXPECT_GE(factory.count("cpu"), 12);
}

TEST(Pools, ATaskOfManySlotsIsNotStarvedBySmallOnes) {
  Factory factory(4);
  factory.begin({.id = "small", .tasks = 200});
  factory.begin({.id = "large", .slots = 4});
  int steps = 0;
  while (factory.count("large") == 0 && steps++ < 20) ASSERT_TRUE(factory.step());
  EXPECT_EQ(factory.count("large"), 1);
  EXPECT_EQ(run::pool_used(factory.snapshot, PoolId("default")), 4);
}

TEST(Pools, WhatCanNeverFitHoldsBackNobodyUntilThePoolGrows) {
  Factory factory(8, {{"gpu", 2}});
  factory.begin({.id = "huge", .pool = "gpu", .slots = 3});
  factory.begin({.id = "lost", .pool = "nowhere"});
  factory.begin({.id = "fine", .tasks = 5, .pool = "gpu"});
  while (factory.step()) {
  }
  EXPECT_EQ(factory.count("fine"), 5);
  EXPECT_EQ(factory.count("huge") + factory.count("lost"), 0);
  run::set_pool(factory.snapshot, PoolId("gpu"), run::Pool{3, {}}, factory.now);
  run::set_pool(factory.snapshot, PoolId("nowhere"), run::Pool{1, {}}, factory.now);
  factory.settle();
  EXPECT_EQ(factory.count("huge"), 1);
  EXPECT_EQ(factory.count("lost"), 1);
}

TEST(Pools, ASmallerSizeKillsNothingAndStartsNothing) {
  Factory factory(8, {{"gpu", 4}});
  factory.begin({.id = "d", .tasks = 8, .pool = "gpu"});
  EXPECT_EQ(factory.count("d"), 4);
  run::set_pool(factory.snapshot, PoolId("gpu"), run::Pool{1, {}}, factory.now);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(factory.step());
  EXPECT_EQ(factory.count("d"), 4);
  ASSERT_TRUE(factory.step());
  EXPECT_EQ(factory.count("d"), 5);
}

TEST(Shares, SurviveARestart) {
  Factory factory(1);
  factory.lengths["b"] = std::chrono::seconds(5);
  factory.begin({.id = "a", .tasks = 50});
  factory.begin({.id = "b", .tasks = 50});
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(factory.step());
  const auto stored = run::unsaved_shares(factory.snapshot);
  const run::Snapshot again = test::rebuilt(factory.snapshot, factory.now, stored);
  for (const auto& [dag, lane] : factory.snapshot.queues.at(PoolId("default")).lanes)
    EXPECT_NEAR(again.queues.at(PoolId("default")).lanes.at(dag).virtual_time, lane.time_at(factory.now), 1.0) << dag;
}

TEST(Shares, ADagHasNoCreditFromTheTimeItWantedNothing) {
  Factory factory(1);
  factory.begin({.id = "early"});
  while (factory.step()) {
  }
  factory.begin({.id = "busy", .tasks = 300});
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(factory.step());
  const auto before = factory.count("early");
  const auto busy = factory.count("busy");
  dag::Dag more = dag_of({.id = "early", .tasks = 100});
  factory.add(std::move(more));
  factory.create("early", "second");
  factory.settle();
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(factory.step());
  EXPECT_NEAR(static_cast<double>(factory.count("early") - before), static_cast<double>(factory.count("busy") - busy),
              2);
}

// --- the whole against an oracle
// -------------------------------------------------------------------------------------

std::string text_of(const Plan& plan) {
  std::string text;
  for (const auto& move : plan.run_moves)
    text += move.run.str() + ">" + std::string(run::kRunStates.text(move.to)) + " ";
  for (const auto& move : plan.moves)
    text += move.run.str() + "/" + move.key.str() + ">" + std::string(run::kTaskStates.text(move.to)) + " ";
  for (const auto& launch : plan.launches) text += "launch " + launch.run.str() + "/" + launch.key.str() + " ";
  for (const auto& stop : plan.stops) text += "stop " + stop.attempt.str() + " ";
  for (const auto& fence : plan.fences) text += "fence " + fence.attempt.str() + " ";
  if (plan.empty() && plan.wake_at) text += to_rfc3339(*plan.wake_at);
  return text;
}

class Chaos : public World {
 public:
  explicit Chaos(std::uint64_t seed) : rng_(seed) {
    snapshot.slots_total = 1 + static_cast<int>(rng_.below(4));
    for (const char* pool : {"p", "q"})
      if (rng_.chance(0.7)) run::set_pool(snapshot, PoolId(pool), run::Pool{static_cast<int>(rng_.below(4)), {}}, now);
    for (int i = 0; i < 4; ++i) add_dag("d" + std::to_string(i));
  }

  void step(std::uint64_t seed) {
    now += Duration(static_cast<std::int64_t>(rng_.below(20'000'000)));
    disturb();
    for (int round = 0; round < 50; ++round) {
      const Plan plan = sched::decide(snapshot, now);
      expect_oracle(plan, seed);
      if (plan.empty()) break;
      carry_out(plan);
      for (const Fence& fence : plan.fences)
        finish(fence.attempt.run.str(), fence.attempt.key.str(), TaskState::Failed);
    }
    ASSERT_EQ(test::difference_from_rebuilt(snapshot, now), "") << "seed " << seed;
    const auto wake = sched::decide(snapshot, now).wake_at;
    const Instant quiet = wake ? *wake - Duration(1) : now + std::chrono::hours(1);
    ASSERT_TRUE(sched::decide(snapshot, quiet).empty()) << "time alone changes something, seed " << seed;
  }

 private:
  void add_dag(const std::string& id) {
    dag::Dag dag = make_dag({}, id);
    const std::uint64_t count = 2 + rng_.below(6);
    for (std::uint64_t i = 0; i < count; ++i) {
      test::TaskSketch sketch{"t" + std::to_string(i)};
      if (i > 0 && rng_.chance(0.4)) sketch.needs = {"t" + std::to_string(rng_.below(i))};
      dag.tasks.push_back(test::run_task(sketch));
      dag::Task& task = dag.tasks.back();
      static constexpr const char* kPools[] = {"default", "default", "p", "q"};
      task.pool = PoolId(kPools[rng_.below(4)]);
      task.slots = 1 + static_cast<int>(rng_.below(3));
      task.priority = static_cast<int>(rng_.below(3));
      if (rng_.chance(0.1)) task.kind = dag::TaskKind::Service;
      if (rng_.chance(0.3)) task.retry.lost_after = std::chrono::seconds(30);
    }
    dag.priority_class = dag::kPriorityClasses.rows()[rng_.below(3)].value;
    dag.weight = 0.5 + rng_.unit();
    dag.max_active_runs = 1 + static_cast<int>(rng_.below(3));
    dag.max_active_tasks = rng_.chance(0.3) ? 2 : 0;
    if (rng_.chance(0.2)) dag.timeout = std::chrono::seconds(100);
    test::link(dag);
    add(std::move(dag));
  }

  void disturb() {
    const std::string id = "d" + std::to_string(rng_.below(4));
    switch (rng_.below(8)) {
      case 0: return void(create(id, "r" + std::to_string(1000 + runs_++)));
      case 1: return add_dag_again(id);
      case 2:
        return run::set_pool(
            snapshot, PoolId(rng_.chance(0.5) ? "p" : "q"),
            rng_.chance(0.2) ? std::nullopt : std::optional(run::Pool{static_cast<int>(rng_.below(5)), {}}), now);
      case 3: return cancel_some();
      default: return end_some();
    }
  }
  // A new version of the same tasks, with another class, weight and limits.
  void add_dag_again(const std::string& id) {
    dag::Dag dag = *snapshot.dags.at(DagId(id)).dag;
    dag.priority_class = dag::kPriorityClasses.rows()[rng_.below(3)].value;
    dag.weight = 0.5 + rng_.unit();
    dag.max_active_runs = 1 + static_cast<int>(rng_.below(3));
    snapshot.dags.at(DagId(id)).dag = std::make_shared<const dag::Dag>(std::move(dag));
    run::dag_changed(snapshot, DagId(id), now);
  }
  void cancel_some() {
    for (const auto& [id, run] : snapshot.runs)
      if (rng_.chance(0.1) && (run.state.state == run::RunState::Running || run.state.state == run::RunState::Queued))
        return emit(id, run::RunMoved{run::RunState::Cancelling, {}, run::FailureClass::External});
  }
  void end_some() {
    std::vector<AttemptId> open;
    for (const auto& [id, run] : snapshot.runs)
      open.insert(open.end(), run.open_attempts.begin(), run.open_attempts.end());
    if (open.empty()) return;
    const AttemptId& id = open[rng_.below(open.size())];
    const run::Attempt& attempt = snapshot.runs.at(id.run).state.attempts.at(id);
    if (attempt.state == run::AttemptState::Intent && rng_.chance(0.5))
      return start(id.run.str(), id.key.str(), now + std::chrono::seconds(40));
    if (rng_.chance(0.1) && attempt.state != run::AttemptState::Lost)
      return emit(id.run, run::AttemptEnded{id, run::AttemptState::Lost, run::FailureClass::InfraLost, "gone"});
    const bool cancelled = attempt.state == run::AttemptState::Stopping;
    const bool retry = !cancelled && snapshot.runs.at(id.run).state.state == run::RunState::Running && rng_.chance(0.2);
    finish(id.run.str(), id.key.str(),
           retry       ? TaskState::UpForRetry
           : cancelled ? TaskState::Failed
                       : TaskState::Success);
  }

  // The slow planner: the same, with everything looked at.
  void expect_oracle(const Plan& plan, std::uint64_t seed) const {
    run::Snapshot all = snapshot;
    for (auto& [id, run] : all.runs) {
      for (const auto& [key, instance] : run.state.tasks) run.touched.insert(key);
      all.touched.insert(id);
    }
    ASSERT_EQ(text_of(plan), text_of(sched::decide(all, now))) << "seed " << seed;
  }

  Rng rng_;
  int runs_ = 0;
};

TEST(Chaos, WhatIsKeptIsWhatIsDerivedAndTheSlowPlannerAgrees) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    Chaos chaos(seed);
    for (int i = 0; i < 120 && !::testing::Test::HasFatalFailure(); ++i) chaos.step(seed);
  }
}

}  // namespace
}  // namespace slipway::sched
