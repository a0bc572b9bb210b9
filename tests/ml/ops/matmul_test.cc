#include "slipway/ml/matmul.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "ml/support/numeric.h"
#include "ml/support/supported_isas.h"
#include "slipway/ml/bf16.h"

namespace slipway::ml {
namespace {

using testing::Doubles;

// Products in double of what the operands hold.
Doubles naive(const Operand& a, const Operand& b) {
  const auto element = [](const Operand& x, std::int64_t r, std::int64_t c) {
    const std::int64_t at = r * x.row_stride + c * x.col_stride;
    return static_cast<double>(x.dtype == Dtype::F32 ? static_cast<const float*>(x.data)[at]
                                                     : to_float(static_cast<const Bf16*>(x.data)[at]));
  };
  Doubles c(static_cast<std::size_t>(a.rows * b.cols));
  for (std::int64_t m = 0; m < a.rows; ++m)
    for (std::int64_t n = 0; n < b.cols; ++n)
      for (std::int64_t k = 0; k < a.cols; ++k)
        c[static_cast<std::size_t>(m * b.cols + n)] += element(a, m, k) * element(b, k, n);
  return c;
}

struct Bf16Matrix {
  std::vector<Bf16> values;
  std::int64_t rows, cols;
  Bf16Matrix(const Doubles& from, std::int64_t row_count)
      : values(from.size()), rows(row_count), cols(static_cast<std::int64_t>(from.size()) / row_count) {
    const auto matrix = testing::to_matrix(from, row_count);
    narrow(matrix.values(), values);
  }
  [[nodiscard]] Operand operand() const {
    return Operand(TensorView{Dtype::BF16, {rows, cols}, std::as_bytes(std::span(values))});
  }
};

struct Shape {
  std::int64_t m, n, k;
};

// Around the register tiles, the k block, the few-rows path and the tile grid.
const Shape kShapes[] = {{1, 1, 1},      {1, 7, 3},      {3, 5, 17},     {8, 33, 65},  {9, 33, 65},
                         {13, 31, 40},   {12, 32, 256},  {64, 64, 40},   {17, 8, 300}, {200, 8, 257},
                         {40, 130, 700}, {530, 70, 130}, {300, 600, 33}, {2, 3, 0}};

class MatmulTest : public ::testing::TestWithParam<Isa> {
 protected:
  Compute compute_{{.threads = 2, .isa = GetParam()}};

