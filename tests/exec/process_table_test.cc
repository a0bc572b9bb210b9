#include "exec/process_table.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "support/temp_folder.h"

namespace slipway::exec {
namespace {

TEST(ProcessIdentity, RoundTrips) {
  const ProcessIdentity identity{12, 345, "b-1"};
  EXPECT_EQ(identity.str(), "12:345:b-1");
  EXPECT_EQ(ProcessIdentity::parse("12:345:b-1"), identity);
  for (const char* text : {"", "12", "12:345", "x:345:b", "12:x:b", "12 :345:b", ":345:b"})
    EXPECT_FALSE(ProcessIdentity::parse(text)) << text;
}

TEST(ProcessTable, KnowsThisProcess) {
  const SystemClock clock;
  const auto ticks = start_ticks_of(::getpid());
  ASSERT_GT(ticks, 0U);
  EXPECT_LE(instant_of_ticks(ticks, clock), clock.now());
  EXPECT_LT(clock.now() - instant_of_ticks(ticks, clock), std::chrono::hours(1));
  EXPECT_TRUE(open_process(::getpid(), ticks));
  EXPECT_FALSE(open_process(::getpid(), ticks + 1));
  EXPECT_EQ(start_ticks_of(0), 0U);
}

// It may go between the opening of its descriptor and the look into /proc.
TEST(ProcessTable, AProcessThatEndsMeanwhileHasEnded) {
  const auto open = [](pid_t pid) { return Fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))); };
  EXPECT_TRUE(if_it_is(open(::getpid()), 7, 7));
  errno = 0;
  EXPECT_FALSE(if_it_is(open(::getpid()), 8, 7));
  EXPECT_EQ(errno, ESRCH) << "another one has its number";
  EXPECT_FALSE(if_it_is(open(::getpid()), 0, 7));
  EXPECT_NE(errno, ESRCH) << "it lives, and /proc could not be read";

  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  Fd process = open(child);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_FALSE(if_it_is(std::move(process), start_ticks_of(child), 7));
  EXPECT_EQ(errno, ESRCH);
}

TEST(ProcessTable, BootIdIsOneLine) {
  const slipway::test::TempFolder folder;
  std::ofstream(folder.path() / "boot_id") << "abc\n";
  EXPECT_EQ(read_boot_id(folder.path() / "boot_id"), "abc");
  EXPECT_EQ(read_boot_id(folder.path() / "none"), "");
  EXPECT_EQ(read_boot_id("/proc/sys/kernel/random/boot_id").size(), 36U);
}

TEST(LockHolder, IsNobodyWithoutALock) {
  const slipway::test::TempFolder folder;
  EXPECT_EQ(lock_holder(folder.path() / "lock"), 0);
  std::ofstream(folder.path() / "lock") << "";
  EXPECT_EQ(lock_holder(folder.path() / "lock"), 0);
}

TEST(KillStragglers, FindsNobodyForAnUnknownAttempt) { EXPECT_TRUE(kill_stragglers({"01jd/none/1"}).empty()); }

}  // namespace
}  // namespace slipway::exec
