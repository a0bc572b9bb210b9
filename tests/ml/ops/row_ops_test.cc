// Each operation against its formula in double, its backward against central differences of that formula.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "ml/support/numeric.h"
#include "ml/support/supported_isas.h"
#include "slipway/ml/bf16.h"
#include "slipway/ml/ops.h"

namespace slipway::ml {
namespace {

using testing::Doubles;
using testing::expect_close;
using testing::numeric_gradient;
using testing::random_values;
using testing::to_matrix;

constexpr double kTolerance = 3e-6;
constexpr std::int64_t kRows = 3;
constexpr std::int64_t kWidths[] = {1, 8, 37, 80};  // below, at and off the vector widths

std::vector<float> to_floats(const Doubles& values) { return {values.begin(), values.end()}; }

double act(Activation activation, double z) {
  if (activation == Activation::Silu) return z / (1 + std::exp(-z));
  return 0.5 * z * (1 + std::tanh(std::sqrt(2 / M_PI) * (z + 0.044715 * z * z * z)));
}

Doubles rms_norm_reference(const Doubles& x, const Doubles& gain, double eps) {
  const std::size_t n = gain.size();
  Doubles y(x.size());
  for (std::size_t first = 0; first < x.size(); first += n) {
    double squares = 0;
    for (std::size_t i = 0; i < n; ++i) squares += x[first + i] * x[first + i];
    const double r = 1 / std::sqrt(squares / static_cast<double>(n) + eps);
    for (std::size_t i = 0; i < n; ++i) y[first + i] = x[first + i] * r * gain[i];
  }
  return y;
}

class RowOpsTest : public ::testing::TestWithParam<Isa> {
 protected:
  Compute compute_{{.threads = 2, .isa = GetParam()}};
};

TEST_P(RowOpsTest, RmsNorm) {
  for (const auto width : kWidths) {
    const auto x = random_values(kRows * width, 1, 2), gain = random_values(width, 2),
               dy = random_values(kRows * width, 3);
    const float eps = 1e-3F;
    const auto xs = to_matrix(x, kRows), dys = to_matrix(dy, kRows);
    Matrix y(kRows, width), dx(kRows, width);
    rms_norm(compute_, xs.view(), to_floats(gain), eps, y.view());
    expect_close(y.values(), rms_norm_reference(x, gain, static_cast<double>(eps)), kTolerance);
    rms_norm_backward(compute_, xs.view(), to_floats(gain), eps, dys.view(), dx.view());
    const auto loss = [&](const Doubles& at) {
      return testing::dot(dy, rms_norm_reference(at, gain, static_cast<double>(eps)));
    };
    // Of width 1, y is nearly the sign of x: its slope is a difference of nearly equal numbers.
    expect_close(dx.values(), numeric_gradient(x, loss), width == 1 ? 2e-3 : kTolerance * 3);
  }
}

TEST_P(RowOpsTest, RmsNormBackwardMayOverwriteItsInput) {
  const auto x = to_matrix(random_values(kRows * 40, 1), kRows), dy = to_matrix(random_values(kRows * 40, 2), kRows);
  const auto gain = to_floats(random_values(40, 3));
  Matrix apart(kRows, 40), in_place = dy.clone();
  rms_norm_backward(compute_, x.view(), gain, 1e-6F, dy.view(), apart.view());
  rms_norm_backward(compute_, x.view(), gain, 1e-6F, in_place.view(), in_place.view());
  testing::expect_same_bits(in_place.values(), apart.values());
}

TEST_P(RowOpsTest, Gated) {
  for (const auto activation : {Activation::Silu, Activation::GeluTanh}) {
    for (const auto width : kWidths) {
      const auto gate = random_values(kRows * width, 1, 6), up = random_values(kRows * width, 2),
                 dy = random_values(kRows * width, 3);
      const auto reference = [&](const Doubles& g, const Doubles& u) {
        Doubles y;
        for (std::size_t i = 0; i < g.size(); ++i) y.push_back(act(activation, g[i]) * u[i]);
        return y;
      };
      Matrix y(kRows, width), dgate(kRows, width), dup(kRows, width);
      const auto gates = to_matrix(gate, kRows), ups = to_matrix(up, kRows), dys = to_matrix(dy, kRows);
      gated(compute_, activation, gates.view(), ups.view(), y.view());
      expect_close(y.values(), reference(gate, up), kTolerance);
      gated_backward(compute_, activation, gates.view(), ups.view(), dys.view(), dgate.view(), dup.view());
      expect_close(dgate.values(),
                   numeric_gradient(gate, [&](const Doubles& g) { return testing::dot(dy, reference(g, up)); }),
                   kTolerance);
      expect_close(dup.values(),
                   numeric_gradient(up, [&](const Doubles& u) { return testing::dot(dy, reference(gate, u)); }),
                   kTolerance);
    }
  }
}

TEST_P(RowOpsTest, ActivationsAtTheEdges) {
  const Doubles z = {-200, -90, -20, -1e-6, 0, 1e-6, 20, 90, 200};
  const auto gate = to_matrix(z, 1), one = to_matrix(Doubles(z.size(), 1), 1);
  for (const auto activation : {Activation::Silu, Activation::GeluTanh}) {
    Matrix y(1, static_cast<std::int64_t>(z.size()));
    gated(compute_, activation, gate.view(), one.view(), y.view());
    for (std::size_t i = 0; i < z.size(); ++i)
      EXPECT_NEAR(static_cast<double>(y.values()[i]), act(activation, z[i]), 1e-6 * std::max(1e-3, std::abs(z[i])))
          << z[i];
  }
}

TEST_P(RowOpsTest, SoftcapFollowsTanh) {
  Doubles z, want;
  for (double at = -300; at <= 300; at += 0.37) {
    z.push_back(static_cast<double>(static_cast<float>(at)));
    want.push_back(30 * std::tanh(z.back() / 30));
  }
  auto got = to_matrix(z, 1);
  softcap(compute_, 30, got.view());
  for (std::size_t i = 0; i < z.size(); ++i)
    EXPECT_NEAR(static_cast<double>(got.values()[i]), want[i], 3e-7 * std::max(1.0, std::abs(want[i]))) << z[i];
}

struct LossOf {
  std::int64_t width;
  double cap;
};

double cross_entropy_reference(const Doubles& z, std::span<const std::int32_t> labels, double cap) {
  const std::size_t n = z.size() / labels.size();
  double loss = 0;
  for (std::size_t t = 0; t < labels.size(); ++t) {
    const auto capped = [&](std::size_t i) { return cap > 0 ? cap * std::tanh(z[t * n + i] / cap) : z[t * n + i]; };
    double total = 0;
    for (std::size_t i = 0; i < n; ++i) total += std::exp(capped(i));
    loss += std::log(total) - capped(static_cast<std::size_t>(labels[t]));
  }
  return loss;
}

TEST_P(RowOpsTest, CrossEntropy) {
  for (const auto& [width, cap] : {LossOf{2, 0}, LossOf{37, 0}, LossOf{37, 5}, LossOf{518, 30}}) {
    const auto z = random_values(kRows * width, 1, 8);
    const std::vector<std::int32_t> labels = {0, static_cast<std::int32_t>(width - 1),
                                              static_cast<std::int32_t>(width / 2)};
    std::vector<double> loss(kRows);
    auto plain = to_matrix(z, kRows), gradient = to_matrix(z, kRows);
    cross_entropy(compute_, {.cap = static_cast<float>(cap)}, labels, plain.view(), loss);
    const double want = cross_entropy_reference(z, labels, cap);
    EXPECT_NEAR(loss[0] + loss[1] + loss[2], want, 2e-6 * want);
    cross_entropy(compute_, {.cap = static_cast<float>(cap), .scale = 0.25F, .gradient = true}, labels, gradient.view(),
                  loss);
    const auto scaled = [&](const Doubles& at) { return 0.25 * cross_entropy_reference(at, labels, cap); };
    expect_close(gradient.values(), numeric_gradient(z, scaled), 5e-6);
  }
}

TEST_P(RowOpsTest, CrossEntropyOfALargeVocabularyAndOfHugeLogits) {
  constexpr std::int64_t kVocabulary = 100'003;
  const std::vector<std::int32_t> labels = {7};
  std::vector<double> loss(1);
  auto even = to_matrix(Doubles(kVocabulary, 3), 1);
  cross_entropy(compute_, {}, labels, even.view(), loss);
  EXPECT_NEAR(loss[0], std::log(100'003.0), 1e-5);
  Matrix huge(1, 40);
  huge.row(0)[9] = 1e30F;
  cross_entropy(compute_, {}, labels, huge.view(), loss);
  EXPECT_NEAR(loss[0], 1e30, 1e23);
}

TEST_P(RowOpsTest, ANanLogitMakesTheLossNan) {
  const std::vector<std::int32_t> labels = {7};
  std::vector<double> loss(1);
  for (const std::int64_t at : {0, 20, 39}) {
    Matrix z(1, 40);
    z.row(0)[at] = std::numeric_limits<float>::quiet_NaN();
    cross_entropy(compute_, {.cap = 30}, labels, z.view(), loss);
    EXPECT_TRUE(std::isnan(loss[0])) << at;
  }
}

TEST_P(RowOpsTest, RopeRotatesAndTurnsBack) {
  constexpr std::int64_t kHeadDim = 20, kHeads = 2;
  const auto frequencies = inverse_frequencies({.theta = 100}, kHeadDim);
  const std::vector<std::int32_t> positions = {0, 1, 5}, index = {2, 0, 1, 1};
  Matrix cosine(3, kHeadDim / 2), sine(3, kHeadDim / 2);
  const RopeTable table{cosine.view(), sine.view()};
  fill_rope_table(compute_, frequencies, 1, positions, table);
  const auto x = random_values(4 * kHeads * kHeadDim, 1);
  auto y = to_matrix(x, 4);
  rope(compute_, table, index, kHeadDim, Turn::Forward, y.view());
  Doubles want(x.size());
  for (std::size_t t = 0; t < 4; ++t) {
    for (std::size_t head = 0; head < kHeads; ++head) {
      for (std::size_t j = 0; j < kHeadDim / 2; ++j) {
        const std::size_t low = (t * kHeads + head) * kHeadDim + j, high = low + kHeadDim / 2;
        const double angle =
            positions[static_cast<std::size_t>(index[t])] * std::pow(100.0, -2.0 * static_cast<double>(j) / kHeadDim);
        want[low] = x[low] * std::cos(angle) - x[high] * std::sin(angle);
        want[high] = x[high] * std::cos(angle) + x[low] * std::sin(angle);
      }
    }
  }
  expect_close(y.values(), want, kTolerance);
  // The rotation is orthogonal: its transpose, which is its backward, undoes it.
  rope(compute_, table, index, kHeadDim, Turn::Backward, y.view());
  expect_close(y.values(), x, kTolerance);
}

TEST_P(RowOpsTest, EmbedReadsBothPrecisions) {
  const auto values = random_values(5 * 37, 1);
  const auto table = to_matrix(values, 5);
  std::vector<Bf16> narrow_table(values.size());
  narrow(table.values(), narrow_table);
  const std::vector<std::int32_t> ids = {4, 0, 4};
  Matrix y(3, 37), y16(3, 37);
  embed(compute_, table.view(), ids, 3, y.view());
  embed(compute_, Operand(TensorView{Dtype::BF16, {5, 37}, std::as_bytes(std::span(narrow_table))}), ids, 3,
        y16.view());
  for (std::size_t t = 0; t < ids.size(); ++t) {
    for (std::size_t i = 0; i < 37; ++i) {
      const std::size_t at = static_cast<std::size_t>(ids[t]) * 37 + i;
      EXPECT_EQ(y.values()[t * 37 + i], 3 * table.values()[at]);
      EXPECT_EQ(y16.values()[t * 37 + i], 3 * to_float(narrow_table[at]));
    }
  }
}

TEST_P(RowOpsTest, AddsRowsAndBias) {
  const auto x = random_values(kRows * 37, 1), y = random_values(kRows * 37, 2), bias = random_values(37, 3);
  auto sum = to_matrix(y, kRows);
  add(compute_, to_matrix(x, kRows).view(), sum.view());
  add_bias(compute_, to_floats(bias), sum.view());
  Doubles want;
  for (std::size_t i = 0; i < x.size(); ++i) want.push_back(x[i] + y[i] + bias[i % 37]);
  expect_close(sum.values(), want, kTolerance);
}

INSTANTIATE_TEST_SUITE_P(Isas, RowOpsTest, ::testing::ValuesIn(testing::supported_isas()),
                         [](const auto& parameter) { return std::string(kIsas.text(parameter.param)); });

TEST(InverseFrequencies, Plain) {
  const auto got = inverse_frequencies({.theta = 10000}, 8);
  ASSERT_EQ(got.size(), 4U);
  for (std::size_t j = 0; j < 4; ++j)
    EXPECT_FLOAT_EQ(got[j], static_cast<float>(std::pow(10.0, -static_cast<double>(j))));
}

TEST(InverseFrequencies, LinearDivides) {
  EXPECT_FLOAT_EQ(inverse_frequencies({.theta = 100, .scaling = RopeScaling::Linear, .factor = 8}, 4)[1], 0.1F / 8);
}

// A text twice as long as the context, factor 3: theta grows by (3 * 2 - 2)^(8/6).
TEST(InverseFrequencies, DynamicGrowsThetaWithTheText) {
  const Rope rope{.theta = 100, .scaling = RopeScaling::Dynamic, .factor = 3, .original_context = 50};
  EXPECT_EQ(inverse_frequencies(rope, 8), inverse_frequencies({.theta = 100}, 8));
  const auto got = inverse_frequencies_beyond(rope, 8, 100);
  ASSERT_EQ(got.size(), 4U);
  for (std::size_t j = 0; j < 4; ++j)
    EXPECT_FLOAT_EQ(got[j], static_cast<float>(std::pow(100 * std::pow(4.0, 8.0 / 6.0), -static_cast<double>(j) / 4)));
}

// Llama 3.1: factor 8, low 1, high 4, context 8192: wavelengths below 2048 stay, above 8192 are divided.
TEST(InverseFrequencies, Llama3KeepsShortAndStretchesLongWavelengths) {
  const Rope plain{.theta = 500000};
  const Rope scaled{.theta = 500000, .scaling = RopeScaling::Llama3, .factor = 8};
  const auto before = inverse_frequencies(plain, 128), after = inverse_frequencies(scaled, 128);
  int kept = 0, divided = 0, blended = 0;
  for (std::size_t j = 0; j < before.size(); ++j) {
    const double wavelength = 2 * M_PI / static_cast<double>(before[j]);
    if (wavelength < 2048) {
      EXPECT_EQ(after[j], before[j]);
      ++kept;
    } else if (wavelength > 8192) {
      EXPECT_FLOAT_EQ(after[j], before[j] / 8);
      ++divided;
    } else {
      const double share = (8192 / wavelength - 1) / 3;
      EXPECT_NEAR(after[j], before[j] * ((1 - share) / 8 + share), 1e-6F * before[j]);
      ++blended;
    }
  }
  EXPECT_EQ(kept + divided + blended, 64);
  EXPECT_GT(kept, 0);
  EXPECT_GT(divided, 0);
  EXPECT_GT(blended, 0);
}

}  // namespace
}  // namespace slipway::ml
