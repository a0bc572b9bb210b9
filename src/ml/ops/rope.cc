#include <algorithm>
#include <cmath>
#include <numbers>

#include "ml/ops/kernels.h"
#include "ml/ops/row_chunks.h"
#include "slipway/ml/ops.h"

namespace slipway::ml {
namespace {

float scaled_llama3(float frequency, const Rope& rope) {
  const auto factor = static_cast<float>(rope.factor), low = static_cast<float>(rope.low_freq_factor),
             high = static_cast<float>(rope.high_freq_factor), context = static_cast<float>(rope.original_context);
  const float wavelength = 2 * std::numbers::pi_v<float> / frequency;
  if (wavelength < context / high) return frequency;
  if (wavelength > context / low) return frequency / factor;
  const float share = (context / wavelength - low) / (high - low);
  return (1 - share) * frequency / factor + share * frequency;
}

// The dimension (of d/2, not whole) whose wave turns `turns` times within the context.
double turning_dimension(double turns, const Rope& rope, std::int64_t head_dim) {
  const auto d = static_cast<double>(head_dim), context = static_cast<double>(rope.original_context);
  return d * std::log(context / (turns * 2 * std::numbers::pi)) / (2 * std::log(rope.theta));
}

// Share of dimension j that is kept: 1 below the fast end, 0 above the slow one.
std::vector<float> yarn_shares(const Rope& rope, std::int64_t head_dim) {
  const double low = std::max(std::floor(turning_dimension(rope.beta_fast, rope, head_dim)), 0.0);
  double high =
      std::min(std::ceil(turning_dimension(rope.beta_slow, rope, head_dim)), static_cast<double>(head_dim - 1));
  if (low == high) high += 0.001;
  std::vector<float> shares;
  for (std::int64_t j = 0; j < head_dim / 2; ++j) {
    const float ramp = (static_cast<float>(j) - static_cast<float>(low)) / static_cast<float>(high - low);
    shares.push_back(1 - std::clamp(ramp, 0.0F, 1.0F));
  }
  return shares;
}

float scaled(float frequency, const Rope& rope) {
  switch (rope.scaling) {
    case RopeScaling::None:
    case RopeScaling::Dynamic:
    case RopeScaling::Yarn: return frequency;
    case RopeScaling::Linear: return frequency / static_cast<float>(rope.factor);
    case RopeScaling::Llama3: return scaled_llama3(frequency, rope);
  }
  return frequency;
}

}  // namespace

// In fp32 throughout, as transformers does: a last-place difference here is a large angle at a far position.
std::vector<float> inverse_frequencies(const Rope& rope, std::int64_t head_dim) {
  std::vector<float> frequencies;
  for (std::int64_t j = 0; j < head_dim / 2; ++j) {
    const float exponent = static_cast<float>(2 * j) / static_cast<float>(head_dim);
    frequencies.push_back(scaled(1 / std::pow(static_cast<float>(rope.theta), exponent), rope));
  }
  if (rope.scaling != RopeScaling::Yarn) return frequencies;
  const auto shares = yarn_shares(rope, head_dim);
  for (std::size_t j = 0; j < frequencies.size(); ++j)
    frequencies[j] = frequencies[j] / static_cast<float>(rope.factor) * (1 - shares[j]) + frequencies[j] * shares[j];
  return frequencies;
}

std::vector<float> inverse_frequencies_beyond(const Rope& rope, std::int64_t head_dim, std::int64_t length) {
  const auto d = static_cast<double>(head_dim);
  const double share = static_cast<double>(length) / static_cast<double>(rope.original_context);
  Rope grown = rope;
  grown.theta *= std::pow(rope.factor * share - (rope.factor - 1), d / (d - 2));
  return inverse_frequencies(grown, head_dim);
}

void fill_rope_table(Compute& compute, std::span<const float> inverse_frequencies, float attention_factor,
                     std::span<const std::int32_t> positions, const RopeTable& table) {
  for_each_row(compute, table.cosine.rows, table.cosine.cols, [&](std::int64_t t) {
    const auto position = static_cast<float>(positions[static_cast<std::size_t>(t)]);
    for (std::size_t j = 0; j < inverse_frequencies.size(); ++j) {
      const float angle = position * inverse_frequencies[j];
      table.cosine.row(t)[j] = std::cos(angle) * attention_factor;
      table.sine.row(t)[j] = std::sin(angle) * attention_factor;
    }
  });
}

void rope(Compute& compute, const RopeTable& table, std::span<const std::int32_t> index, std::int64_t head_dim,
          Turn turn, Rows<float> x) {
  const auto& kernels = compute.kernels();
  const float direction = turn == Turn::Forward ? 1.0F : -1.0F;
  for_each_row(compute, x.rows, x.cols, [&](std::int64_t t) {
    const auto row = index[static_cast<std::size_t>(t)];
    for (std::int64_t head = 0; head < x.cols; head += head_dim)
      kernels.rotate(x.row(t) + head, table.cosine.row(row), table.sine.row(row), head_dim / 2, direction);
  });
}

}  // namespace slipway::ml
