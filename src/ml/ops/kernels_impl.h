// The table of one instruction set. The including source defines SLIPWAY_ML_LANES (floats of a vector) and
// SLIPWAY_ML_TILE_ROWS (rows of a register tile: two accumulator vectors each) and is compiled with the matching flags.
#pragma once

#include "ml/ops/gemm_impl.h"
#include "ml/ops/kernels.h"
#include "ml/ops/row_impl.h"

namespace slipway::ml {
namespace {

constexpr Kernels make_kernels(const char* id) {
  return {.id = id,
          .tile_rows = kRows,
          .tile_cols = kPanel,
          .pack_floats = kBlockK * kPanel + kCopyRows * kCopyStride,
          .few_rows = 12,
          .gemm = gemm,
          .gemm_few_rows = gemm_few_rows,
          .gemm_bf16 = nullptr,
          .round_row = nullptr,
          .rms_norm = rms_norm,
          .rms_norm_backward = rms_norm_backward,
          .gated = gated,
          .gated_backward = gated_backward,
          .rotate = rotate,
          .softmax = softmax,
          .softmax_backward = softmax_backward,
          .cross_entropy = cross_entropy,
          .cross_entropy_backward = cross_entropy_backward,
          .softcap = softcap,
          .add = add,
          .dropout = dropout,
          .dropout_add = dropout_add,
          .widen = widen};
}

}  // namespace
}  // namespace slipway::ml
