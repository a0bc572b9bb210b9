#include <cmath>

#include "slipway/base/rng.h"
#include "slipway/ml/bf16.h"
#include "slipway/ml/trainer.h"

namespace slipway::ml {

void initialise(Lora& lora, std::uint64_t seed) {
  Rng rng(seed);
  for (auto& parameter : lora.parameters()) {
    const bool is_a = parameter.path.ends_with(".lora_A");
    const double bound = 1.0 / std::sqrt(static_cast<double>(parameter.cols));
    for (float& value : parameter.values)
      value = is_a ? to_float(to_bf16(static_cast<float>((2.0 * rng.unit() - 1.0) * bound))) : 0.0F;
  }
}

}  // namespace slipway::ml
