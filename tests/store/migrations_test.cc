#include "store/migrations.h"

#include <gmock/gmock.h>

#include <fstream>

#include "slipway/store/findings.h"
#include "store/story.h"
#include "support/golden.h"

namespace slipway::store {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::unique_ptr<Connection> open(const std::string& path) {
  return expect_ok(Connection::open({.path = path, .read_only = false, .vfs = {}}));
}

std::string schema_of(Connection& connection) {
  std::string text;
  expect_ok(connection.query("SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type DESC, name")
                .each([&](Row& row) {
                  (void)row.text();
                  (void)row.text();
                  text += row.text() + ";\n\n";
                }));
  return text;
}

std::int64_t setting(Connection& connection, const std::string& name) {
  std::int64_t value = -1;
  expect_ok(connection.query("PRAGMA " + name).each([&](Row& row) { value = row.integer(); }));
  return value;
}

TEST(Migrations, LeadToTheGoldenSchema) {
  const TempFolder folder;
  const auto connection = open(folder / "a.db");
  expect_ok(migrate(*connection, folder / "a.db", migrations()));
  test::expect_golden("tests/golden/store/schema.sql", schema_of(*connection));
  EXPECT_EQ(expect_ok(schema_version(*connection)), static_cast<int>(migrations().size()));
}

TEST(Migrations, AppliedTwiceChangeNothing) {
  const TempFolder folder;
  const auto connection = open(folder / "a.db");
  expect_ok(migrate(*connection, folder / "a.db", migrations()));
  const auto before = setting(*connection, "schema_version");
  expect_ok(migrate(*connection, folder / "a.db", migrations()));
  EXPECT_EQ(setting(*connection, "schema_version"), before);
}

constexpr Migration kNext{"9999_more", "CREATE TABLE more (a INTEGER NOT NULL) STRICT"};
constexpr Migration kBroken{"9999_broken",
                            "CREATE TABLE more (a INTEGER NOT NULL) STRICT; INSERT INTO nowhere VALUES (1)"};

// The schema of today, and one more.
std::vector<Migration> and_then(const Migration& next) {
  const auto known = migrations();
  std::vector<Migration> steps(known.begin(), known.end());
  steps.push_back(next);
  return steps;
}

class UpgradeTest : public ::testing::Test {
 protected:
  UpgradeTest() { expect_ok(expect_ok(open_sqlite(path))->commit({.blobs = {{{"token", "kept"}, "bytes"}}})); }

  TempFolder folder;
  std::string path = folder / "slipway.db";
  int schema = static_cast<int>(migrations().size());
  std::string backup = path + ".schema-" + std::to_string(schema) + ".backup";
};

TEST_F(UpgradeTest, CopiesTheOlderDatabaseFirst) {
  const auto steps = and_then(kNext);
  const auto connection = open(path);
  expect_ok(migrate(*connection, path, steps));
  EXPECT_THAT(schema_of(*connection), HasSubstr("CREATE TABLE more"));
  EXPECT_EQ(expect_ok(schema_version(*connection)), schema + 1);
  const auto old = expect_ok(open_sqlite(backup));
  EXPECT_EQ(expect_ok(old->blobs("token")).at("kept"), "bytes");
}

TEST_F(UpgradeTest, AFailedStepLeavesTheSchemaBeforeIt) {
  const auto steps = and_then(kBroken);
  {
    const auto connection = open(path);
    const auto failed = migrate(*connection, path, steps);
    ASSERT_FALSE(failed);
    EXPECT_THAT(failed.error().message, HasSubstr("migration 9999_broken: database: no such table: nowhere"));
    EXPECT_EQ(schema_of(*connection).find("CREATE TABLE more"), std::string::npos);
  }
  EXPECT_EQ(expect_ok(expect_ok(open_sqlite(path))->blobs("token")).at("kept"), "bytes");
}

TEST_F(UpgradeTest, RefusesANewerSchema) {
  const auto steps = and_then(kNext);
  expect_ok(migrate(*open(path), path, steps));
  const auto refused = open_sqlite(path);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::Unsupported);
  EXPECT_THAT(refused.error().message, HasSubstr("the database has schema " + std::to_string(schema + 1) +
                                                 ", this slipway knows schemas up to " + std::to_string(schema)));
}

TEST(OpenSqlite, RefusesADatabaseOfAnotherProgram) {
  const TempFolder folder;
  expect_ok(open(folder / "a.db")->execute("CREATE TABLE t (a)"));
  EXPECT_EQ(open_sqlite(folder / "a.db").error().code, ErrorCode::Corrupt);
}