  // fp32 rounding grows with the root of k; the products are of size 1.
  void check(const Operand& a, const Operand& b, const std::string& what) {
    Matrix c(a.rows, b.cols);
    c.fill(7);
    matmul(compute_, a, b, c.view());
    testing::expect_close(c.values(), naive(a, b), 2e-6, what);
  }
};

TEST_P(MatmulTest, EveryLayoutAgainstNaive) {
  for (const auto& [m, n, k] : kShapes) {
    const std::string what = std::to_string(m) + "x" + std::to_string(n) + "x" + std::to_string(k);
    if (k == 0) continue;
    const auto a = testing::to_matrix(testing::random_values(m * k, 1), m),
               at = testing::to_matrix(testing::random_values(m * k, 2), k);
    const auto b = testing::to_matrix(testing::random_values(n * k, 3), k),
               bt = testing::to_matrix(testing::random_values(n * k, 4), n);
    const Bf16Matrix h(testing::random_values(n * k, 5), k), ht(testing::random_values(n * k, 6), n);
    for (const auto& left : {Operand(a.view()), Operand(at.view()).t()})
      for (const auto& right : {Operand(b.view()), Operand(bt.view()).t(), h.operand(), ht.operand().t()})
        check(left, right, what);
  }
}

TEST_P(MatmulTest, RowsAPageApart) {
  const auto a = testing::to_matrix(testing::random_values(30 * 1024, 1), 30);
  const auto b = testing::to_matrix(testing::random_values(40 * 1024, 2), 40);
  check(a.view(), Operand(b.view()).t(), "stride 4 KiB");
}

TEST_P(MatmulTest, ScalesAndAccumulatesIntoAView) {
  for (const std::int64_t m : {3, 20}) {
    const auto a = testing::to_matrix(testing::random_values(m * 300, 1), m),
               b = testing::to_matrix(testing::random_values(37 * 300, 2), 37);
    Matrix c(m, 50);
    c.fill(2);
    matmul(compute_, a.view(), Operand(b.view()).t(), c.view().columns(5, 37), {.scale = -0.5F, .accumulate = true});
    auto want = naive(a.view(), Operand(b.view()).t());
    for (std::int64_t i = 0; i < m; ++i) {
      for (std::int64_t j = 0; j < 50; ++j) {
        const bool inside = j >= 5 && j < 42;
        const double expected = inside ? 2 - 0.5 * want[static_cast<std::size_t>(i * 37 + j - 5)] : 2;
        ASSERT_NEAR(static_cast<double>(c.row(i)[j]), expected, inside ? 2e-5 : 0) << i << " " << j;
      }
    }
  }
}

TEST_P(MatmulTest, AnEmptySumIsZero) {
  Matrix c(2, 3);
  c.fill(5);
  matmul(compute_, Matrix(2, 0).view(), Matrix(0, 3).view(), c.view());
  for (const float value : c.values()) EXPECT_EQ(value, 0);
}

TEST_P(MatmulTest, SameBitsForEveryThreadCount) {
  const auto a = testing::to_matrix(testing::random_values(1100 * 300, 1), 1100);
  const Bf16Matrix w(testing::random_values(700 * 300, 2), 700);
  Matrix want(1100, 700);
  Compute one({.threads = 1, .isa = GetParam()});
  matmul(one, a.view(), w.operand().t(), want.view());
  for (const int threads : {2, 3, 7}) {
    Compute many({.threads = threads, .isa = GetParam()});
    Matrix got(1100, 700);
    matmul(many, a.view(), w.operand().t(), got.view());
    testing::expect_same_bits(got.values(), want.values(), std::to_string(threads) + " threads");
  }
}

TEST_P(MatmulTest, NanAndInfinityComeThrough) {
  Matrix a(20, 40), b(30, 40);
  a.fill(1);
  b.fill(1);
  a.row(3)[5] = std::numeric_limits<float>::quiet_NaN();
  a.row(4)[5] = std::numeric_limits<float>::infinity();
  Matrix c(20, 30);
  matmul(compute_, a.view(), Operand(b.view()).t(), c.view());
  for (std::int64_t n = 0; n < 30; ++n) {
    EXPECT_TRUE(std::isnan(c.row(3)[n]));
    EXPECT_TRUE(std::isinf(c.row(4)[n]));
    EXPECT_EQ(c.row(5)[n], 40);
  }
}

// With a rounded to bf16 the products are exact in fp32, so only the sums differ from the naive ones.
class Bf16ProductsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!has_bf16_products()) GTEST_SKIP() << "no AVX512_BF16";
  }

  static Doubles rounded(const Doubles& values) {
    Doubles result;
    for (const double value : values)
      result.push_back(static_cast<double>(to_float(to_bf16(static_cast<float>(value)))));
    return result;
  }
};

TEST_F(Bf16ProductsTest, FollowNaiveOnRoundedFactors) {
  Compute compute({.threads = 2, .products = Products::Bf16});
  for (const auto& [m, n, k] : kShapes) {
    if (k == 0) continue;
    const auto values = testing::random_values(m * k, 1);
    const auto a = testing::to_matrix(values, m), a_rounded = testing::to_matrix(rounded(values), m);
    const Bf16Matrix h(testing::random_values(n * k, 5), k), ht(testing::random_values(n * k, 6), n);
    for (const auto& right : {h.operand(), ht.operand().t()}) {
      Matrix c(m, n);
      matmul(compute, a.view(), right, c.view());
      // Few rows against k along memory are multiplied in fp32.
      const bool exact = m <= 8 && right.row_stride == 1;
      testing::expect_close(c.values(), naive(exact ? a.view() : a_rounded.view(), right), 5e-6,
                            std::to_string(m) + "x" + std::to_string(n) + "x" + std::to_string(k));
    }
  }
}

TEST_F(Bf16ProductsTest, SameBitsForEveryThreadCount) {
  const auto a = testing::to_matrix(testing::random_values(700 * 600, 1), 700);
  const Bf16Matrix w(testing::random_values(300 * 600, 2), 300);
  Matrix want(700, 300);
  Compute one({.threads = 1, .products = Products::Bf16});
  matmul(one, a.view(), w.operand().t(), want.view());
  for (const int threads : {2, 5}) {
    Compute many({.threads = threads, .products = Products::Bf16});
    Matrix got(700, 300);
    matmul(many, a.view(), w.operand().t(), got.view());
    testing::expect_same_bits(got.values(), want.values());
  }
}

