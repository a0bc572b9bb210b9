#include "engine/run_id.h"

#include <gtest/gtest.h>

#include <limits>

namespace slipway::engine {
namespace {

const Instant kNow = *parse_rfc3339("2024-11-01T00:00:00Z");

TEST(RunIdMaker, MakesUlids) {
  Rng rng(1);
  RunIdMaker maker(rng);
  const RunId id = maker.next(kNow);
  EXPECT_EQ(id.str().size(), 26U);
  EXPECT_TRUE(is_id(id.str()));
  EXPECT_EQ(id.str().substr(0, 10), "01jbjgb400");
}

TEST(RunIdMaker, RisesWithinAMillisecondAndWhenTheClockGoesBack) {
  Rng rng(1);
  RunIdMaker maker(rng);
  RunId last = maker.next(kNow);
  for (int i = 0; i < 1'000; ++i) {
    const RunId next = maker.next(kNow - std::chrono::seconds(i % 3));
    ASSERT_LT(last, next);
    last = next;
  }
}

TEST(RunIdMaker, GoesOnAfterAnId) {
  Rng rng(1);
  RunIdMaker maker(rng);
  const RunId future("7zzzzzzzzz0000000000000000");
  maker.continue_after(RunId("r1"));
  maker.continue_after(future);
  EXPECT_EQ(maker.next(kNow), RunId("7zzzzzzzzz0000000000000001"));
}

}  // namespace
}  // namespace slipway::engine