TEST(OpenSqlite, RefusesAFileThatIsNoDatabase) {
  const TempFolder folder;
  std::ofstream(folder / "a.db") << std::string(8'192, 'x');
  EXPECT_EQ(open_sqlite(folder / "a.db").error().code, ErrorCode::Corrupt);
}

TEST(OpenSqlite, SetsWhatTheContractNeeds) {
  const TempFolder folder;
  const auto connection = open(folder / "a.db");
  EXPECT_EQ(setting(*connection, "synchronous"), 2);
  EXPECT_EQ(setting(*connection, "wal_autocheckpoint"), 0);
  EXPECT_EQ(setting(*connection, "foreign_keys"), 1);
  EXPECT_EQ(setting(*connection, "auto_vacuum"), 2);
  EXPECT_EQ(setting(*connection, "trusted_schema"), 0);
  EXPECT_EQ(setting(*connection, "cell_size_check"), 1);
  EXPECT_EQ(setting(*connection, "mmap_size"), 0);
  EXPECT_EQ(setting(*connection, "secure_delete"), 2);
  EXPECT_EQ(setting(*connection, "busy_timeout"), 5'000);
}

// A database with a bit of everything, as this schema stores it.
void freeze(const std::string& path) {
  const auto store = expect_ok(open_sqlite(path));
  Story over(header(1));
  over.start().finish_task().end(run::RunState::Success);
  expect_ok(store->commit(over.batch()));
  Story open_run(header(2));
  open_run.start();
  auto batch = open_run.batch();
  batch.vars = {{"BUCKET", Value("b")}};
  batch.dags = {{.id = DagId("nightly"), .version = VersionId("v1"), .cursors = {{"daily", kNoon}}}};
  expect_ok(store->commit(batch));
  expect_ok(store->commit({.blobs = {{{"secret", "HF_TOKEN"}, "sealed"}}}));
}

// One per released schema. They are never rewritten; SLIPWAY_UPDATE_GOLDENS=1 makes the newest where it is absent.
std::filesystem::path frozen(int schema) {
  const std::string path = SLIPWAY_SOURCE_DIR "/tests/upgrade/schema-" + std::to_string(schema) + ".db";
  const bool newest = schema == static_cast<int>(migrations().size());
  if (newest && !std::filesystem::exists(path) && std::getenv("SLIPWAY_UPDATE_GOLDENS") != nullptr) freeze(path);
  return path;
}

TEST(Upgrade, FromSchema1) {
  const TempFolder folder;
  std::filesystem::copy_file(frozen(1), folder / "slipway.db");
  const auto store = expect_ok(open_sqlite(folder / "slipway.db"));
  EXPECT_THAT(expect_ok(store->check()), IsEmpty());
  const auto recovered = expect_ok(store->recover());
  ASSERT_EQ(recovered.runs.size(), 1U);
  Story open_run(header(2));
  open_run.start();
  EXPECT_EQ(recovered.runs[0], open_run.run);
  Story over(header(1));
  over.start().finish_task().end(run::RunState::Success);
  EXPECT_EQ(expect_ok(store->load_run(run_id(1))), over.run);
  EXPECT_EQ(recovered.vars, Value(Value::Object{{"BUCKET", "b"}}));
  EXPECT_EQ(expect_ok(store->blobs("secret")).at("HF_TOKEN"), "sealed");
}

TEST(PlanUpgrade, TellsEachStepAndChangesNothing) {
  const TempFolder folder;
  const std::string path = folder / "slipway.db";
  EXPECT_EQ(plan_upgrade(path).error().code, ErrorCode::NotFound);
  EXPECT_FALSE(std::filesystem::exists(path));
  std::filesystem::copy_file(frozen(1), path);
  const auto due = expect_ok(plan_upgrade(path));
  EXPECT_EQ(due.from, 1);
  EXPECT_EQ(due.to, static_cast<int>(migrations().size()));
  ASSERT_EQ(due.steps.size(), migrations().size() - 1);
  EXPECT_EQ(due.steps.front(), migrations()[1].name);
  EXPECT_EQ(due.backup, path + ".schema-1.backup");
  EXPECT_EQ(expect_ok(plan_upgrade(path)).from, 1);
}

TEST(UpgradeSqlite, DoesWhatWasPlannedOnce) {
  const TempFolder folder;
  const std::string path = folder / "slipway.db";
  std::filesystem::copy_file(frozen(1), path);
  const auto done = expect_ok(upgrade_sqlite(path));
  EXPECT_EQ(done.from, 1);
  EXPECT_TRUE(std::filesystem::exists(done.backup));
  const auto again = expect_ok(upgrade_sqlite(path));
  EXPECT_EQ(again.from, again.to);
  EXPECT_THAT(again.steps, IsEmpty());
  EXPECT_EQ(again.backup, "");
}

TEST_F(UpgradeTest, ANewerSchemaIsNotPlannedFor) {
  const auto steps = and_then(kNext);
  expect_ok(migrate(*open(path), path, steps));
  EXPECT_EQ(plan_upgrade(path).error().code, ErrorCode::Unsupported);
  EXPECT_EQ(look_at_sqlite(path).error().code, ErrorCode::Unsupported);
}

TEST_F(UpgradeTest, LookingReadsBesideAWriterAndChangesNothing) {
  const auto writer = expect_ok(open_sqlite(path));
  expect_ok(writer->commit({.blobs = {{{"token", "new"}, "more"}}}));
  const auto looked = expect_ok(look_at_sqlite(path));
  EXPECT_EQ(expect_ok(looked->blobs("token")).at("new"), "more");
  EXPECT_EQ(expect_ok(check_report(*looked)).dump(), R"({"findings":[]})");
  EXPECT_FALSE(looked->commit({.blobs = {{{"token", "other"}, "x"}}}));
  expect_ok(writer->commit({.blobs = {{{"token", "newer"}, "y"}}}));
  EXPECT_EQ(expect_ok(looked->blobs("token")).at("newer"), "y");
}

TEST(LookAtSqlite, OfAnOlderSchemaNamesTheCure) {
  const TempFolder folder;
  const std::string path = folder / "slipway.db";
  std::filesystem::copy_file(frozen(1), path);
  const auto refused = look_at_sqlite(path);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::Unsupported);
  EXPECT_THAT(refused.error().help, HasSubstr("slipway db migrate"));
}

}  // namespace
}  // namespace slipway::store
