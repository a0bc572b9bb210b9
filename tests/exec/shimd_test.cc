// The helper process itself: how it starts, ends, is replaced, and what it refuses.
#include <spawn.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "exec/local_fixture.h"
#include "exec/shimd_image.h"

namespace slipway::exec {
namespace {

using test::eventually;
using test::read_text;

class ShimdTest : public test::LocalFixture {
 protected:
  // Starts the helper from a file with any arguments, as another version of the daemon would.
  int start_shimd(const std::string& idle_ms, const std::string& build) {
    const auto program = home_.path() / "shimd.test";
    {
      std::ofstream file(program, std::ios::binary);
      file.write(shimd_image().data(), static_cast<std::streamsize>(shimd_image().size()));
    }
    std::filesystem::permissions(program, std::filesystem::perms::owner_all);
    std::string name = "slipway-shimd";
    std::string home = home_.path().string();
    std::string idle = idle_ms;
    std::string id = build;
    char* argv[] = {name.data(), home.data(), idle.data(), id.data(), nullptr};
    char* environment[] = {nullptr};
    pid_t pid = 0;
    EXPECT_EQ(::posix_spawn(&pid, program.c_str(), nullptr, nullptr, argv, environment), 0);
    int status = 0;
    EXPECT_EQ(::waitpid(pid, &status, 0), pid);
    return WEXITSTATUS(status);
  }
  Fd connect() const {
    Fd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    (home_.path() / shim::kSocketName).string().copy(address.sun_path, sizeof address.sun_path - 1);
    return ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ? std::move(fd) : Fd();
  }
};

TEST_F(ShimdTest, OnlyOneServesAHome) {
  EXPECT_EQ(start_shimd("60000", "1"), 0);
  const pid_t first = shimd();
  EXPECT_GT(first, 0);
  EXPECT_EQ(start_shimd("60000", "1"), 1);
  EXPECT_EQ(shimd(), first);
}

TEST_F(ShimdTest, EndsWhenIdleAndIsStartedAgain) {
  options_.shimd_idle = std::chrono::milliseconds(50);
  start();
  ASSERT_TRUE(run(shell("exit 0")));
  const pid_t first = shimd();
  EXPECT_GT(first, 0);  // connected: not idle
  executor_.reset();
  EXPECT_TRUE(eventually([&] { return shimd() == 0; }));
  EXPECT_FALSE(exists(home_.path() / shim::kSocketName));
  start();
  ASSERT_TRUE(run(shell("exit 0", 2)));
  EXPECT_NE(shimd(), first);
}

TEST_F(ShimdTest, StaysWhileATaskRuns) {
  options_.shimd_idle = std::chrono::milliseconds(1);
  start();
  executor_->launch(
      shell("echo $$ >pid; while [ ! -e gone ]; do sleep 0.01; done; sleep 0.1; echo 1 >later; "
            "while [ ! -e go ]; do sleep 0.01; done"));
  pid_in("pid");
  executor_.reset();
  std::ofstream(workspace() / "gone") << "1";
  pid_in("later");
  EXPECT_GT(shimd(), 0);
  std::ofstream(workspace() / "go") << "1";
  EXPECT_TRUE(eventually([&] { return shimd() == 0; }));
}

TEST_F(ShimdTest, AnotherBuildIsReplacedAndItsTasksGoOn) {
  start();
  executor_->launch(shell("echo $$ >pid; while [ ! -e go ]; do sleep 0.01; done; exit 9"));
  const auto launched = sink_.wait<Running>(id());
  ASSERT_TRUE(launched);
  const pid_t task = pid_in("pid");
  executor_.reset();
  ASSERT_TRUE(test::end_holder(home_.path() / shim::kLockName, SIGTERM));
  ASSERT_EQ(start_shimd("60000", "1"), 0);
  const pid_t other = shimd();
  start();
  ASSERT_TRUE(run(shell("exit 0", 2)));
  EXPECT_NE(shimd(), other);
  EXPECT_TRUE(is_alive(task));
  EXPECT_NE(read_text(home_.path() / shim::kLogName).find("retired by a newer daemon"), std::string::npos);
  executor_->adopt({{id(), launched->identity, false, Duration(0), false}});
  std::ofstream(workspace() / "go") << "1";
  EXPECT_EQ(sink_.wait<Exited>(id())->exit_code, 9);
}

TEST_F(ShimdTest, NonsenseEndsTheConnectionOnly) {
  ASSERT_EQ(start_shimd("60000", "1"), 0);
  const pid_t pid = shimd();
  shim::Head launch{shim::Kind::Launch, shim::kProtocolVersion, {}, 6};
  std::string truncated(reinterpret_cast<const char*>(&launch), sizeof launch);
  shim::Head huge{shim::Kind::Launch, shim::kProtocolVersion, {}, 0xFFFFFFFFU};
  shim::Head future{shim::Kind::Launch, shim::kProtocolVersion + 1, {}, 6};
  for (const std::string& packet :
       {std::string("?"), std::string("L"), std::string(1000, 'L'), truncated + "f\xFF\xFF\xFF\xFFx",
        truncated + "more than was announced", std::string(reinterpret_cast<const char*>(&huge), sizeof huge) + "x",
        std::string(reinterpret_cast<const char*>(&future), sizeof future) + "a-----"}) {
    const Fd fd = connect();
    ASSERT_TRUE(fd);
    ASSERT_GT(::send(fd.get(), packet.data(), packet.size(), MSG_NOSIGNAL), 0);
    char byte = 0;
    EXPECT_LE(::recv(fd.get(), &byte, 1, 0), 0);
  }
  EXPECT_EQ(shimd(), pid);
}

TEST_F(ShimdTest, TheSocketIsTheOwnersAndAnyPathFits) {
  const slipway::test::TempFolder outer;
  options_.home = outer.path() / std::string(120, 'h');
  std::filesystem::create_directory(options_.home);
  start();
  LaunchSpec spec = shell("exit 0");
  executor_->launch(spec);
  EXPECT_TRUE(sink_.wait<Exited>(id()));
  const auto status = std::filesystem::status(options_.home / shim::kSocketName);
  EXPECT_EQ(status.permissions() & ~(std::filesystem::perms::owner_read | std::filesystem::perms::owner_write),
            std::filesystem::perms::none);
  executor_.reset();
  EXPECT_TRUE(test::end_holder(options_.home / shim::kLockName, SIGTERM));
}

TEST_F(ShimdTest, AHomeThatIsGoneIsAnErrorNotAHang) {
  options_.home = home_.path() / "none";
  start();
  executor_->launch(shell("exit 0"));
  executor_.reset();
  EXPECT_EQ(shimd(), 0);
}

}  // namespace
}  // namespace slipway::exec
