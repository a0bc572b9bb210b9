#include "slipway/ml/tensor.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

#include "slipway/ml/bf16.h"

namespace slipway::ml {
namespace {

float from_bits(std::uint32_t bits) { return std::bit_cast<float>(bits); }

TEST(Bf16, EveryValueSurvivesTheRoundTrip) {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const Bf16 x{static_cast<std::uint16_t>(bits)};
    const bool signalling_nan = (bits & 0x7f80) == 0x7f80 && (bits & 0x7f) != 0 && (bits & 0x40) == 0;
    const auto want = signalling_nan ? static_cast<std::uint16_t>(bits | 0x40) : x.bits;
    ASSERT_EQ(to_bf16(to_float(x)).bits, want) << bits;
  }
}

TEST(Bf16, RoundsToNearestEven) {
  struct Row {
    std::uint32_t in;
    std::uint16_t out;
  };
  for (const auto& [in, out] : {Row{0x3f808000, 0x3f80},  // half way, even below
                                Row{0x3f818000, 0x3f82},  // half way, even above
                                Row{0x3f808001, 0x3f81},  // just above half
                                Row{0x3f807fff, 0x3f80},  // just below half
                                Row{0x7f7fffff, 0x7f80},  // the largest float overflows to infinity
                                Row{0x7f7f7fff, 0x7f7f},  // the largest that does not
                                Row{0x7f800000, 0x7f80},  // infinity
                                Row{0xff800000, 0xff80},  // minus infinity
                                Row{0x80000000, 0x8000},  // minus zero
                                Row{0x00000001, 0x0000},  // the smallest denormal
                                Row{0x00018000, 0x0002},  // a denormal half way
                                Row{0x7f800001, 0x7fc0},  // a NaN whose payload would round to infinity
                                Row{0xffffffff, 0xffff}})
    EXPECT_EQ(to_bf16(from_bits(in)).bits, out) << std::hex << in;
}

TEST(Half, EveryPatternIsExact) {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const float got = half_to_float(static_cast<std::uint16_t>(bits));
    const int exponent = static_cast<int>(bits >> 10U & 31U);
    const double fraction = bits & 0x3ffU;
    const double sign = (bits & 0x8000U) != 0 ? -1 : 1;
    if (exponent == 31) {
      ASSERT_EQ(std::isnan(got), fraction != 0);
      ASSERT_EQ(std::isinf(got), fraction == 0);
      continue;
    }
    const double want = exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
    ASSERT_EQ(static_cast<double>(got), sign * want) << bits;
    ASSERT_EQ(std::signbit(got), sign < 0);
  }
}

TEST(Widen, ReadsEveryFloatTypeAtAnyAlignment) {
  const double f64[] = {1.5, -2};
  const float f32[] = {1.5F, -2};
  const std::uint16_t f16[] = {0x3e00, 0xc000}, bf16[] = {0x3fc0, 0xc000};
  const auto read = [](Dtype dtype, const void* from, std::size_t bytes) {
    std::vector<std::byte> shifted(bytes + 1);
    std::copy_n(static_cast<const std::byte*>(from), bytes, shifted.begin() + 1);
    std::vector<float> out(2);
    EXPECT_TRUE(widen({dtype, {2}, std::span<const std::byte>(shifted).subspan(1)}, out));
    return out;
  };
  const std::vector<float> want = {1.5F, -2};
  EXPECT_EQ(read(Dtype::F64, f64, sizeof f64), want);
  EXPECT_EQ(read(Dtype::F32, f32, sizeof f32), want);
  EXPECT_EQ(read(Dtype::F16, f16, sizeof f16), want);
  EXPECT_EQ(read(Dtype::BF16, bf16, sizeof bf16), want);
}

TEST(Widen, RefusesIntegersAndOtherSizes) {
  std::vector<std::byte> bytes(8);
  std::vector<float> out(2);
  EXPECT_EQ(widen({Dtype::I32, {2}, bytes}, out).error().code, ErrorCode::InvalidArgument);
  EXPECT_EQ(widen({Dtype::BF16, {4}, bytes}, out).error().code, ErrorCode::InvalidArgument);
}

TEST(Dtypes, SizesFollowTheNames) {
  for (const auto& row : kDtypes.rows()) {
    const std::string digits(row.text.substr(std::min(row.text.find_first_of("0123456789"), row.text.size())));
    EXPECT_EQ(byte_size(row.value), digits.empty() ? 1U : std::stoul(digits) / 8) << row.text;
  }
}

TEST(Matrix, IsZeroAlignedAndMovable) {
  Matrix matrix(3, 5);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(matrix.row(0)) % 64, 0U);
  for (const float value : matrix.values()) EXPECT_EQ(value, 0);
  matrix.row(2)[4] = 7;
  const Matrix copy = matrix.clone();
  const Matrix moved = std::move(matrix);
  EXPECT_EQ(copy.row(2)[4], 7);
  EXPECT_EQ(moved.row(2)[4], 7);
  EXPECT_TRUE(Matrix().empty());
  EXPECT_TRUE(Matrix(0, 4).values().empty());
}

TEST(Rows, SlicesAreViews) {
  Matrix matrix(4, 6);
  const auto part = matrix.view().slice(1, 2).columns(2, 3);
  part.at(1, 2) = 9;
  EXPECT_EQ(matrix.row(2)[4], 9);
  EXPECT_EQ(part.rows, 2);
  EXPECT_EQ(part.cols, 3);
  EXPECT_EQ(part.stride, 6);
}

}  // namespace
}  // namespace slipway::ml
