#include "slipway/base/rng.h"

#include <gtest/gtest.h>

#include <array>

namespace slipway {
namespace {

TEST(Rng, ReplaysFromItsSeed) {
  Rng a(7), b(7), c(8);
  bool differs = false;
  for (int i = 0; i < 100; ++i) {
    const auto draw = a.next();
    EXPECT_EQ(draw, b.next());
    differs |= draw != c.next();
  }
  EXPECT_TRUE(differs);
}

TEST(Rng, BelowIsUniform) {
  Rng rng(1);
  std::array<int, 5> seen{};
  for (int i = 0; i < 50'000; ++i) ++seen[rng.below(5)];
  for (const int count : seen) EXPECT_NEAR(count, 10'000, 500);
}

TEST(Rng, UnitStaysInside) {
  Rng rng(3);
  for (int i = 0; i < 10'000; ++i) {
    const double draw = rng.unit();
    EXPECT_GE(draw, 0.0);
    EXPECT_LT(draw, 1.0);
  }
}

TEST(StableHash, IsFnv1a) { EXPECT_EQ(stable_hash("a"), 0xaf63dc4c8601ec8cULL); }

}  // namespace
}  // namespace slipway
