// What a task prints and leaves: the log, the output file, and what must not be found anywhere.
#include <sys/mount.h>
#include <sys/stat.h>

#include "exec/local_fixture.h"

namespace slipway::exec {
namespace {

using test::read_text;

class CaptureTest : public test::LocalFixture {};

TEST_F(CaptureTest, LongLinesAreSplitAndJoinAgain) {
  start();
  ASSERT_TRUE(run(shell("head -c 1000000 /dev/zero | tr '\\0' x; echo; echo next")));
  const auto lines = log();
  ASSERT_EQ(lines.size(), 1000000 / 16384 + 2U);
  for (std::size_t i = 0; i + 2 < lines.size(); ++i) {
    EXPECT_TRUE(lines[i].partial);
    EXPECT_EQ(lines[i].text.size(), 16384U);
  }
  EXPECT_FALSE(lines[lines.size() - 2].partial);
  EXPECT_EQ(output(), std::string(1000000, 'x') + "\nnext\n");
}

TEST_F(CaptureTest, ALineOfExactlyOnePartEndsWithAnEmptyOne) {
  start();
  ASSERT_TRUE(run(shell("head -c 16384 /dev/zero | tr '\\0' x; echo")));
  const auto lines = log();
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_TRUE(lines[0].partial);
  EXPECT_FALSE(lines[1].partial);
  EXPECT_EQ(lines[1].text, "");
}

TEST_F(CaptureTest, AnyBytePassesThrough) {
  start();
  ASSERT_TRUE(run(shell("printf 'a\\000b\\377\\376\\033[31m\\r\\n'")));
  ASSERT_EQ(log().size(), 1U);
  EXPECT_EQ(log()[0].text, std::string("a\0b\377\376\033[31m\r", 11));
}

TEST_F(CaptureTest, AFloodIsCappedAndSaysSo) {
  options_.log_bytes_max = 100'000;
  start();
  const auto exited = run(shell("yes 0123456789 | head -c 20000000; echo last >&2"));
  ASSERT_TRUE(exited);
  EXPECT_EQ(exited->exit_code, 0);
  const auto lines = log();
  ASSERT_GT(lines.size(), 3U);
  EXPECT_EQ(lines[lines.size() - 2].text, "slipway: log limit of 100000 bytes reached, further output is discarded");
  EXPECT_NE(lines.back().text.find(" bytes of output were discarded"), std::string::npos);
  EXPECT_LT(std::filesystem::file_size(folder() / "log"), 100'000U + 500U);
  EXPECT_GT(std::filesystem::file_size(folder() / "log"), 99'000U);
}

// A home on a file system of its own, small enough to fill.
class FullDiskTest : public CaptureTest {
 protected:
  void SetUp() override {
    options_.home = home_.path() / "disk";
    std::filesystem::create_directory(options_.home);
    if (::mount("tmpfs", options_.home.c_str(), "tmpfs", 0, "size=1m,mode=0700") != 0)
      GTEST_SKIP() << "mounting a small file system needs root";
    mounted_ = true;
  }
  ~FullDiskTest() override {
    executor_.reset();
    test::end_holder(options_.home / shim::kLockName, SIGTERM);
    if (mounted_) ::umount2(options_.home.c_str(), MNT_DETACH);
  }
  bool mounted_ = false;
};

TEST_F(FullDiskTest, TheTaskGoesOnAndItsEndIsWrittenOnceThereIsRoom) {
  start();
  executor_->launch(
      shell("echo $$ >pid; head -c 2000000 /dev/zero >filler || true; yes lost | head -c 3000000; exit 4"));
  const auto workspace = workspace_folder(options_.home, id().run);
  ASSERT_TRUE(sink_.wait<Running>(id()));
  pid_t task = 0;
  ASSERT_TRUE(test::eventually([&] { return (task = std::atoi(read_text(workspace / "pid").c_str())) > 0; }));
  ASSERT_TRUE(test::eventually([&] { return !is_alive(task); }));
  EXPECT_EQ(sink_.count<Exited>(id()), 0U);
  std::filesystem::remove(workspace / "filler");
  const auto exited = sink_.wait<Exited>(id());
  ASSERT_TRUE(exited);
  EXPECT_EQ(exited->exit_code, 4);
}

struct OutputCase {
  const char* script;
  std::size_t size;
  bool too_large;
};
class OutputTest : public CaptureTest, public ::testing::WithParamInterface<OutputCase> {};
INSTANTIATE_TEST_SUITE_P(Outputs, OutputTest,
                         ::testing::Values(OutputCase{"true", 0, false},
                                           OutputCase{"printf '{\"a\":1}' >$SLIPWAY_OUTPUT", 7, false},
                                           OutputCase{"head -c 4096 /dev/zero >$SLIPWAY_OUTPUT", 4096, false},
                                           OutputCase{"head -c 4097 /dev/zero >$SLIPWAY_OUTPUT", 0, true},
                                           OutputCase{"head -c 9000000 /dev/zero >$SLIPWAY_OUTPUT", 0, true},
                                           OutputCase{"mkfifo $SLIPWAY_OUTPUT", 0, false},
                                           OutputCase{"mkdir $SLIPWAY_OUTPUT", 0, false},
                                           OutputCase{"ln -s /etc/hostname $SLIPWAY_OUTPUT", 0, false},
                                           OutputCase{"printf '{\"a\":1}' >$SLIPWAY_OUTPUT; exit 3", 7, false}));
TEST_P(OutputTest, IsReadWithinItsLimit) {
  start();
  const auto exited = run(shell(GetParam().script));
  ASSERT_TRUE(exited);
  EXPECT_EQ(exited->output.size(), GetParam().size);
  EXPECT_EQ(exited->output_too_large, GetParam().too_large);
}

TEST_F(CaptureTest, TheEnvironmentIsWhatTheSpecSaysAndFourNames) {
  start();
  LaunchSpec spec = shell("env | sort | grep -v -e ^PWD= -e ^OLDPWD= -e ^SHLVL= -e ^_=");
  spec.env["NAME"] = "a value\nof two lines";
  spec.secret_env["NAME2"] = Secret("hidden");
  ASSERT_TRUE(run(spec));
  const std::string home = home_.path().string();
  EXPECT_EQ(output(), "NAME2=hidden\nNAME=a value\nPATH=/usr/local/bin:/usr/bin:/bin\nSLIPWAY_ARTIFACTS=file://" +
                          home + "/artifacts/" + kRun + "/task/1\nSLIPWAY_ATTEMPT_ID=" + kRun +
                          "/task/1\nSLIPWAY_OUTPUT=" + home + "/attempts/" + kRun +
                          "/task.1/output.json\nSLIPWAY_WORKSPACE=" + home + "/workspace/" + kRun + "\nof two lines\n");
}

TEST_F(CaptureTest, ATaskStartsCleanly) {
  start();
  // Signals 32 and 33 belong to the C library, so the masks are compared below them.
  ASSERT_TRUE(
      run(shell("pwd; ls /proc/self/fd | wc -l; ulimit -c; readlink /proc/self/fd/0; "
                "sed -nE 's/^(Sig(Blk|Ign)).*(.{7})$/\\1 \\3/p' /proc/self/status; "
                "mkdir -p ${SLIPWAY_ARTIFACTS#file://} && echo artifacts")));
  // ls itself opens the folder it lists: 0, 1, 2 and that one.
  EXPECT_EQ(output(), workspace().string() + "\n4\n0\n/dev/null\nSigBlk 0000000\nSigIgn 0000000\nartifacts\n");
}

TEST_F(CaptureTest, SecretsReachTheTaskAndNothingElse) {
  const std::string secret = "s3cr3t-t0ken-0123456789";
  start();
  LaunchSpec spec =
      shell("test \"$TOKEN\" = s3cr3t-t0''ken-0123456789 && echo $$ >pid; while [ ! -e go ]; do sleep 0.01; done");
  spec.secret_env["TOKEN"] = Secret(secret);
  executor_->launch(std::move(spec));
  const pid_t task = pid_in("pid");
  const auto has = [&](const std::string& file) { return read_text(file).find(secret) != std::string::npos; };
  EXPECT_TRUE(has("/proc/" + std::to_string(task) + "/environ"));
  for (const pid_t pid : {shim(), shimd()}) {
    ASSERT_GT(pid, 0);
    EXPECT_FALSE(has("/proc/" + std::to_string(pid) + "/environ"));
    EXPECT_FALSE(has("/proc/" + std::to_string(pid) + "/cmdline"));
  }
  for (const auto& entry : std::filesystem::recursive_directory_iterator(home_.path())) {
    if (!entry.is_regular_file()) continue;
    EXPECT_FALSE(has(entry.path())) << entry.path();
  }
  std::ofstream(workspace() / "go") << "1";
  EXPECT_TRUE(sink_.wait<Exited>(id()));
}

TEST_F(CaptureTest, NobodyElseCanReadWhatATaskLeft) {
  start();
  ASSERT_TRUE(run(shell("echo private")));
  for (const char* name : {"", "log", "exit"}) {
    struct stat info {};
    ASSERT_EQ(::stat((folder() / name).c_str(), &info), 0) << name;
    EXPECT_EQ(info.st_mode & 077U, 0U) << name;
  }
}

}  // namespace
}  // namespace slipway::exec
