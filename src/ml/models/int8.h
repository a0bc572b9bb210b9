// Weights as bytes: half the memory traffic of bf16, which is what decoding waits for.
#pragma once

#include <cstdint>
#include <vector>

#include "slipway/ml/matmul.h"

namespace slipway::ml {

// w(r, c) ~ values[r * cols + c] * scales[r], scales[r] = max |w(r, .)| / 127, rounded to nearest: no element is off by
// more than half a scale.
struct Int8Matrix {
  std::int64_t rows = 0, cols = 0;
  std::vector<std::int8_t> values;
  std::vector<float> scales;

  [[nodiscard]] Operand operand() const;
};

// `matrix` is fp32 or bf16, rows in one piece.
[[nodiscard]] Int8Matrix to_int8(const Operand& matrix);

}  // namespace slipway::ml
