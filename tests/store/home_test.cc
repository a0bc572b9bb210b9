#include "slipway/store/home.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <future>

#include "store/story.h"

namespace slipway::store {
namespace {

using ::testing::HasSubstr;

TEST(HomeLock, CreatesAPrivateHome) {
  const TempFolder folder;
  const auto lock = HomeLock::acquire(folder / "a/home");
  ASSERT_TRUE(lock);
  struct stat info {};
  ASSERT_EQ(::stat((folder / "a/home").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0700U);
}

TEST(HomeLock, RefusesASecondHolderAndNamesTheFirst) {
  const TempFolder folder;
  {
    const auto first = HomeLock::acquire(folder.path());
    ASSERT_TRUE(first);
    const auto second = HomeLock::acquire(folder.path());
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, ErrorCode::Conflict);
    EXPECT_THAT(second.error().message, HasSubstr("is locked by pid " + std::to_string(::getpid())));
  }
  EXPECT_TRUE(HomeLock::acquire(folder.path()));
}

TEST(HomeLock, IsFreeAfterItsHolderWasKilled) {
  const TempFolder folder;
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const auto lock = HomeLock::acquire(folder.path());
    (void)!::write(ready[1], "x", 1);
    ::pause();
    ::_exit(0);
  }
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  const auto refused = HomeLock::acquire(folder.path());
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("pid " + std::to_string(child)));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_TRUE(HomeLock::acquire(folder.path()));
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST(HomeLock, WaitsForWhatADeadHolderLeftBehind) {
  const TempFolder folder;
  int ready[2], hold[2];
  ASSERT_EQ(::pipe(ready), 0);
  ASSERT_EQ(::pipe(hold), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const auto lock = HomeLock::acquire(folder.path());
    if (::fork() == 0) {
      ::close(hold[1]);
      (void)!::write(ready[1], "x", 1);
      char byte = 0;
      (void)!::read(hold[0], &byte, 1);
    }
    ::_exit(0);
  }
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  ::waitpid(child, nullptr, 0);
  auto waiting = std::async(std::launch::async, [&] { return HomeLock::acquire(folder.path()); });
  EXPECT_EQ(waiting.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout);
  for (const int fd : {hold[0], hold[1], ready[0], ready[1]}) ::close(fd);
  EXPECT_TRUE(waiting.get());
}

TEST(HomeLock, SaysWhereItCannotBeCreated) {
  const TempFolder folder;
  ASSERT_TRUE(HomeLock::acquire(folder.path()));
  const auto refused = HomeLock::acquire(folder / "lock/home");
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr((folder / "lock").string()));
}

TEST(UnsafeFileSystem, KnowsLocalOnes) {
  const auto shared = unsafe_file_system("/proc");
  ASSERT_TRUE(shared);
  EXPECT_EQ(*shared, std::nullopt);
  EXPECT_FALSE(unsafe_file_system("/does/not/exist"));
}

}  // namespace
}  // namespace slipway::store
