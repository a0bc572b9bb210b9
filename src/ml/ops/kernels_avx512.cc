#define SLIPWAY_ML_LANES 16
#define SLIPWAY_ML_TILE_ROWS 12

#include "ml/ops/kernels_impl.h"

namespace slipway::ml {

const Kernels kAvx512Kernels = make_kernels("fp32-avx512-1");

}  // namespace slipway::ml