TEST_F(Bf16ProductsTest, HaveTheirOwnKernelId) {
  EXPECT_NE(Compute({.threads = 1, .products = Products::Bf16}).kernel_id(), Compute({.threads = 1}).kernel_id());
}

std::vector<Products> offered_products() {
  std::vector<Products> list;
  for (const auto& row : kProducts.rows())
    if (has_products(row.value)) list.push_back(row.value);
  return list;
}

// A clock on which one of the intervals of a round is short: they are timed one after the other.
class RoundClock final : public Clock {
 public:
  RoundClock(std::size_t count, std::size_t fast) : count_(count), fast_(fast) {}
  [[nodiscard]] Instant now() const override { return Instant(); }
  [[nodiscard]] MonoInstant monotonic() const override {
    const std::size_t reading = readings_++ % (2 * count_);  // start and end of each
    if (reading % 2 == 1) at_ += Duration(reading / 2 == fast_ ? 10 : 20);
    return MonoInstant(at_);
  }

 private:
  std::size_t count_, fast_;
  mutable std::size_t readings_ = 0;
  mutable Duration at_{0};
};

TEST_F(Bf16ProductsTest, AreChosenOnlyWhereFaster) {
  const auto offered = offered_products();
  for (std::size_t i = 0; i < offered.size(); ++i)
    EXPECT_EQ(faster_products(RoundClock(offered.size(), i)), offered[i]);
}

TEST(Products, AreKnownByTheirKernel) {
  for (const Products products : offered_products())
    EXPECT_EQ(products_of_kernel(Compute({.threads = 1, .products = products}).kernel_id()), products);
  EXPECT_EQ(products_of_kernel("fp8-imaginary-1"), std::nullopt);
}

// Halves have 11 bits; sums of 32 in them lose about as much again. bf16's 8 bits are twice worse.
class Fp16ProductsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!has_products(Products::Fp16)) GTEST_SKIP() << "no AVX512_FP16";
  }
  // |c - naive| / |naive|, of x (scaled by `size`) times random weights.
  static double error(Products products, Shape shape, bool along, double size) {
    auto values = testing::random_values(shape.m * shape.k, 1);
    for (double& value : values) value *= size;
    const auto a = testing::to_matrix(values, shape.m);
    const Bf16Matrix b(testing::random_values(shape.n * shape.k, 5), along ? shape.n : shape.k);
    const Operand right = along ? b.operand().t() : b.operand();
    Compute compute({.threads = 2, .products = products});
    Matrix c(shape.m, shape.n);
    matmul(compute, a.view(), right, c.view());
    const Doubles wanted = naive(a.view(), right);
    double difference = 0, whole = 0;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      difference += std::pow(static_cast<double>(c.values()[i]) - wanted[i], 2);
      whole += wanted[i] * wanted[i];
    }
    return std::sqrt(difference / whole);
  }
};

TEST_F(Fp16ProductsTest, AreNearerThanBf16AtEverySize) {
  for (const Shape& shape : {Shape{40, 130, 700}, Shape{300, 33, 64}, Shape{13, 31, 515}})
    for (const bool along : {false, true})
      for (const double size : {1e-30, 1e-4, 1.0, 1e20})
        EXPECT_LT(error(Products::Fp16, shape, along, size), 1.2e-3) << shape.k << " at " << size;
  EXPECT_LT(error(Products::Fp16, {64, 64, 2000}, false, 1), 0.7 * error(Products::Bf16, {64, 64, 2000}, false, 1));
}

TEST_F(Fp16ProductsTest, ScaleAndAccumulateAndZeroRows) {
  Matrix a(20, 40), c(20, 16);
  for (std::int64_t k = 0; k < 40; ++k) a.row(7)[k] = 0.25F;
  c.fill(3);
  const std::vector<Bf16> ones(40 * 16, to_bf16(2));
  Compute compute({.threads = 1, .products = Products::Fp16});
  matmul(compute, a.view(), Operand(TensorView{Dtype::BF16, {40, 16}, std::as_bytes(std::span(ones))}), c.view(),
         {.scale = 0.5F, .accumulate = true});
  EXPECT_EQ(c.row(0)[5], 3);
  EXPECT_EQ(c.row(7)[5], 3 + 0.5F * 40 * 0.25F * 2);
}

