#include "slipway/exec/local_executor.h"

#include <sys/stat.h>
#include <unistd.h>

#include "exec/local_fixture.h"

namespace slipway::exec {
namespace {

class LocalExecutorTest : public test::LocalFixture {};

using test::eventually;
using test::read_text;

TEST_F(LocalExecutorTest, RunsACommandAndTellsItsStory) {
  start();
  const auto exited = run(shell("echo hello; printf tail"));
  ASSERT_TRUE(exited);
  EXPECT_EQ(exited->exit_code, 0);
  EXPECT_EQ(exited->message, "");
  EXPECT_EQ(exited->failure, run::FailureClass::None);
  const auto running = sink_.wait<Running>(id());
  ASSERT_TRUE(running);
  EXPECT_TRUE(ProcessIdentity::parse(running->identity));
  EXPECT_LE(running->at, exited->at);
  EXPECT_LE(exited->at, clock_.now());
  EXPECT_EQ(output(), "hello\ntail\n");
}

TEST_F(LocalExecutorTest, LogLinesHaveTheFormatOfContainers) {
  start();
  ASSERT_TRUE(run(shell("echo out; exec 1>&-; echo err >&2")));
  auto lines = log();
  ASSERT_EQ(lines.size(), 2U);
  // Two pipes: their order is kept within each only.
  if (lines[0].is_stderr) std::swap(lines[0], lines[1]);
  EXPECT_EQ(lines[0].text, "out");
  EXPECT_EQ(lines[1].text, "err");
  EXPECT_FALSE(lines[0].is_stderr);
  EXPECT_TRUE(lines[1].is_stderr);
  EXPECT_EQ(lines[0].time.size(), 30U);
  const auto at = parse_rfc3339(lines[0].time);
  ASSERT_TRUE(at) << lines[0].time;
  EXPECT_LT(clock_.now() - *at, std::chrono::minutes(5));
  EXPECT_GE(clock_.now(), *at);
}

struct Ending {
  const char* script;
  int exit_code;
  const char* message;
};
class EndingTest : public LocalExecutorTest, public ::testing::WithParamInterface<Ending> {};
INSTANTIATE_TEST_SUITE_P(Endings, EndingTest,
                         ::testing::Values(Ending{"exit 0", 0, ""}, Ending{"exit 1", 1, ""},
                                           Ending{"exit 255", 255, ""},
                                           Ending{"kill -TERM $$", 143, "ended by signal 15 (Terminated)"},
                                           Ending{"kill -KILL $$", 137, "ended by signal 9 (Killed)"},
                                           Ending{"kill -SEGV $$", 139, "ended by signal 11 (Segmentation fault)"}));
TEST_P(EndingTest, IsReported) {
  start();
  const auto exited = run(shell(GetParam().script));
  ASSERT_TRUE(exited);
  EXPECT_EQ(exited->exit_code, GetParam().exit_code);
  EXPECT_EQ(exited->message, GetParam().message);
  EXPECT_FALSE(exited->oom);
}

// A memory group of 32 MiB that a task can move itself to; both generations of control groups are tried.
class MemoryGroup {
 public:
  MemoryGroup() {
    for (const char* root : {"/sys/fs/cgroup/memory", "/sys/fs/cgroup"}) {
      const auto folder = std::filesystem::path(root) / ("slipway-test-" + std::to_string(::getpid()));
      if (!exists(folder.parent_path() / "cgroup.procs") || ::mkdir(folder.c_str(), 0700) != 0) continue;
      for (const char* limit : {"memory.limit_in_bytes", "memory.max"})
        if (exists(folder / limit)) folder_ = folder, std::ofstream(folder / limit) << (32U << 20U);
      if (!folder_.empty()) return;
      ::rmdir(folder.c_str());
    }
  }
  MemoryGroup(const MemoryGroup&) = delete;
  MemoryGroup& operator=(const MemoryGroup&) = delete;
  ~MemoryGroup() {
    if (!folder_.empty()) test::eventually([&] { return ::rmdir(folder_.c_str()) == 0; });
  }
  [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }

 private:
  std::filesystem::path folder_;
};

TEST_F(LocalExecutorTest, AKillForLackOfMemoryIsNamed) {
  const MemoryGroup group;
  if (group.folder().empty()) GTEST_SKIP() << "making a memory group needs root and a mounted controller";
  start();
  const auto exited = run(shell("echo $$ >" + (group.folder() / "cgroup.procs").string() +
                                "; exec awk 'BEGIN { s = \"x\"; while (1) s = s s }'"));
  ASSERT_TRUE(exited);
  EXPECT_EQ(exited->exit_code, 137);
  EXPECT_TRUE(exited->oom);
  EXPECT_EQ(exited->message, "killed for lack of memory");
}

}  // namespace
}  // namespace slipway::exec
