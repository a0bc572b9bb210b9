#include "ml/models/int8.h"

#include <gtest/gtest.h>

#include <cmath>

#include "ml/support/numeric.h"

namespace slipway::ml {
namespace {

TEST(Int8, NoElementIsOffByMoreThanHalfAScale) {
  const auto matrix = testing::to_matrix(testing::random_values(6 * 50, 1), 6);
  const auto bytes = to_int8(matrix.view());
  ASSERT_EQ(bytes.scales.size(), 6U);
  for (std::int64_t r = 0; r < 6; ++r) {
    const float scale = bytes.scales[static_cast<std::size_t>(r)];
    for (std::int64_t c = 0; c < 50; ++c)
      EXPECT_LE(
          std::abs(static_cast<float>(bytes.values[static_cast<std::size_t>(r * 50 + c)]) * scale - matrix.row(r)[c]),
          scale * 0.5001F);
  }
}

TEST(Int8, ARowOfZerosStaysOne) {
  const Matrix zeros(2, 8);
  const auto bytes = to_int8(zeros.view());
  EXPECT_EQ(bytes.scales, (std::vector<float>{0, 0}));
  for (const auto byte : bytes.values) EXPECT_EQ(byte, 0);
}

}  // namespace
}  // namespace slipway::ml
