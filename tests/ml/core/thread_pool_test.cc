#include "slipway/ml/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <vector>

#include "slipway/ml/arena.h"

namespace slipway::ml {
namespace {

TEST(ThreadPool, RunsEveryIndexOnce) {
  for (const int threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.threads(), threads);
    for (const std::int64_t count : {0, 1, 2, 3, 1000}) {
      std::vector<std::atomic<int>> seen(static_cast<std::size_t>(count));
      std::atomic<bool> worker_in_range = true;
      pool.for_each(count, [&](std::int64_t index, int worker) {
        ++seen[static_cast<std::size_t>(index)];
        if (worker < 0 || worker >= threads) worker_in_range = false;
      });
      for (const auto& times : seen) ASSERT_EQ(times, 1);
      EXPECT_TRUE(worker_in_range);
    }
  }
}

// Short loops one after another: a worker that wakes late must not run a finished loop's task.
TEST(ThreadPool, ManyShortLoops) {
  ThreadPool pool(4);
  std::int64_t total = 0;
  for (int loop = 0; loop < 3000; ++loop) {
    std::atomic<std::int64_t> sum = 0;
    pool.for_each(4, [&](std::int64_t index, int) { sum += index + loop; });
    total += sum;
  }
  EXPECT_EQ(total, 3000LL * 6 + 4 * (2999LL * 3000 / 2));
}

TEST(Arena, ReusesWhatWasReleased) {
  Arena arena;
  const float* first = arena.floats(10);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(first) % 64, 0U);
  const auto mark = arena.mark();
  const auto rows = arena.rows(3, 7);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(rows.data) % 64, 0U);
  EXPECT_GE(rows.data, first + 10);
  arena.release(mark);
  EXPECT_EQ(arena.rows(1, 1).data, rows.data);
}

TEST(Arena, GrowsWithoutMovingWhatItGave) {
  Arena arena;
  const auto small = arena.rows(1, 100);
  small.at(0, 99) = 5;
  const auto mark = arena.mark();
  std::size_t bytes = 0;
  for (int round = 0; round < 2; ++round) {
    const auto large = arena.rows(3000, 1000);
    large.at(2999, 999) = 1;
    EXPECT_EQ(small.at(0, 99), 5);
    if (round == 0) bytes = arena.bytes();
    arena.release(mark);
  }
  EXPECT_EQ(arena.bytes(), bytes);
}

}  // namespace
}  // namespace slipway::ml
