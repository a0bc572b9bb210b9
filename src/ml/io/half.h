// fp32 to IEEE half.
#pragma once

#include <cstdint>

namespace slipway::ml {

// Nearest even; overflow becomes infinity, a NaN stays a NaN, denormals are kept.
[[nodiscard]] std::uint16_t float_to_half(float value);

}  // namespace slipway::ml
