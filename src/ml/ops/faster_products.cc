#include <algorithm>

#include "slipway/ml/bf16.h"
#include "slipway/ml/compute.h"
#include "slipway/ml/matmul.h"

namespace slipway::ml {
namespace {

constexpr std::int64_t kSize = 384;
constexpr int kRounds = 5;

Duration time_product(Compute& compute, const Clock& clock, const Matrix& x, const Operand& weight, Matrix& y) {
  const auto start = clock.monotonic();
  matmul(compute, x.view(), weight.t(), y.view());
  return clock.monotonic() - start;
}

}  // namespace

Products faster_products(const Clock& clock) {
  if (!has_bf16_products()) return Products::Fp32;
  Compute fp32({.threads = 1, .products = Products::Fp32}), bf16({.threads = 1, .products = Products::Bf16});
  Matrix x(kSize, kSize), y(kSize, kSize);
  x.fill(1);
  const std::vector<Bf16> ones(static_cast<std::size_t>(kSize * kSize), to_bf16(1));
  const Operand weight(TensorView{Dtype::BF16, {kSize, kSize}, std::as_bytes(std::span(ones))});
  // Interleaved, and the best of each: a busy machine disturbs both alike.
  auto best_fp32 = Duration::max(), best_bf16 = Duration::max();
  for (int round = 0; round < kRounds; ++round) {
    best_fp32 = std::min(best_fp32, time_product(fp32, clock, x, weight, y));
    best_bf16 = std::min(best_bf16, time_product(bf16, clock, x, weight, y));
  }
  return best_bf16 < best_fp32 ? Products::Bf16 : Products::Fp32;
}

}  // namespace slipway::ml
