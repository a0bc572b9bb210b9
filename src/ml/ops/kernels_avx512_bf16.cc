#define SLIPWAY_ML_LANES 16
#define SLIPWAY_ML_TILE_ROWS 12

#include "ml/ops/gemm_bf16_impl.h"
#include "ml/ops/kernels_impl.h"

namespace slipway::ml {
namespace {

constexpr Kernels with_bf16_products() {
  Kernels kernels = make_kernels("bf16-avx512-1");
  kernels.gemm_bf16 = gemm_bf16;
  kernels.round_row = round_row;
  kernels.few_rows = 8;  // packed products overtake earlier than in fp32
  return kernels;
}

}  // namespace

const Kernels kAvx512Bf16Kernels = with_bf16_products();

}  // namespace slipway::ml
