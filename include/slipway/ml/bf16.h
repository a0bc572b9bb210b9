// bfloat16 and IEEE half against fp32. Every bf16 is a float, so widening is exact; narrowing rounds to nearest even.
#pragma once

#include <bit>
#include <cstdint>
#include <span>

#include "slipway/ml/tensor.h"

namespace slipway::ml {

// The upper 16 bits of a float.
struct Bf16 {
  std::uint16_t bits = 0;
  bool operator==(const Bf16&) const = default;
};

[[nodiscard]] constexpr float to_float(Bf16 x) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(x.bits) << 16U);
}

// Nearest even; overflow becomes infinity, a NaN stays a (quiet) NaN with its sign, denormals are kept.
[[nodiscard]] constexpr Bf16 to_bf16(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  if ((bits & 0x7fffffffU) > 0x7f800000U) return {static_cast<std::uint16_t>((bits >> 16U) | 0x40U)};
  return {static_cast<std::uint16_t>((bits + 0x7fffU + ((bits >> 16U) & 1U)) >> 16U)};
}

// IEEE binary16 to float, exact for every bit pattern.
[[nodiscard]] float half_to_float(std::uint16_t half);

// Widens a whole floating tensor (F64 rounds to nearest) to out, which has one element per element of `tensor`.
// InvalidArgument if the tensor holds no floats or the sizes differ.
[[nodiscard]] Result<void> widen(const TensorView& tensor, std::span<float> out);

// Rounds each of `in` to bf16; out has the same size.
void narrow(std::span<const float> in, std::span<Bf16> out);

}  // namespace slipway::ml
