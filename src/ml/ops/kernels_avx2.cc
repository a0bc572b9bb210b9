#define SLIPWAY_ML_LANES 8
#define SLIPWAY_ML_TILE_ROWS 6

#include "ml/ops/kernels_impl.h"

namespace slipway::ml {

const Kernels kAvx2Kernels = make_kernels("fp32-avx2-1");

}  // namespace slipway::ml
