// Files that were changed, cut or deleted behind slipway's back: found, or lost within the bound that docs/cli.md
// states.
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "store/story.h"

namespace slipway::store {
namespace {

using ::testing::IsEmpty;

constexpr int kMoved = 10;  // runs in the database file; as many again are in the log only
constexpr std::size_t kPage = 4'096;

class DamageTest : public ::testing::Test {
 protected:
  // The files as a power cut leaves them: nothing was closed.
  DamageTest() {
    const TempFolder live;
    const std::string source = live / "slipway.db";
    const auto store = expect_ok(open_sqlite(source, {.vfs = {}, .checkpoint_pages = 1'000'000}));
    for (int n = 1; n <= 2 * kMoved; ++n) {
      Story story(header(n));
      expect_ok(store->commit(story.start().batch()));
      if (n == kMoved) expect_ok(store->idle());
    }
    for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::copy_file(source + suffix, path + suffix);
  }
  // How many runs are there, every one of them whole.
  int whole_runs(const std::string& file) {
    const auto store = expect_ok(open_sqlite(file));
    const auto runs = expect_ok(store->recover()).runs;
    for (std::size_t n = 0; n < runs.size(); ++n) EXPECT_EQ(runs[n].header.id, run_id(static_cast<int>(n) + 1));
    for (const auto& run : runs) EXPECT_EQ(run.last_seq, 5U);
    EXPECT_THAT(expect_ok(store->check()), IsEmpty());
    return static_cast<int>(runs.size());
  }
  void change_byte(const std::string& file, std::size_t at) {
    std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekg(static_cast<std::streamoff>(at));
    const auto byte = static_cast<char>(stream.get() ^ 0x55);
    stream.seekp(static_cast<std::streamoff>(at));
    stream.put(byte);
  }

  TempFolder folder;
  std::string path = folder / "slipway.db";
};

TEST_F(DamageTest, WithoutTheIndexNothingIsLost) {
  std::filesystem::remove(path + "-shm");
  EXPECT_EQ(whole_runs(path), 2 * kMoved);
}

TEST_F(DamageTest, WithoutTheLogWhatWasMovedIsThere) {
  std::filesystem::remove(path + "-wal");
  std::filesystem::remove(path + "-shm");
  EXPECT_EQ(whole_runs(path), kMoved);
}

TEST_F(DamageTest, ALogThatWasCutShortIsReadUpToThere) {
  std::filesystem::remove(path + "-shm");
  const auto size = std::filesystem::file_size(path + "-wal");
  int before = 2 * kMoved;
  for (const unsigned eighths : {7U, 4U, 1U, 0U}) {
    std::filesystem::resize_file(path + "-wal", size * eighths / 8);
    const TempFolder copy;
    for (const char* suffix : {"", "-wal"})
      std::filesystem::copy_file(path + suffix, (copy / "slipway.db").string() + suffix);
    const int left = whole_runs(copy / "slipway.db");
    EXPECT_LT(left, before);
    EXPECT_GE(left, kMoved);
    before = left;
  }
  EXPECT_EQ(before, kMoved);
}

TEST_F(DamageTest, ALogWithAChangedByteIsReadUpToThere) {
  std::filesystem::remove(path + "-shm");
  change_byte(path + "-wal", std::filesystem::file_size(path + "-wal") / 2);
  const int left = whole_runs(path);
  EXPECT_GE(left, kMoved);
  EXPECT_LT(left, 2 * kMoved);
}

TEST_F(DamageTest, AChangedPageIsFound) {
  { EXPECT_EQ(whole_runs(path), 2 * kMoved); }
  const std::size_t pages = std::filesystem::file_size(path) / kPage;
  ASSERT_GT(pages, 5U);
  for (std::size_t page = 0; page < pages; ++page) {
    const TempFolder copy;
    const std::string file = copy / "slipway.db";
    std::filesystem::copy_file(path, file);
    change_byte(file, page * kPage);
    const auto opened = open_sqlite(file);
    if (!opened) {
      EXPECT_EQ(opened.error().code, ErrorCode::Corrupt) << opened.error().message;
      continue;
    }
    const auto findings = (*opened)->check();
    EXPECT_TRUE(!findings || !findings->empty()) << "page " << page;
    const auto quick = (*opened)->quick_check();
    EXPECT_TRUE(!quick || !quick->empty()) << "page " << page;
  }
}

TEST(LongReader, HoldsUpNobodyAndTheLogShrinksAfterIt) {
  const TempFolder folder;
  const std::string path = folder / "slipway.db";
  const auto store = expect_ok(open_sqlite(path, {.vfs = {}, .checkpoint_pages = 20}));
  auto reader = expect_ok(store->read());
  int n = 0;
  const auto commit = [&](int runs) {
    for (int i = 0; i < runs; ++i) {
      Story story(header(++n));
      expect_ok(store->commit(story.start().batch()));
    }
  };
  const auto log_size = [&] { return std::filesystem::file_size(path + "-wal"); };
  commit(100);
  expect_ok(store->idle());
  const auto held = log_size();
  EXPECT_GT(held, 40 * kPage) << "what the reader sees stays where it is";
  EXPECT_THAT(expect_ok(reader->list_runs({})), IsEmpty());
  reader.reset();
  commit(200);
  EXPECT_LE(log_size(), held + 40 * kPage) << "the log begins again at its start";
  expect_ok(store->idle());
  EXPECT_EQ(log_size(), 0U);
}

TEST(Backup, IsConsistentWhileRunsAreCommitted) {
  const TempFolder folder;
  const std::string path = folder / "slipway.db";
  const auto store = expect_ok(open_sqlite(path));
  const auto reader = expect_ok(store->read());
  for (int n = 1; n <= 50; ++n) {
    Story story(header(n));
    expect_ok(store->commit(story.start().batch()));
    if (n % 10 != 0) continue;
    const std::string copy = folder / ("copy" + std::to_string(n) + ".db");
    expect_ok(store->backup(copy));
    const auto opened = expect_ok(open_sqlite(copy));
    EXPECT_EQ(static_cast<int>(expect_ok(opened->recover()).runs.size()), n);
    EXPECT_THAT(expect_ok(opened->check()), IsEmpty());
  }
}

}  // namespace
}  // namespace slipway::store
