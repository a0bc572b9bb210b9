#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "ml/support/numeric.h"
#include "ml/support/supported_isas.h"
#include "slipway/ml/ops.h"

namespace slipway::ml {
namespace {

Matrix ones(std::int64_t rows, std::int64_t cols) {
  Matrix matrix(rows, cols);
  matrix.fill(1);
  return matrix;
}

TEST(Dropout, SameMaskOnEveryInstructionSet) {
  const auto x = testing::to_matrix(testing::random_values(2 * 77, 1), 2);
  const std::vector<std::uint64_t> keys = {1, 0xffffffffffffffffULL};
  Matrix want(2, 77);
  Compute baseline({.threads = 1, .isa = Isa::Baseline});
  dropout(baseline, {0.3F, keys}, x.view(), want.view());
  for (const auto isa : testing::supported_isas()) {
    Compute compute({.threads = 2, .isa = isa});
    Matrix got(2, 77);
    dropout(compute, {0.3F, keys}, x.view(), got.view());
    testing::expect_same_bits(got.values(), want.values(), std::string(kIsas.text(isa)));
  }
}

TEST(Dropout, DropsTheStatedShareAndKeepsTheMean) {
  Compute compute({.threads = 1});
  constexpr std::int64_t kCols = 200'000;
  const auto x = ones(1, kCols);
  const std::vector<std::uint64_t> keys = {dropout_key(1, 2, 3, 4, Linear::Up)};
  for (const float probability : {0.05F, 0.5F, 0.9F}) {
    Matrix y(1, kCols);
    dropout(compute, {probability, keys}, x.view(), y.view());
    std::int64_t dropped = 0;
    for (const float value : y.values()) {
      dropped += value == 0;
      if (value != 0) {
        ASSERT_FLOAT_EQ(value, 1 / (1 - probability));
      }
    }
    const double sigma = std::sqrt(kCols * probability * (1 - static_cast<double>(probability)));
    EXPECT_NEAR(static_cast<double>(dropped), kCols * static_cast<double>(probability), 5 * sigma);
  }
}

TEST(Dropout, NeighboursAreIndependent) {
  Compute compute({.threads = 1});
  constexpr std::int64_t kRows = 400, kCols = 400;
  std::vector<std::uint64_t> keys;
  for (std::int64_t t = 0; t < kRows; ++t) keys.push_back(dropout_key(1, 0, t, 0, Linear::Q));
  const auto x = ones(kRows, kCols);
  Matrix y(kRows, kCols);
  dropout(compute, {0.5F, keys}, x.view(), y.view());
  std::int64_t right = 0, below = 0;
  for (std::int64_t r = 0; r + 1 < kRows; ++r) {
    for (std::int64_t c = 0; c + 1 < kCols; ++c) {
      right += (y.row(r)[c] == 0) == (y.row(r)[c + 1] == 0);
      below += (y.row(r)[c] == 0) == (y.row(r + 1)[c] == 0);
    }
  }
  const double pairs = static_cast<double>((kRows - 1) * (kCols - 1)), sigma = std::sqrt(pairs) / 2;
  EXPECT_NEAR(static_cast<double>(right), pairs / 2, 5 * sigma);
  EXPECT_NEAR(static_cast<double>(below), pairs / 2, 5 * sigma);
}

// y = M x, so d(u . M x)/dx = M u: dropout_add with the same key is the backward of dropout.
TEST(Dropout, BackwardUsesTheSameMask) {
  for (const auto isa : testing::supported_isas()) {
    Compute compute({.threads = 2, .isa = isa});
    const std::vector<std::uint64_t> keys = {5, 6, 7};
    const auto u = testing::to_matrix(testing::random_values(3 * 50, 1), 3);
    Matrix mask(3, 50), dx = ones(3, 50);
    dropout(compute, {0.4F, keys}, ones(3, 50).view(), mask.view());
    dropout_add(compute, {0.4F, keys}, u.view(), dx.view());
    for (std::size_t i = 0; i < 150; ++i) EXPECT_FLOAT_EQ(dx.values()[i], 1 + mask.values()[i] * u.values()[i]);
  }
}

TEST(Dropout, EveryPartOfTheKeyMatters) {
  std::set<std::uint64_t> keys = {dropout_key(0, 0, 0, 0, Linear::Q)};
  EXPECT_TRUE(keys.insert(dropout_key(1, 0, 0, 0, Linear::Q)).second);
  EXPECT_TRUE(keys.insert(dropout_key(0, 1, 0, 0, Linear::Q)).second);
  EXPECT_TRUE(keys.insert(dropout_key(0, 0, 1, 0, Linear::Q)).second);
  EXPECT_TRUE(keys.insert(dropout_key(0, 0, 0, 1, Linear::Q)).second);
  EXPECT_TRUE(keys.insert(dropout_key(0, 0, 0, 0, Linear::K)).second);
}

}  // namespace
}  // namespace slipway::ml
