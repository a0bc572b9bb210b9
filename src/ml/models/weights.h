// The weights of a decoder as the passes read them: matrices where the source maps them, small vectors widened to fp32.
#pragma once

#include <array>
#include <vector>

#include "ml/models/int8.h"
#include "slipway/base/result.h"
#include "slipway/ml/matmul.h"
#include "slipway/ml/model.h"
#include "slipway/ml/model_config.h"
#include "slipway/ml/tensor.h"

namespace slipway::ml {

struct LinearWeight {
  Operand matrix;           // [out, in]
  std::vector<float> bias;  // [out], or empty
};

struct LayerWeights {
  std::array<LinearWeight, kLinears.size()> linear;
  // Gains of the norms, 1 already added where the family does so; after_* are empty without post-norms.
  std::vector<float> before_attention, after_attention, before_mlp, after_mlp;
  std::vector<float> query, key;  // of a head [d]; empty without qk_norm

  [[nodiscard]] const LinearWeight& at(Linear which) const { return linear[static_cast<std::size_t>(which)]; }
};

struct DecoderWeights {
  ModelConfig config;
  Operand embedding;  // [V, h]
  Operand head;       // [V, h]; the embedding if tied
  std::vector<float> final_norm;
  std::vector<LayerWeights> layers;
  std::vector<float> inverse_frequencies;
  std::vector<float> local_inverse_frequencies;  // empty without a local rope
  std::vector<Matrix> widened;                   // matrices that could not be used in place
  std::vector<Int8Matrix> bytes;                 // with WeightForm::Int8
};

// See Model::load.
[[nodiscard]] Result<DecoderWeights> load_weights(ModelConfig config, const TensorSource& source, WeightForm form);

}  // namespace slipway::ml
