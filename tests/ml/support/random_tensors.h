// Weights of any configuration: each tensor drawn from its name, norms around 0 or 1, in the given type.
#pragma once

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "slipway/base/rng.h"
#include "slipway/ml/bf16.h"
#include "slipway/ml/model_config.h"
#include "slipway/ml/tensor.h"

namespace slipway::ml::testing {

class RandomTensors : public TensorSource {
 public:
  explicit RandomTensors(const ModelConfig& config) {
    const std::int64_t h = config.hidden_size;
    add("model.embed_tokens.weight", {config.vocab_size, h}, 0.5F);
    if (!config.tied_head) add("lm_head.weight", {config.vocab_size, h}, 0.5F);
    const float center = config.norm_one_plus ? 0.0F : 1.0F;
    add("model.norm.weight", {h}, 0.3F, center);
    for (std::int64_t layer = 0; layer < config.layers; ++layer) {
      for (const auto& row : kLinears.rows()) {
        const auto shape = linear_shape(config, row.value);
        add(linear_path(layer, row.value) + ".weight", {shape.out, shape.in},
            2 / std::sqrt(static_cast<float>(shape.in)));
        add(linear_path(layer, row.value) + ".bias", {shape.out}, 0.5F);
      }
      for (const char* norm :
           {"input_layernorm", "post_attention_layernorm", "pre_feedforward_layernorm", "post_feedforward_layernorm"})
        add("model.layers." + std::to_string(layer) + "." + norm + ".weight", {h}, 0.3F, center);
      for (const char* norm : {"q_norm", "k_norm"})
        add("model.layers." + std::to_string(layer) + ".self_attn." + norm + ".weight", {config.head_dim}, 0.3F,
            center);
    }
  }

  [[nodiscard]] Result<TensorView> find(std::string_view name) const override {
    const auto it = tensors_.find(name);
    if (it == tensors_.end()) return Error{ErrorCode::NotFound, "no tensor " + std::string(name), {}};
    return TensorView{Dtype::F32, it->second.shape, std::as_bytes(std::span(it->second.values))};
  }

  [[nodiscard]] const std::vector<float>& values(const std::string& name) const {
    return tensors_.find(name)->second.values;
  }

 private:
  struct Tensor {
    std::vector<std::int64_t> shape;
    std::vector<float> values;
  };

  // Uniform in [center - range, center + range), exact in bf16.
  void add(const std::string& name, std::vector<std::int64_t> shape, float range, float center = 0) {
    std::size_t count = 1;
    for (const auto size : shape) count *= static_cast<std::size_t>(size);
    Rng rng(stable_hash(name));
    Tensor tensor{std::move(shape), std::vector<float>(count)};
    for (auto& value : tensor.values)
      value = to_float(to_bf16(center + range * static_cast<float>(2 * rng.unit() - 1)));
    tensors_.emplace(name, std::move(tensor));
  }

  std::map<std::string, Tensor, std::less<>> tensors_;
};

}  // namespace slipway::ml::testing
