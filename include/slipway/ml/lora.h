// Low-rank adapters (Hu et al. 2021; peft 0.13.2): y = W x + scale * B (A dropout(x)), W frozen. An adapter lives
// outside the model and is given to each call, so that one model serves many. Gradients have the same type.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "slipway/ml/model_config.h"
#include "slipway/ml/tensor.h"

namespace slipway::ml {

struct LoraPair {
  Matrix a;         // [r, in]
  Matrix b;         // [out, r]
  float scale = 0;  // alpha / r, or alpha / sqrt(r) with rslora
};

// One trainable tensor by its PEFT path: "model.layers.0.self_attn.q_proj.lora_A" (the file adds "base_model.model."
// in front and ".weight" behind).
struct LoraParameter {
  std::string path;
  std::span<float> values;
  std::int64_t rows = 0;
  std::int64_t cols = 0;
};

// The pairs of one adapter, by layer and module. Not thread-safe to change; reading is.
class Lora {
 public:
  Lora() = default;
  explicit Lora(std::int64_t layers);

  // Adds a pair of zeros. The place must be free; rank > 0.
  LoraPair& add(std::int64_t layer, Linear linear, LinearShape shape, std::int64_t rank, float scale);
  // The pair, or nullptr if the module is no target.
  [[nodiscard]] const LoraPair* find(std::int64_t layer, Linear linear) const;
  [[nodiscard]] LoraPair* find(std::int64_t layer, Linear linear);

  [[nodiscard]] std::int64_t layers() const { return layers_; }
  // The lowest layer with a target, or layers() if there is none: backward stops there.
  [[nodiscard]] std::int64_t lowest_layer() const;
  // Every tensor in a fixed order: layer, module, A before B. The spans live as long as this adapter.
  [[nodiscard]] std::vector<LoraParameter> parameters();
  [[nodiscard]] std::int64_t parameter_count() const;

  [[nodiscard]] Lora zeros_like() const;  // the same places, shapes and scales, all values 0
  [[nodiscard]] Lora clone() const;
  void fill(float value);

  // Probability of dropping an input element, drawn per target module while training; kept ones grow by 1/(1 - p).
  float dropout = 0;

 private:
  [[nodiscard]] std::size_t slot(std::int64_t layer, Linear linear) const;

  std::int64_t layers_ = 0;
  std::vector<std::optional<LoraPair>> pairs_;  // layer * 7 + module
};

// InvalidArgument, naming the module, unless every pair fits the model.
[[nodiscard]] Result<void> check_fits(const Lora& lora, const ModelConfig& config);

}  // namespace slipway::ml