TEST_F(Fp16ProductsTest, WhatIsNoNumberStaysVisible) {
  Matrix a(20, 40), c(20, 16);
  a.fill(1);
  a.row(2)[3] = std::numeric_limits<float>::quiet_NaN();
  a.row(4)[3] = std::numeric_limits<float>::infinity();
  const std::vector<Bf16> ones(40 * 16, to_bf16(1));
  Compute compute({.threads = 1, .products = Products::Fp16});
  matmul(compute, a.view(), Operand(TensorView{Dtype::BF16, {40, 16}, std::as_bytes(std::span(ones))}), c.view());
  EXPECT_TRUE(std::isnan(c.row(2)[0]));
  EXPECT_FALSE(std::isfinite(c.row(4)[0]));
  EXPECT_EQ(c.row(5)[0], 40);
}

TEST_F(Fp16ProductsTest, SameBitsForEveryThreadCount) {
  const auto a = testing::to_matrix(testing::random_values(300 * 600, 1), 300);
  const Bf16Matrix w(testing::random_values(200 * 600, 2), 200);
  Matrix want(300, 200), got(300, 200);
  Compute one({.threads = 1, .products = Products::Fp16}), five({.threads = 5, .products = Products::Fp16});
  matmul(one, a.view(), w.operand().t(), want.view());
  matmul(five, a.view(), w.operand().t(), got.view());
  testing::expect_same_bits(got.values(), want.values());
}

// Bytes with a scale per row stand for the products of bytes and scales.
TEST_P(MatmulTest, ScaledBytes) {
  Rng rng(7);
  for (const auto& [m, n, k] : kShapes) {
    if (k == 0) continue;
    const auto a = testing::to_matrix(testing::random_values(m * k, 1), m);
    std::vector<std::int8_t> bytes(static_cast<std::size_t>(n * k));
    std::vector<float> scales(static_cast<std::size_t>(n));
    for (auto& byte : bytes) byte = static_cast<std::int8_t>(static_cast<int>(rng.below(255)) - 127);
    for (auto& scale : scales) scale = static_cast<float>(rng.unit() / 64);
    Operand weight;
    weight.data = bytes.data();
    weight.dtype = Dtype::I8;
    weight.rows = n;
    weight.cols = weight.row_stride = k;
    weight.scales = scales.data();
    Matrix wide(n, k);
    for (std::int64_t r = 0; r < n; ++r)
      for (std::int64_t c = 0; c < k; ++c)
        wide.row(r)[c] =
            static_cast<float>(bytes[static_cast<std::size_t>(r * k + c)]) * scales[static_cast<std::size_t>(r)];
    const auto want = naive(a.view(), Operand(wide.view()).t());
    for (const GemmLoop loop : {GemmLoop::ByShape, GemmLoop::Streaming, GemmLoop::Packed}) {
      Matrix c(m, n);
      c.fill(7);
      matmul(compute_, a.view(), weight.t(), c.view(), {.loop = loop});
      testing::expect_close(c.values(), want, 4e-6,
                            std::to_string(m) + "x" + std::to_string(n) + "x" + std::to_string(k));
    }
  }
}

// What batching relies on: with the loop named, a row has the same bits whatever the number of rows.
TEST_P(MatmulTest, RowsDoNotDependOnTheirNumber) {
  for (const std::int64_t depth : {40, 256, 700}) {
    const auto x = testing::to_matrix(testing::random_values(70 * depth, 1), 70);
    const Bf16Matrix weight(testing::random_values(90 * depth, 2), 90);
    for (const GemmLoop loop : {GemmLoop::Streaming, GemmLoop::Packed}) {
      Matrix all(70, 90);
      matmul(compute_, x.view(), weight.operand().t(), all.view(), {.loop = loop});
      for (const auto& [first, count] : {std::pair{0, 1}, {3, 2}, {5, 4}, {9, 13}, {1, 33}, {0, 69}}) {
        Matrix some(count, 90);
        matmul(compute_, x.view().slice(first, count), weight.operand().t(), some.view(), {.loop = loop});
        EXPECT_TRUE(std::ranges::equal(
            some.values(), all.values().subspan(static_cast<std::size_t>(first) * 90, some.values().size())))
            << count << " rows, depth " << depth;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Isas, MatmulTest, ::testing::ValuesIn(testing::supported_isas()),
                         [](const auto& parameter) { return std::string(kIsas.text(parameter.param)); });

}  // namespace
}  // namespace slipway::ml
