#include "slipway/dagdir/watcher.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <thread>

namespace slipway::dagdir {
namespace {

namespace fs = std::filesystem;

class WatcherTest : public testing::Test {
 protected:
  WatcherTest() {
    std::string pattern = (fs::temp_directory_path() / "slipway-dagdir-XXXXXX").string();
    root_ = mkdtemp(pattern.data());
  }
  ~WatcherTest() override { fs::remove_all(root_); }

  void put(const std::string& name, const std::string& text) {
    fs::create_directories((root_ / name).parent_path());
    std::ofstream(root_ / name) << text;
  }
  std::vector<std::string> names() {
    std::vector<std::string> names;
    const auto files = read_folder(root_.string(), Logger());
    EXPECT_TRUE(files);
    for (const File& file : *files) names.push_back(file.name);
    return names;
  }

  fs::path root_;
};

TEST_F(WatcherTest, ReadsDagFilesOnly) {
  put("b.yaml", "dag: b\n");
  put("sub/a.yml", "dag: a\n");
  put("readme.md", "x");
  put(".hidden.yaml", "dag: h\n");
  put(".git/c.yaml", "dag: c\n");
  put("manifest.yaml", "apiVersion: v1\nkind: Service\n");
  put("large.yaml", std::string((1U << 20U) + 1, '#'));
  fs::create_symlink("/etc", root_ / "etc");
  fs::create_symlink("/etc/hostname", root_ / "outside.yaml");
  fs::create_symlink("b.yaml", root_ / "link.yaml");
  EXPECT_EQ(names(), (std::vector<std::string>{"b.yaml", "link.yaml", "sub/a.yml"}));
}

TEST_F(WatcherTest, SaysThatTheFolderIsMissing) {
  const auto started = Watcher::start(
      {.folder = (root_ / "no").string()}, [](std::vector<File>) {}, Logger());
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, ErrorCode::NotFound);
}

// Collects what the watcher tells, so that tests wait for a state and not for a time.
class Collector {
 public:
  void operator()(std::vector<File> files) {
    const std::lock_guard lock(mutex_);
    files_ = std::move(files);
    ++calls_;
    changed_.notify_all();
  }
  template <class Condition>
  bool wait_for(Condition condition) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(20), [&] { return condition(files_); });
  }
  int calls() {
    const std::lock_guard lock(mutex_);
    return calls_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<File> files_;
  int calls_ = 0;
};

TEST_F(WatcherTest, TellsOfNewChangedMovedAndDeletedFiles) {
  put("a.yaml", "dag: a\n");
  Collector seen;
  const auto watcher = Watcher::start(
      {.folder = root_.string()}, [&](std::vector<File> files) { seen(std::move(files)); }, Logger());
  ASSERT_TRUE(watcher);
  const auto is = [&](std::vector<File> want) {
    return seen.wait_for([want = std::move(want)](const std::vector<File>& files) { return files == want; });
  };
  EXPECT_TRUE(is({{"a.yaml", "dag: a\n"}}));
  put("a.yaml", "dag: a2\n");
  EXPECT_TRUE(is({{"a.yaml", "dag: a2\n"}}));
  put("new/deep/b.yaml", "dag: b\n");
  EXPECT_TRUE(is({{"a.yaml", "dag: a2\n"}, {"new/deep/b.yaml", "dag: b\n"}}));
  fs::rename(root_ / "a.yaml", root_ / "c.yaml");
  EXPECT_TRUE(is({{"c.yaml", "dag: a2\n"}, {"new/deep/b.yaml", "dag: b\n"}}));
  fs::remove(root_ / "c.yaml");
  EXPECT_TRUE(is({{"new/deep/b.yaml", "dag: b\n"}}));
}

TEST_F(WatcherTest, TellsAlsoWhereSomethingElseNeverRests) {
  put("a.yaml", "dag: a\n");
  Collector seen;
  const auto watcher = Watcher::start(
      {.folder = root_.string(), .quiet = std::chrono::milliseconds(10)},
      [&](std::vector<File> files) { seen(std::move(files)); }, Logger());
  ASSERT_TRUE(watcher);
  EXPECT_TRUE(seen.wait_for([](const auto& files) { return files.size() == 1; }));
  std::atomic<bool> done{false};
  std::thread writer([&] {
    while (!done) put("log.txt", "a line\n");
  });
  put("a.yaml", "dag: a2\n");
  EXPECT_TRUE(seen.wait_for([](const auto& files) { return files.at(0).text == "dag: a2\n"; }));
  done = true;
  writer.join();
}

TEST_F(WatcherTest, FindsByRescanWhatNoEventTold) {
  Collector seen;
  // A rescan as short as this stands in for 30 s.
  const auto watcher = Watcher::start(
      {.folder = root_.string(), .rescan = std::chrono::milliseconds(5)},
      [&](std::vector<File> files) { seen(std::move(files)); }, Logger());
  ASSERT_TRUE(watcher);
  EXPECT_TRUE(seen.wait_for([&](const auto&) { return true; }));
  put("a.yaml", "dag: a\n");
  EXPECT_TRUE(seen.wait_for([](const std::vector<File>& files) { return files.size() == 1; }));
  EXPECT_LE(seen.calls(), 2);  // unchanged rescans say nothing
}

}  // namespace
}  // namespace slipway::dagdir
