// What a daemon finds after the one before it died: rows of the fault table in docs/engine.md.
#include "support/engine_world.h"

namespace slipway::engine {
namespace {

using namespace std::chrono_literals;
using run::AttemptState;
using run::RunState;
using run::TaskState;
using test::at_second;
using test::EngineWorld;

struct Death {};

constexpr const char* kChain = "dag: d\ntasks:\n  a: {run: 'true', secrets: [TOKEN]}\n  b: {needs: a, run: 'true'}\n";

class RecoveryTest : public ::testing::Test, public EngineWorld {
 protected:
  void SetUp() override {
    secrets.values["TOKEN"] = "hush-hush";
    boot();
    put(kChain);
  }
  // The daemon dies at the named effect of its next step.
  void die_at(const std::string& point) {
    executor->set_hook([point](std::string_view what) {
      if (what == point) throw Death{};
    });
    EXPECT_THROW((void)daemon->step(), Death);
    die();
  }
  [[nodiscard]] AttemptId first(const RunId& id) const { return {id, test::key_of("a"), 1}; }
  [[nodiscard]] RunId only_run() const { return disk->runs.begin()->first; }
};

TEST_F(RecoveryTest, DeathBeforeTheCommitForgetsWhatWasNotAcknowledged) {
  store->set_hooks([](const store::Batch&) -> Result<void> { throw Death{}; }, {});
  bool acknowledged = false;
  daemon->submit(TriggerRun{DagId("d"), {}, "", {}}, [&](const Result<Reply>& r) { acknowledged = r.has_value(); });
  EXPECT_THROW((void)daemon->step(), Death);
  die();
  EXPECT_FALSE(acknowledged);
  boot();
  drive();
  EXPECT_TRUE(disk->runs.empty());
  EXPECT_TRUE(machine.processes().empty());
}

TEST_F(RecoveryTest, DeathBetweenIntentAndLaunchLaunchesOnce) {
  daemon->submit(TriggerRun{DagId("d"), {}, "", {}}, {});
  die_at("before launch");
  EXPECT_TRUE(machine.processes().empty());
  boot();
  drive();
  EXPECT_EQ(run(only_run()).state, RunState::Success);
  EXPECT_EQ(machine.find(first(only_run()))->starts, 1);
  EXPECT_EQ(run(only_run()).attempts.size(), 2U);
}

TEST_F(RecoveryTest, DeathBetweenLaunchAndItsReportAdopts) {
  daemon->submit(TriggerRun{DagId("d"), {}, "", {}}, {});
  die_at("after launch");
  EXPECT_EQ(machine.processes().size(), 1U);
  boot();
  drive();
  EXPECT_EQ(run(only_run()).state, RunState::Success);
  EXPECT_EQ(machine.find(first(only_run()))->starts, 1);
}

TEST_F(RecoveryTest, ALaunchThatIsRepeatedIsTheOneThatWasRecorded) {
  daemon->submit(TriggerRun{DagId("d"), {}, "", {}}, {});
  die_at("before launch");
  options.server_url = "http://elsewhere";
  boot();
  executor->pump();
  const exec::LaunchSpec& spec = launched.at(first(only_run()));
  EXPECT_EQ(spec.env.at("SLIPWAY_URL"),
            "http://elsewhere");  // what is said of the daemon is true of the one that lives
  EXPECT_EQ(spec.secret_env.at("TOKEN").reveal(), "hush-hush");
  EXPECT_EQ(spec.env.count("TOKEN"), 0U);
}

TEST_F(RecoveryTest, AnEndDuringTheOutageIsFound) {
  scripts["a"].run_time = 30s;
  const RunId id = trigger();
  drive(at_second(10));
  die();
  clock.advance(1h);
  boot();
  drive();
  EXPECT_EQ(run(id).state, RunState::Success);
  EXPECT_EQ(run(id).attempts.at(first(id)).ended_at, at_second(30));
}

TEST_F(RecoveryTest, ARunningTaskIsNeitherKilledNorRepeated) {
  scripts["a"].run_time = 1h;
  const RunId id = trigger();
  drive(at_second(10));
  for (int i = 0; i < 5; ++i) {
    die();
    clock.advance(60s);
    boot();
    drive(clock.now() + 60s);
    EXPECT_EQ(task(id, "a").state, TaskState::Active);
  }
  drive();
  EXPECT_EQ(run(id).state, RunState::Success);
  EXPECT_EQ(machine.processes().size(), 2U);
}

TEST_F(RecoveryTest, AStopThatWasCommittedIsCarriedOut) {
  scripts["a"].run_time.reset();
  const RunId id = trigger();
  drive(at_second(10));
  daemon->submit(CancelRun{id}, {});
  die_at("before stop");
  boot();
  drive();
  EXPECT_EQ(run(id).state, RunState::Cancelled);
}

TEST_F(RecoveryTest, AnEndBeforeTheCommittedStopKeepsItsResult) {
  scripts["a"].run_time = 30s;
  const RunId id = trigger();
  drive(at_second(10));
  clock.advance_to(at_second(31));
  ASSERT_TRUE(ask(CancelRun{id}));
  drive();
  EXPECT_EQ(task(id, "a").state, TaskState::Success);
  EXPECT_EQ(run(id).state, RunState::Cancelled);
}

TEST_F(RecoveryTest, AnIntentWhoseSecretIsGoneIsLookedForInsteadOfLaunched) {
  daemon->submit(TriggerRun{DagId("d"), {}, "", {}}, {});
  die_at("before launch");
  secrets.values.clear();
  boot();
  drive(at_second(5));
  EXPECT_EQ(run(only_run()).attempts.at(first(only_run())).failure, run::FailureClass::InfraLost);
  EXPECT_EQ(machine.find(first(only_run()))->starts, 0);
}

TEST_F(RecoveryTest, RetriesDueDuringTheOutageHappenOnce) {
  put("dag: r\ntasks:\n  x: {run: 'true', retry: {limit: 1, delay: 60s}}\n", "r.yaml");
  scripts["x"].exit_code = 1;
  const RunId id = trigger("r");
  drive(at_second(5));
  EXPECT_EQ(task(id, "x").state, TaskState::UpForRetry);
  die();
  clock.advance(1h);
  scripts["x"].exit_code = 0;
  boot();
  drive();
  EXPECT_EQ(task(id, "x").attempts, 2);
  EXPECT_EQ(run(id).state, RunState::Success);
}

TEST_F(RecoveryTest, TicksDuringTheOutageFollowMissed) {
  put("dag: last\nschedule: {every: 1h}\ntasks:\n  x: {run: 'true'}\n", "last.yaml");
  put("dag: all\nmax_active_runs: 9\nschedule: {every: 1h, missed: all}\ntasks:\n  x: {run: 'true'}\n", "all.yaml");
  put("dag: none\nschedule: {every: 1h, missed: none, grace: 1s}\ntasks:\n  x: {run: 'true'}\n", "none.yaml");
  die();
  clock.advance(5h);
  boot();
  step();
  std::map<std::string, int> runs;
  for (const auto& [id, run] : disk->runs) ++runs[run.header.dag.str()];
  EXPECT_EQ(runs, (std::map<std::string, int>{{"last", 1}, {"all", 5}}));
}

TEST_F(RecoveryTest, TheClockIsSetWhileTheDaemonIsDown) {
  for (const Duration by : {Duration(24h), Duration(-24h), Duration(1h), Duration(-1h)}) {
    disk = std::make_shared<test::MemoryDisk>();
    boot();
    put("dag: d\ntimeout: 300s\ntasks:\n  a: {run: 'true', timeout: 60s}\n");
    scripts["a"].run_time.reset();
    const RunId id = trigger();
    executor->pump();
    ASSERT_EQ(step(), clock.now() + 60s);
    die();
    clock.advance(10s);
    clock.set_wall(clock.now() + by);
    boot();
    executor->pump();
    EXPECT_EQ(step(), clock.now() + 50s) << to_seconds(by);
    EXPECT_EQ(run(id).attempts.size(), 1U);
    die();
    boot();
    EXPECT_EQ(step(), clock.now() + 50s) << "once";
    die();
  }
}

// Nothing but the wall clock is left then: it is believed, but nothing can have got longer.
TEST_F(RecoveryTest, TheMachineRestartsWithAClockThatMayBeWrong) {
  const std::pair<Duration, Duration> rows[] = {{20s, 40s}, {-1h, 60s}, {-24h, 60s}, {0s, 60s}};
  for (const auto& [off, left] : rows) {
    disk = std::make_shared<test::MemoryDisk>();
    boot();
    put("dag: d\ntimeout: 300s\ntasks:\n  a: {run: 'true', timeout: 60s}\n");
    scripts["a"].run_time.reset();
    trigger();
    executor->pump();
    ASSERT_EQ(step(), clock.now() + 60s);
    die();
    clock.reboot(off);
    boot();
    executor->pump();
    EXPECT_EQ(step(), clock.now() + left) << to_seconds(off);
    die();
  }
}

TEST_F(RecoveryTest, RunIdsGoOnRisingWhenTheClockWasSetBack) {
  const RunId before = trigger();
  die();
  clock.set_wall(clock.now() - 24h);
  boot();
  EXPECT_LT(before, trigger());
}

TEST_F(RecoveryTest, ARunWhoseVersionIsUnreadableIsLeftAlone) {
  const RunId id = trigger();
  die();
  for (auto& [version, row] : disk->versions) row.text = "dag: [";
  boot();
  EXPECT_TRUE(daemon->snapshot().runs.empty());
  EXPECT_EQ(ask(CancelRun{id}).error().code, ErrorCode::Conflict);
  put("dag: e\ntasks:\n  a: {run: 'true'}\n", "e.yaml");
  const RunId other = trigger("e");
  drive();
  EXPECT_EQ(run(other).state, RunState::Success);
  EXPECT_EQ(run(id).state, RunState::Running);
}

TEST_F(RecoveryTest, EveryRunIsNamedBeforeItIsWorkedOn) {
  const RunId id = trigger();
  drive();
  EXPECT_EQ(suspects.named.count("run " + id.str()), 1U);
  EXPECT_EQ(suspects.current, "") << "nothing is worked on after a step";
  die();
  suspects.named.clear();
  boot();
  EXPECT_EQ(suspects.named.count("file d.yaml@" + disk->dags.at(DagId("d")).version.str().substr(0, 12)), 1U);
}

TEST_F(RecoveryTest, ARunThatIsSetAsideIsLeftAloneAndTheRestGoesOn) {
  scripts["a"] = {.run_time = 60s};
  const RunId poisoned = trigger();
  put("dag: other\ntasks:\n  a: {run: 'true'}\n", "other.yaml");
  const RunId other = trigger("other");
  drive(at_second(5));
  die();
  suspects.aside = {"run " + poisoned.str()};
  boot();
  drive();
  EXPECT_EQ(run(other).state, RunState::Success);
  EXPECT_EQ(run(poisoned).state, RunState::Running);
  const auto cancelled = ask(CancelRun{poisoned});
  ASSERT_FALSE(cancelled);
  EXPECT_EQ(cancelled.error().code, ErrorCode::Conflict);
  die();
  suspects.aside.clear();
  boot();
  drive();
  EXPECT_EQ(run(poisoned).state, RunState::Success) << "released, it goes on where it was";
  EXPECT_EQ(machine.find(first(poisoned))->starts, 1);
}

TEST_F(RecoveryTest, AFileThatIsSetAsideSaysSoUntilItIsEdited) {
  const store::DagRow& row = disk->dags.at(DagId("d"));
  die();
  suspects.aside = {"file d.yaml@" + row.version.str().substr(0, 12)};
  boot();
  put(kChain);
  EXPECT_NE(row.error.find("slipway db release"), std::string::npos) << row.error;
  EXPECT_FALSE(ask(TriggerRun{DagId("d"), {}, "", {}}));
  put(std::string(kChain) + "# edited\n");
  EXPECT_EQ(row.error, "");
  trigger();
}

TEST_F(RecoveryTest, ADagThatIsSetAsideMakesNoRunsWhateverItsFileSays) {
  die();
  suspects.aside = {"dag d"};
  boot();
  put(std::string(kChain) + "# edited\n");
  EXPECT_NE(disk->dags.at(DagId("d")).error.find("dag d"), std::string::npos);
  EXPECT_FALSE(ask(TriggerRun{DagId("d"), {}, "", {}}));
}

}  // namespace
}  // namespace slipway::engine
