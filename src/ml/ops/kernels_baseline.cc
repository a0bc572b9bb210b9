#define SLIPWAY_ML_LANES 4
#define SLIPWAY_ML_TILE_ROWS 4

#include "ml/ops/kernels_impl.h"

namespace slipway::ml {

const Kernels kBaselineKernels = make_kernels("fp32-baseline-1");

}  // namespace slipway::ml
