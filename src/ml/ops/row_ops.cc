#include <cstring>

#include "ml/ops/kernels.h"
#include "ml/ops/row_chunks.h"
#include "slipway/ml/ops.h"

namespace slipway::ml {
namespace {

GatedKind kind_of(Activation activation) {
  switch (activation) {
    case Activation::Silu: return GatedKind::Silu;
    case Activation::GeluTanh: return GatedKind::GeluTanh;
  }
  return GatedKind::Silu;
}

// splitmix64's finaliser: every input bit reaches every output bit.
std::uint64_t mix(std::uint64_t x) {
  x = (x ^ (x >> 30U)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27U)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31U);
}

DropoutRow mask_row(const Dropout& mask, std::int64_t row) {
  SLIPWAY_ASSERT(mask.probability >= 0 && mask.probability < 1);
  return {.key = mask.row_keys[static_cast<std::size_t>(row)],
          .drop_below = static_cast<std::uint32_t>(static_cast<double>(mask.probability) * 0x1p32),
          .keep_scale = 1 / (1 - mask.probability)};
}

}  // namespace

void rms_norm(Compute& compute, Rows<const float> x, std::span<const float> gain, float eps, Rows<float> y) {
  const auto& kernels = compute.kernels();
  for_each_row(compute, x.rows, x.cols,
               [&](std::int64_t t) { kernels.rms_norm(x.row(t), gain.data(), eps, x.cols, y.row(t)); });
}

void rms_norm_backward(Compute& compute, Rows<const float> x, std::span<const float> gain, float eps,
                       Rows<const float> dy, Rows<float> dx) {
  const auto& kernels = compute.kernels();
  for_each_row(compute, x.rows, x.cols, [&](std::int64_t t) {
    kernels.rms_norm_backward(x.row(t), gain.data(), eps, dy.row(t), x.cols, dx.row(t));
  });
}

void gated(Compute& compute, Activation activation, Rows<const float> gate, Rows<const float> up, Rows<float> y) {
  const auto& kernels = compute.kernels();
  const auto kind = kind_of(activation);
  for_each_row(compute, y.rows, y.cols,
               [&](std::int64_t t) { kernels.gated(kind, gate.row(t), up.row(t), y.cols, y.row(t)); });
}

void gated_backward(Compute& compute, Activation activation, Rows<const float> gate, Rows<const float> up,
                    Rows<const float> dy, Rows<float> dgate, Rows<float> dup) {
  const auto& kernels = compute.kernels();
  const auto kind = kind_of(activation);
  for_each_row(compute, dy.rows, dy.cols, [&](std::int64_t t) {
    kernels.gated_backward(kind, gate.row(t), up.row(t), dy.row(t), dy.cols, dgate.row(t), dup.row(t));
  });
}

void softcap(Compute& compute, float cap, Rows<float> z) {
  if (cap <= 0) return;
  const auto& kernels = compute.kernels();
  for_each_row(compute, z.rows, z.cols, [&](std::int64_t t) { kernels.softcap(z.row(t), z.cols, cap); });
}

void cross_entropy(Compute& compute, const CrossEntropy& options, std::span<const std::int32_t> labels, Rows<float> z,
                   std::span<double> loss) {
  const auto& kernels = compute.kernels();
  for_each_row(compute, z.rows, z.cols, [&](std::int64_t t) {
    const auto row = static_cast<std::size_t>(t);
    SLIPWAY_ASSERT(labels[row] >= 0 && labels[row] < z.cols);
    double log_sum = 0;
    loss[row] = kernels.cross_entropy(z.row(t), z.cols, options.cap, labels[row], &log_sum);
    if (options.gradient)
      kernels.cross_entropy_backward(z.row(t), z.cols, options.cap, labels[row], log_sum, options.scale);
  });
}

void add(Compute& compute, Rows<const float> x, Rows<float> y) {
  const auto& kernels = compute.kernels();
  for_each_row(compute, y.rows, y.cols, [&](std::int64_t t) { kernels.add(x.row(t), y.cols, y.row(t)); });
}

void add_bias(Compute& compute, std::span<const float> bias, Rows<float> y) {
  const auto& kernels = compute.kernels();
  for_each_row(compute, y.rows, y.cols, [&](std::int64_t t) { kernels.add(bias.data(), y.cols, y.row(t)); });
}

std::uint64_t dropout_key(std::uint64_t seed, std::uint64_t stream, std::int64_t position, std::int64_t layer,
                          Linear linear) {
  constexpr std::uint64_t kStep = 0x9e3779b97f4a7c15ULL;
  std::uint64_t key = mix(seed + kStep);
  for (const std::uint64_t part : {stream, static_cast<std::uint64_t>(position), static_cast<std::uint64_t>(layer),
                                   static_cast<std::uint64_t>(linear)})
    key = mix((key ^ part) + kStep);
  return key;
}

void dropout(Compute& compute, const Dropout& mask, Rows<const float> x, Rows<float> y) {
  const auto& kernels = compute.kernels();
  for_each_row(compute, x.rows, x.cols,
               [&](std::int64_t t) { kernels.dropout(x.row(t), mask_row(mask, t), x.cols, y.row(t)); });
}

void dropout_add(Compute& compute, const Dropout& mask, Rows<const float> x, Rows<float> y) {
  const auto& kernels = compute.kernels();
  for_each_row(compute, x.rows, x.cols,
               [&](std::int64_t t) { kernels.dropout_add(x.row(t), mask_row(mask, t), x.cols, y.row(t)); });
}

void embed(Compute& compute, const Operand& table, std::span<const std::int32_t> ids, float scale, Rows<float> y) {
  const auto& kernels = compute.kernels();
  for_each_row(compute, y.rows, y.cols, [&](std::int64_t t) {
    const auto id = ids[static_cast<std::size_t>(t)];
    SLIPWAY_ASSERT(id >= 0 && id < table.rows);
    if (table.dtype == Dtype::BF16) {
      kernels.widen(table.row(id), y.cols, scale, y.row(t));
    } else {
      const auto* from = static_cast<const float*>(table.row(id));
      for (std::int64_t i = 0; i < y.cols; ++i) y.at(t, i) = scale * from[i];
    }
  });
}

}  // namespace slipway::ml
