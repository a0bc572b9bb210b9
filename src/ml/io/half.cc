#include "ml/io/half.h"

#include <bit>

namespace slipway::ml {
namespace {

// value >> shift, rounded to nearest even; 0 < shift < 32.
std::uint32_t shift_round(std::uint32_t value, unsigned shift) {
  const std::uint32_t kept = value >> shift;
  const std::uint32_t rest = value & ((1U << shift) - 1);
  const std::uint32_t half = 1U << (shift - 1);
  return kept + (rest > half || (rest == half && (kept & 1U) != 0) ? 1 : 0);
}

}  // namespace

std::uint16_t float_to_half(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = (bits >> 16U) & 0x8000U;
  const std::uint32_t magnitude = bits & 0x7FFFFFFFU;
  std::uint32_t half = 0;
  if (magnitude > 0x7F800000U) {
    half = 0x7E00;
  } else if (magnitude >= 0x47800000U) {  // 65536 and above
    half = 0x7C00;
  } else if (magnitude >= 0x38800000U) {  // normal: rebias the exponent; a carry out of the mantissa is right, too
    half = shift_round(magnitude - 0x38000000U, 13);
  } else if (magnitude >= 0x33000000U) {  // half's denormals, from 2^-25
    half = shift_round((magnitude & 0x7FFFFFU) | 0x800000U, 126U - (magnitude >> 23U));
  }
  return static_cast<std::uint16_t>(sign | half);
}

}  // namespace slipway::ml
