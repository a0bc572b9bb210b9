// Double-precision gradients by central differences, and comparison of fp32 results with them.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "slipway/base/rng.h"
#include "slipway/ml/tensor.h"

namespace slipway::ml::testing {

using Doubles = std::vector<double>;

// Values in [-range, range) that are exact in fp32.
inline Doubles random_values(std::int64_t count, std::uint64_t seed, double range = 1) {
  Rng rng(seed);
  Doubles values;
  for (std::int64_t i = 0; i < count; ++i)
    values.push_back(static_cast<double>(static_cast<float>((2 * rng.unit() - 1) * range)));
  return values;
}

inline Matrix to_matrix(const Doubles& values, std::int64_t rows) {
  Matrix matrix(rows, static_cast<std::int64_t>(values.size()) / rows);
  for (std::size_t i = 0; i < values.size(); ++i) matrix.values()[i] = static_cast<float>(values[i]);
  return matrix;
}

inline double dot(const Doubles& a, const Doubles& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

// d loss / dx; the error is about 1e-9 for smooth functions of size 1.
inline Doubles numeric_gradient(Doubles x, const std::function<double(const Doubles&)>& loss) {
  constexpr double kStep = 1e-5;
  Doubles gradient;
  for (auto& value : x) {
    const double at = value;
    value = at + kStep;
    const double above = loss(x);
    value = at - kStep;
    const double below = loss(x);
    value = at;
    gradient.push_back((above - below) / (2 * kStep));
  }
  return gradient;
}

// |got - want| <= tolerance * max(rms(want), |want|) everywhere.
inline void expect_close(std::span<const float> got, std::span<const double> want, double tolerance,
                         const std::string& what = {}) {
  ASSERT_EQ(got.size(), want.size()) << what;
  double squares = 0;
  for (const double value : want) squares += value * value;
  const double rms = std::sqrt(squares / static_cast<double>(want.size()));
  for (std::size_t i = 0; i < want.size(); ++i)
    ASSERT_NEAR(static_cast<double>(got[i]), want[i], tolerance * std::max(rms, std::abs(want[i])))
        << what << " at " << i;
}

inline void expect_same_bits(std::span<const float> a, std::span<const float> b, const std::string& what = {}) {
  ASSERT_EQ(a.size(), b.size()) << what;
  for (std::size_t i = 0; i < a.size(); ++i)
    ASSERT_EQ(std::bit_cast<std::uint32_t>(a[i]), std::bit_cast<std::uint32_t>(b[i])) << what << " at " << i;
}

}  // namespace slipway::ml::testing
