#include "slipway/engine/prune.h"

#include <filesystem>
#include <fstream>

#include "slipway/exec/attempt_folder.h"
#include "support/engine_world.h"
#include "support/temp_folder.h"

namespace slipway::engine {
namespace {

using namespace std::chrono_literals;
using test::EngineWorld;

class PruneTest : public ::testing::Test, public EngineWorld {
 protected:
  void SetUp() override {
    boot();
    put("dag: d\ntasks:\n  a: {run: 'true'}\n");
    put("dag: e\ntasks:\n  a: {run: 'true'}\n", "e.yaml");
  }
  // Over, with the files that its task would have left.
  RunId finished(const std::string& dag) {
    const RunId id = trigger(dag);
    drive();
    clock.advance_to(clock.now() + 1h);
    for (const auto& folder : folders(id)) {
      std::filesystem::create_directories(folder);
      std::ofstream(folder / "file") << "x";
    }
    return id;
  }
  std::vector<std::filesystem::path> folders(const RunId& run) {
    const AttemptId id{run, test::key_of("a"), 1};
    return {exec::attempt_folder(home.path(), id), exec::artifact_folder(home.path(), id),
            exec::workspace_folder(home.path(), run)};
  }
  bool is_there(const RunId& run) {
    int there = static_cast<int>(disk->runs.count(run));
    for (const auto& folder : folders(run)) there += std::filesystem::exists(folder) ? 1 : 0;
    EXPECT_TRUE(there == 0 || there == 4) << run << ": " << there;
    return there > 0;
  }
  Result<Pruned> prune(const PruneWish& wish = {}, int limit = 100) {
    const PruneSteps steps{[this](const std::vector<RunId>& runs) -> Result<void> {
                             SLIPWAY_TRY(ask(CondemnRuns{runs}));
                             return {};
                           },
                           [this](const RunId& run) -> Result<bool> {
                             SLIPWAY_TRY_ASSIGN(const auto done, ask(EraseRun{run}));
                             return done.more;
                           }};
    return engine::prune({*store, home.path().string(), retention, clock.now()}, wish, limit, steps);
  }

  test::TempFolder home;
  engine::Retention retention;
};

TEST_F(PruneTest, RetentionCountsByDag) {
  retention.runs = 2;
  const std::vector<RunId> d{finished("d"), finished("d"), finished("d")};
  const RunId e = finished("e");
  EXPECT_EQ(prune()->runs, std::vector{d[0]});
  EXPECT_FALSE(is_there(d[0]));
  EXPECT_TRUE(is_there(d[1]));
  EXPECT_TRUE(is_there(d[2]));
  EXPECT_TRUE(is_there(e));
  EXPECT_TRUE(prune()->runs.empty());
}

TEST_F(PruneTest, BeyondEitherBoundARunGoes) {
  const std::vector<RunId> runs{finished("d"), finished("d"), finished("d")};
  retention = {2, 90min};
  EXPECT_EQ(prune()->runs, (std::vector{runs[0], runs[1]}));
  clock.advance_to(clock.now() + 2h);
  EXPECT_EQ(prune()->runs, std::vector{runs[2]});
  retention = {};
  const RunId kept = finished("d");
  clock.advance_to(clock.now() + 10'000h);
  EXPECT_TRUE(prune()->runs.empty());
  EXPECT_TRUE(is_there(kept));
}

TEST_F(PruneTest, ADagsOwnBoundStandsInPlaceOfTheServers) {
  const std::vector<RunId> runs{finished("d"), finished("d"), finished("d")};
  retention.runs = 3;
  EXPECT_TRUE(prune()->runs.empty());
  put("dag: d\nretention: {runs: 1}\ntasks:\n  a: {run: 'true'}\n");
  EXPECT_EQ(prune()->runs, (std::vector{runs[0], runs[1]}));
  put("dag: d\nretention: {age: 1h}\ntasks:\n  a: {run: 'true'}\n");
  clock.advance_to(clock.now() + 2h);
  EXPECT_EQ(prune()->runs, std::vector{runs[2]});
}

TEST_F(PruneTest, AWishReplacesTheRetention) {
  const RunId old = finished("d");
  const RunId late = finished("d");
  const RunId other = finished("e");
  EXPECT_EQ(prune({.dag = DagId("d"), .older_than = {}, .keep = 1})->runs, std::vector{old});
  EXPECT_EQ(prune({.dag = {}, .older_than = 90min, .keep = {}})->runs, std::vector{late});
  EXPECT_EQ(prune({.dag = {}, .older_than = {}, .keep = 0})->runs, std::vector{other});
  EXPECT_EQ(prune({.dag = DagId("x"), .older_than = {}, .keep = 0}).error().code, ErrorCode::NotFound);
}

TEST_F(PruneTest, ADryRunOnlyTells) {
  const RunId run = finished("d");
  EXPECT_EQ(prune({.dag = {}, .older_than = {}, .keep = 0, .dry_run = true})->runs, std::vector{run});
  EXPECT_TRUE(is_there(run));
}

TEST_F(PruneTest, GoesOnWhereTheLimitStoppedIt) {
  const std::vector<RunId> runs{finished("d"), finished("d"), finished("e")};
  const PruneWish all{.dag = {}, .older_than = {}, .keep = 0};
  const auto first = prune(all, 2);
  EXPECT_EQ(first->runs, (std::vector{runs[0], runs[1]}));
  EXPECT_TRUE(first->more);
  const auto second = prune(all, 2);
  EXPECT_EQ(second->runs, std::vector{runs[2]});
  EXPECT_FALSE(second->more);
}

TEST_F(PruneTest, WhatIsNotOverStays) {
  scripts["a"].run_time = 10h;
  const RunId id = trigger("d");
  step();
  EXPECT_TRUE(prune({.dag = {}, .older_than = {}, .keep = 0})->runs.empty());
  ASSERT_TRUE(ask(CondemnRuns{{id}}));
  EXPECT_EQ(disk->runs.count(id), 1U);
}

TEST_F(PruneTest, WhatACrashLeftIsRemovedByTheNext) {
  const RunId run = finished("d");
  ASSERT_TRUE(ask(CondemnRuns{{run}}));
  die();
  boot();
  EXPECT_EQ(prune()->runs, std::vector{run});
  EXPECT_FALSE(is_there(run));
}

}  // namespace
}  // namespace slipway::engine
