#include "engine/pace.h"

#include <gtest/gtest.h>

namespace slipway::engine {
namespace {

using namespace std::chrono_literals;

Pace after(int count, Duration took) {
  Pace pace;
  for (int i = 0; i < count; ++i) pace.add(took);
  return pace;
}

TEST(Pace, NothingIsOpenedAheadBeforeTasksAreKnownToBeShort) {
  EXPECT_EQ(Pace().ahead(8, 64), 0);
  EXPECT_EQ(after(10, 1ms).ahead(8, 64), 0);
  EXPECT_GT(after(40, 1ms).ahead(8, 64), 0);
}

TEST(Pace, AsMuchAsTheSlotsGetThroughInFiftyMilliseconds) {
  struct Row {
    Duration took;
    int slots, most, ahead;
  };
  constexpr Row kRows[] = {{10ms, 2, 64, 9}, {10ms, 8, 64, 39}, {1ms, 2, 64, 64},   {0ms, 2, 64, 64}, {40ms, 2, 64, 2},
                           {49ms, 1, 64, 1}, {51ms, 8, 64, 0},  {10min, 64, 64, 0}, {10ms, 2, 0, 0},  {1ms, 2, 7, 7}};
  for (const Row& row : kRows)
    EXPECT_EQ(after(200, row.took).ahead(row.slots, row.most), row.ahead) << to_text(row.took) << " " << row.slots;
}

TEST(Pace, OneLongAttemptEndsItAtOnce) {
  Pace pace = after(200, 1ms);
  ASSERT_EQ(pace.ahead(2, 64), 64);
  pace.add(5s);
  EXPECT_EQ(pace.ahead(2, 64), 0);
  for (int i = 0; i < 10; ++i) pace.add(1ms);
  EXPECT_EQ(pace.ahead(2, 64), 0);
}

}  // namespace
}  // namespace slipway::engine
