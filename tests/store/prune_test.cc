// What is left of a run that is removed: nothing, in slices that a crash may come between.
#include <gmock/gmock.h>

#include "store/fault_vfs.h"
#include "store/sqlite.h"
#include "store/story.h"

namespace slipway::store {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class PruneTest : public ::testing::Test {
 protected:
  // Over, with one attempt and `tasks` further instances.
  run::RunHeader big(int n) {
    auto head = header(n);
    head.version = VersionId("v" + std::to_string(n));
    return head;
  }
  void commit_big(int n, int tasks) {
    run::RunCreated created{big(n), {Story::prepare()}};
    for (int i = 0; i < tasks; ++i) created.tasks.push_back({TaskId("t"), i});
    Story story(std::move(created));
    story.start().finish_task();
    for (int i = 0; i < tasks; ++i) story.tell(run::TaskMoved{{TaskId("t"), i}, run::TaskState::Skipped, "no"});
    story.tell(run::RunMoved{run::RunState::Success});
    auto batch = story.batch();
    batch.versions[0].id = story.run.header.version;
    expect_ok(store->commit(batch));
  }
  int erase(int n) {
    int slices = 1;
    while (expect_ok(store->erase(run_id(n)))) ++slices;
    return slices;
  }
  // Rows that name the run, by table: of every table that could.
  std::map<std::string, std::int64_t> rows_of(int n) {
    const auto connection = expect_ok(Connection::open({.path = path, .read_only = true, .vfs = {}}));
    std::vector<std::string> tables;
    expect_ok(connection
                  ->query("SELECT m.name FROM sqlite_schema m, pragma_table_info(m.name) c "
                          "WHERE m.type = 'table' AND c.name = 'run'")
                  .each([&](Row& row) { tables.push_back(row.text()); }));
    std::map<std::string, std::int64_t> rows;
    for (const auto& table : tables)
      expect_ok(
          connection->query("SELECT COUNT(*) FROM " + table + " WHERE run = ?").bind(run_id(n)).each([&](Row& row) {
            rows[table] = row.integer();
          }));
    return rows;
  }
  std::int64_t count(const std::string& what) {
    const auto connection = expect_ok(Connection::open({.path = path, .read_only = true, .vfs = {}}));
    std::int64_t value = -1;
    expect_ok(connection->query("SELECT COUNT(*) FROM " + what).each([&](Row& row) { value = row.integer(); }));
    return value;
  }

  TempFolder folder;
  std::string path = folder / "slipway.db";
  std::unique_ptr<Store> store = expect_ok(open_sqlite(path));
};

TEST_F(PruneTest, LeavesNoRowOfTheRunInAnyTable) {
  commit_big(1, 900);
  commit_big(2, 3);
  EXPECT_EQ(rows_of(1).at("task_instance"), 901);
  EXPECT_EQ(rows_of(1).at("attempt"), 1);
  expect_ok(store->condemn({run_id(1)}));
  EXPECT_GT(erase(1), 5) << "900 instances and as many events are more than one slice";
  for (const auto& [table, rows] : rows_of(1)) EXPECT_EQ(rows, 0) << table;
  EXPECT_EQ(count("run WHERE id = '" + run_id(1).str() + "'"), 0);
  EXPECT_EQ(rows_of(2).at("task_instance"), 4);
  EXPECT_THAT(expect_ok(store->check()), IsEmpty());
}

TEST_F(PruneTest, AVersionGoesWithItsLastRunUnlessTheDagHasIt) {
  commit_big(1, 1);
  commit_big(2, 1);
  Batch batch;
  batch.dags = {{.id = DagId("nightly"), .version = VersionId("v2")}};
  expect_ok(store->commit(batch));
  expect_ok(store->condemn({run_id(1), run_id(2)}));
  erase(1);
  erase(2);
  const auto reader = expect_ok(store->read());
  EXPECT_EQ(reader->get_version(VersionId("v1")).error().code, ErrorCode::NotFound);
  EXPECT_TRUE(reader->get_version(VersionId("v2")));
}

TEST_F(PruneTest, OnlyCondemnedRunsAreErased) {
  commit_big(1, 1);
  EXPECT_EQ(erase(1), 1);
  EXPECT_EQ(rows_of(1).at("task_instance"), 2);
  EXPECT_EQ(erase(7), 1);
}

TEST_F(PruneTest, ACrashBetweenSlicesIsGoneOnWith) {
  commit_big(1, 900);
  expect_ok(store->condemn({run_id(1)}));
  EXPECT_TRUE(expect_ok(store->erase(run_id(1))));
  store.reset();
  store = expect_ok(open_sqlite(path));
  EXPECT_THAT(expect_ok(store->recover()).runs, IsEmpty());
  EXPECT_THAT(expect_ok(store->check()), IsEmpty());
  EXPECT_EQ(store->load_run(run_id(1)).error().code, ErrorCode::NotFound);
  EXPECT_THAT(expect_ok(expect_ok(store->read())->condemned()), ElementsAre(run_id(1)));
  erase(1);
  EXPECT_THAT(expect_ok(expect_ok(store->read())->condemned()), IsEmpty());
  for (const auto& [table, rows] : rows_of(1)) EXPECT_EQ(rows, 0) << table;
}

}  // namespace
}  // namespace slipway::store
