// A writer is killed while it commits: everything it acknowledged must be there, and nothing half.
#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/story.h"

namespace slipway::store {
namespace {

// Commits runs until it is killed and writes one byte into `acknowledgements` after each commit.
[[noreturn]] void commit_for_ever(const std::string& path, int acknowledgements) {
  const auto store = expect_ok(open_sqlite(path, {.vfs = {}, .checkpoint_pages = 20}));
  for (int n = 1;; ++n) {
    Story story(header(n));
    story.start();
    if (!store->commit(story.batch())) ::_exit(1);
    if (::write(acknowledgements, "x", 1) != 1) ::_exit(2);
  }
}

// Reads acknowledgements until there are `wanted`, kills, and returns how many there were in all.
int kill_after(pid_t child, int acknowledgements, int wanted) {
  int count = 0;
  char byte = 0;
  while (count < wanted && ::read(acknowledgements, &byte, 1) == 1) ++count;
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  while (::read(acknowledgements, &byte, 1) == 1) ++count;
  return count;
}

class KillTest : public ::testing::TestWithParam<int> {};

TEST_P(KillTest, EveryAcknowledgedCommitIsThere) {
  const TempFolder folder;
  const std::string path = folder / "slipway.db";
  int pipe[2];
  ASSERT_EQ(::pipe(pipe), 0);
  const pid_t child = ::fork();
  if (child == 0) commit_for_ever(path, pipe[1]);
  ::close(pipe[1]);
  const int acknowledged = kill_after(child, pipe[0], GetParam());
  ::close(pipe[0]);
  ASSERT_GE(acknowledged, GetParam());

  const auto store = expect_ok(open_sqlite(path));
  const auto runs = expect_ok(store->recover()).runs;
  EXPECT_GE(static_cast<int>(runs.size()), acknowledged);
  EXPECT_LE(static_cast<int>(runs.size()), acknowledged + 1);
  for (std::size_t n = 0; n < runs.size(); ++n) EXPECT_EQ(runs[n].last_seq, 5U) << runs[n].header.id;
  EXPECT_THAT(expect_ok(store->check()), ::testing::IsEmpty());
}

// Counts around the first commits, the first checkpoints and later ones.
INSTANTIATE_TEST_SUITE_P(Acknowledgements, KillTest, ::testing::Values(1, 2, 5, 7, 11, 40, 150));

}  // namespace
}  // namespace slipway::store
