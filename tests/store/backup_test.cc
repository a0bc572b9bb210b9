#include <gmock/gmock.h>

#include <fstream>

#include "store/sqlite.h"
#include "store/story.h"
#include "support/golden.h"

namespace slipway::store {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class BackupTest : public ::testing::Test {
 protected:
  BackupTest() {
    expect_ok(store->commit(story.start().batch()));
    expect_ok(backup_sqlite(path, copy));
    expect_ok(store->commit(story.finish_task().batch()));
  }
  run::TaskState state_in(const std::string& file) {
    const auto opened = expect_ok(open_sqlite(file));
    EXPECT_THAT(expect_ok(opened->check()), IsEmpty());
    return expect_ok(opened->load_run(story.id)).tasks.at(Story::prepare()).state;
  }

  TempFolder folder;
  std::string path = folder / "slipway.db";
  std::string copy = folder / "copy.db";
  std::unique_ptr<Store> store = expect_ok(open_sqlite(path));
  Story story{header(1)};
};

TEST_F(BackupTest, IsTheWholeStoreAtThatMoment) {
  EXPECT_EQ(state_in(copy), run::TaskState::Active);
  EXPECT_EQ(expect_ok(store->load_run(story.id)).tasks.at(Story::prepare()).state, run::TaskState::Success);
}

TEST_F(BackupTest, ReplacesTheBackupBefore) {
  expect_ok(backup_sqlite(path, copy));
  EXPECT_EQ(state_in(copy), run::TaskState::Success);
}

TEST_F(BackupTest, ComesBackAndKeepsWhatItReplaced) {
  store.reset();
  expect_ok(restore_sqlite(copy, path));
  EXPECT_EQ(state_in(path), run::TaskState::Active);
  EXPECT_EQ(state_in(path + ".before-restore"), run::TaskState::Success);
}

// As after a crash: the log holds commits that are not in the database file yet.
TEST_F(BackupTest, IsNotMixedWithTheLogOfWhatItReplaced) {
  const TempFolder crashed;
  const std::string other = crashed / "slipway.db";
  std::filesystem::copy_file(path, other);
  std::filesystem::copy_file(path + "-wal", other + "-wal");
  ASSERT_GT(std::filesystem::file_size(other + "-wal"), 0U);
  expect_ok(restore_sqlite(copy, other));
  EXPECT_FALSE(std::filesystem::exists(other + "-wal"));
  EXPECT_EQ(state_in(other), run::TaskState::Active);
  EXPECT_EQ(state_in(other + ".before-restore"), run::TaskState::Success);
}

TEST_F(BackupTest, ComesBackToAnEmptyHome) {
  const TempFolder empty;
  expect_ok(restore_sqlite(copy, empty / "slipway.db"));
  EXPECT_EQ(state_in(empty / "slipway.db"), run::TaskState::Active);
}

TEST_F(BackupTest, WhatIsNoSoundBackupReplacesNothing) {
  store.reset();
  EXPECT_EQ(restore_sqlite(folder / "nothing.db", path).error().code, ErrorCode::NotFound);
  std::ofstream(folder / "text.db") << std::string(8'192, 'x');
  EXPECT_EQ(restore_sqlite(folder / "text.db", path).error().code, ErrorCode::Corrupt);
  expect_ok(expect_ok(Connection::open({.path = folder / "other.db", .read_only = false, .vfs = {}}))
                ->execute("CREATE TABLE t (a)"));
  EXPECT_EQ(restore_sqlite(folder / "other.db", path).error().code, ErrorCode::Corrupt);

  // A byte of an index changed: the file opens, but the index no longer agrees with its table.
  auto bytes = test::read_text(copy);
  const auto at = bytes.find("nightly01jb");
  ASSERT_NE(at, std::string::npos);
  bytes[at] = 'N';
  std::ofstream(folder / "damaged.db", std::ios::binary) << bytes;
  const auto damaged = restore_sqlite(folder / "damaged.db", path);
  ASSERT_FALSE(damaged);
  EXPECT_THAT(damaged.error().message, HasSubstr("the backup is damaged"));

  expect_ok(
      expect_ok(Connection::open({.path = copy, .read_only = false, .vfs = {}}))->execute("PRAGMA user_version = 99"));
  EXPECT_EQ(restore_sqlite(copy, path).error().code, ErrorCode::Unsupported);
  EXPECT_EQ(state_in(path), run::TaskState::Success);
  EXPECT_FALSE(std::filesystem::exists(path + ".before-restore"));
}

}  // namespace
}  // namespace slipway::store
