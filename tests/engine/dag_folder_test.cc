#include "slipway/base/sha256.h"
#include "support/engine_world.h"

namespace slipway::engine {
namespace {

using namespace std::chrono_literals;
using test::at_second;
using test::EngineWorld;

constexpr const char* kGood = "dag: d\ntasks:\n  a: {run: 'true'}\n";
constexpr const char* kBroken = "dag: d\ntasks:\n  a: {run: 'true', needs: nobody}\n";

class DagFolderTest : public ::testing::Test, public EngineWorld {
 protected:
  void SetUp() override { boot(); }
  void folder(std::vector<DagFile> files, bool complete = true) {
    ASSERT_TRUE(ask(DagFolder{std::move(files), complete}));
  }
  const store::DagRow& row(const char* id = "d") { return disk->dags.at(DagId(id)); }
};

TEST_F(DagFolderTest, AVersionIsTheHashOfTheBytes) {
  put(kGood);
  EXPECT_EQ(row().version, VersionId(sha256_hex(kGood)));
  EXPECT_EQ(disk->versions.at(row().version).text, kGood);
  const std::uint64_t commits = disk->commits;
  put(kGood);
  EXPECT_EQ(disk->commits, commits) << "the same bytes again change nothing";
}

TEST_F(DagFolderTest, ABrokenFileLeavesTheLastGoodVersionAtWork) {
  put(kGood);
  const VersionId good = row().version;
  put(kBroken);
  EXPECT_EQ(row().version, good);
  EXPECT_NE(row().error.find("nobody"), std::string::npos) << row().error;
  trigger();
  die();
  boot();
  EXPECT_FALSE(row().error.empty());
  put(kGood);
  EXPECT_TRUE(row().error.empty());
}

TEST_F(DagFolderTest, AFileThatWasNeverValidIsKeptUnderItsName) {
  put(kBroken, "fresh.yaml");
  EXPECT_FALSE(row("fresh").error.empty());
  const auto reply = ask(TriggerRun{DagId("fresh"), {}, "", {}});
  EXPECT_EQ(reply.error().code, ErrorCode::Conflict);
  die();
  boot();
  EXPECT_EQ(ask(TriggerRun{DagId("fresh"), {}, "", {}}).error().code, ErrorCode::Conflict);
  put("dag: other\ntasks:\n  a: {run: 'true'}\n", "fresh.yaml");
  EXPECT_FALSE(row("fresh").present);
  EXPECT_TRUE(row("other").present);
}

TEST_F(DagFolderTest, ABrokenFileBringsBackOnlyTheDagItHeld) {
  put("dag: d\nschedule: {every: 1h}\ntasks:\n  a: {run: 'true'}\n", "old.yaml");
  folder({});
  put(kBroken, "d.yaml");
  EXPECT_FALSE(row().present) << "d.yaml is not the file that d came from";
  put(kGood, "d.yaml");
  folder({});
  put(kBroken, "d.yaml");
  EXPECT_TRUE(row().present) << "a file that was replaced by a broken one keeps its last good version";
  EXPECT_FALSE(row().error.empty());
  trigger();
}

TEST_F(DagFolderTest, WithoutItsManifestADagIsNotActivated) {
  put("dag: d\ntasks:\n  a: {apply: web.yaml}\n");
  EXPECT_NE(row().error.find("missing-file"), std::string::npos) << row().error;
  EXPECT_TRUE(row().version.empty());
}

TEST_F(DagFolderTest, ManifestsAreNoDags) {
  put("apiVersion: v1\nkind: Service\nmetadata: {name: x}\n", "service.yaml");
  EXPECT_TRUE(disk->dags.empty());
}

TEST_F(DagFolderTest, AFileThatIsGoneTakesNoNewRunsAndKeepsTheOld) {
  put("dag: d\nschedule: {every: 1h}\ntasks:\n  a: {run: 'true'}\n  b: {needs: a, run: 'true'}\n");
  scripts["a"].run_time = 600s;
  const RunId id = trigger();
  folder({});
  EXPECT_FALSE(row().present);
  EXPECT_EQ(ask(TriggerRun{DagId("d"), {}, "", {}}).error().code, ErrorCode::NotFound);
  drive();
  EXPECT_EQ(run(id).state, run::RunState::Success);
  EXPECT_EQ(disk->runs.size(), 1U);
  die();
  boot();
  EXPECT_FALSE(step().has_value());
  put(kGood);
  EXPECT_TRUE(row().present);
  trigger();
}

TEST_F(DagFolderTest, TwoFilesWithOneIdAreAMistake) {
  put(kGood, "one.yaml");
  const VersionId first = row().version;
  put(std::string(kGood) + "# two\n", "two.yaml");
  EXPECT_EQ(row().version, first);
  EXPECT_EQ(row().error, "two.yaml: DAG `d` is defined by one.yaml too");
}

TEST_F(DagFolderTest, ARenamedFileIsTheSameDag) {
  put(kGood, "one.yaml");
  folder({{"two.yaml", kGood, true}});
  EXPECT_TRUE(row().present);
  EXPECT_EQ(row().file, "two.yaml");
  folder({{"three.yaml", kGood, true}, {"two.yaml", "", false}}, false);
  folder({{"two.yaml", kGood, true}, {"three.yaml", "", false}}, false);
  EXPECT_TRUE(row().present);
  EXPECT_EQ(row().file, "two.yaml");
  EXPECT_TRUE(row().error.empty());
}

TEST_F(DagFolderTest, ARunKeepsTheVersionItStartedWith) {
  put("dag: d\ntasks:\n  a: {run: 'true'}\n  old: {needs: a, run: 'true'}\n");
  scripts["a"].run_time = 60s;
  const RunId id = trigger();
  drive(at_second(1));
  put("dag: d\ntasks:\n  a: {run: 'true'}\n  new: {needs: a, run: 'true'}\n");
  die();
  boot();
  drive();
  EXPECT_EQ(task(id, "old").state, run::TaskState::Success);
  EXPECT_EQ(run(id).tasks.count(test::key_of("new")), 0U);
}

TEST_F(DagFolderTest, NewSchedulesDoNotFireForThePast) {
  put("dag: d\nschedule: {name: s, every: 1h, missed: all}\ntasks:\n  a: {run: 'true'}\n");
  EXPECT_EQ(row().cursors.at("s"), clock.now());
}

TEST_F(DagFolderTest, MissedAllBeginsAtItsStart) {
  put("dag: d\nmax_active_runs: 100\nschedule: {name: s, every: 1h, missed: all, start: 2023-11-14T20:00:00Z}\n"
      "tasks:\n  a: {run: 'true'}\n");
  EXPECT_EQ(disk->runs.size(), 3U);
}

TEST_F(DagFolderTest, TicksAreNotRepeatedWhenTheLastVersionWasUnreadable) {
  const std::string text =
      "dag: d\nmax_active_runs: 100\nschedule: {name: s, every: 1h, missed: all, start: 2023-11-14T20:00:00Z}\n"
      "tasks:\n  a: {run: 'true'}\n";
  put(text);
  drive(clock.now() + 1s);
  die();
  for (auto& [version, row] : disk->versions) row.text = "dag: [";
  boot();
  put(text + "# readable again\n");
  drive(clock.now() + 1s);
  EXPECT_EQ(disk->runs.size(), 3U);
}

TEST_F(DagFolderTest, AnEditedScheduleGoesOnFromNow) {
  put("dag: d\nschedule: {name: s, every: 1h}\ntasks:\n  a: {run: 'true'}\n");
  ASSERT_TRUE(ask(PauseDag{DagId("d"), true}));
  drive(clock.now() + 10h);
  put("dag: d\nschedule: {name: s, every: 2h}\ntasks:\n  a: {run: 'true'}\n");
  EXPECT_EQ(row().cursors.at("s"), clock.now());
  EXPECT_TRUE(row().paused) << "an edit does not unpause";
  const Instant cursor = row().cursors.at("s");
  clock.advance(1h);
  put("dag: d\nschedule: {name: s, every: 2h, missed: none}\ntasks:\n  a: {run: 'true'}\n");
  EXPECT_EQ(row().cursors.at("s"), cursor) << "other fields leave the cursor";
}

TEST_F(DagFolderTest, PausedOnCreateHoldsUntilSomebodySaysSo) {
  put("dag: d\npaused_on_create: true\nschedule: {every: 1h}\ntasks:\n  a: {run: 'true'}\n");
  EXPECT_TRUE(row().paused);
  ASSERT_TRUE(ask(PauseDag{DagId("d"), false}));
  put("dag: d\npaused_on_create: true\nschedule: {every: 1h}\ntasks:\n  b: {run: 'true'}\n");
  EXPECT_FALSE(row().paused);
}

}  // namespace
}  // namespace slipway::engine
