#define SLIPWAY_ML_LANES 16
#define SLIPWAY_ML_TILE_ROWS 12

#include "ml/ops/gemm_fp16_impl.h"
#include "ml/ops/kernels_impl.h"

namespace slipway::ml {
namespace {

constexpr Kernels with_fp16_products() {
  Kernels kernels = make_kernels("fp16-avx512-1");
  kernels.gemm_bf16 = gemm_fp16;
  kernels.round_row = round_row_fp16;
  kernels.few_rows = 8;
  return kernels;
}

}  // namespace

const Kernels kAvx512Fp16Kernels = with_fp16_products();

}  // namespace slipway::ml
