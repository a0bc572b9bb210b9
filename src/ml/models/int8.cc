#include "ml/models/int8.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "slipway/base/assert.h"
#include "slipway/ml/bf16.h"

namespace slipway::ml {
namespace {

void widen_row(const Operand& matrix, std::int64_t row, std::span<float> to) {
  if (matrix.dtype == Dtype::F32) {
    std::copy_n(static_cast<const float*>(matrix.row(row)), to.size(), to.begin());
  } else {
    const auto* from = static_cast<const Bf16*>(matrix.row(row));
    for (std::size_t i = 0; i < to.size(); ++i) to[i] = to_float(from[i]);
  }
}

}  // namespace

Operand Int8Matrix::operand() const {
  Operand operand;
  operand.data = values.data();
  operand.dtype = Dtype::I8;
  operand.rows = rows;
  operand.cols = operand.row_stride = cols;
  operand.scales = scales.data();
  return operand;
}

Int8Matrix to_int8(const Operand& matrix) {
  SLIPWAY_ASSERT(matrix.col_stride == 1 && (matrix.dtype == Dtype::F32 || matrix.dtype == Dtype::BF16));
  const auto cols = static_cast<std::size_t>(matrix.cols);
  Int8Matrix result{matrix.rows, matrix.cols, {}, {}};
  result.values.resize(static_cast<std::size_t>(matrix.rows) * cols);
  std::vector<float> row(cols);
  auto* to = result.values.data();
  for (std::int64_t r = 0; r < matrix.rows; ++r, to += cols) {
    widen_row(matrix, r, row);
    float largest = 0;
    for (const float x : row) largest = std::max(largest, std::abs(x));
    result.scales.push_back(largest / 127);
    const float inverse = largest > 0 ? 127 / largest : 0.0F;
    for (std::size_t i = 0; i < cols; ++i) to[i] = static_cast<std::int8_t>(std::lrintf(row[i] * inverse));
  }
  return result;
}

}  // namespace slipway::ml
