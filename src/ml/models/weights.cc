#include "ml/models/weights.h"

#include <string>
#include <utility>

#include "slipway/ml/bf16.h"
#include "slipway/ml/ops.h"

namespace slipway::ml {
namespace {

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string text = "[";
  for (const auto size : shape) text += (text.size() > 1 ? ", " : "") + std::to_string(size);
  return text + "]";
}

bool usable_in_place(const TensorView& tensor) {
  if (tensor.dtype != Dtype::F32 && tensor.dtype != Dtype::BF16) return false;
  return reinterpret_cast<std::uintptr_t>(tensor.bytes.data()) % byte_size(tensor.dtype) == 0;
}

class Loader {
 public:
  Loader(const TensorSource& source, DecoderWeights& weights) : source_(source), weights_(weights) {}

  Result<void> load() {
    const auto& config = weights_.config;
    SLIPWAY_TRY_ASSIGN(weights_.embedding,
                       matrix("model.embed_tokens.weight", {config.vocab_size, config.hidden_size}));
    weights_.head = weights_.embedding;
    if (!config.tied_head) {
      SLIPWAY_TRY_ASSIGN(weights_.head, matrix("lm_head.weight", {config.vocab_size, config.hidden_size}));
    }
    SLIPWAY_TRY_ASSIGN(weights_.final_norm, gain("model.norm.weight"));
    weights_.layers.resize(static_cast<std::size_t>(config.layers));
    for (std::int64_t i = 0; i < config.layers; ++i)
      SLIPWAY_TRY(layer(i, weights_.layers[static_cast<std::size_t>(i)]));
    return {};
  }

 private:
  Result<void> layer(std::int64_t index, LayerWeights& layer) {
    for (const auto& row : kLinears.rows()) {
      auto& linear = layer.linear[static_cast<std::size_t>(row.value)];
      const auto shape = linear_shape(weights_.config, row.value);
      const auto path = linear_path(index, row.value);
      SLIPWAY_TRY_ASSIGN(linear.matrix, matrix(path + ".weight", {shape.out, shape.in}));
      if (has_bias(row.value)) {
        SLIPWAY_TRY_ASSIGN(linear.bias, vector(path + ".bias", shape.out));
      }
    }
    const std::string prefix = "model.layers." + std::to_string(index) + ".";
    if (weights_.config.qk_norm) {
      SLIPWAY_TRY_ASSIGN(layer.query, gain(prefix + "self_attn.q_norm.weight", weights_.config.head_dim));
      SLIPWAY_TRY_ASSIGN(layer.key, gain(prefix + "self_attn.k_norm.weight", weights_.config.head_dim));
    }
    SLIPWAY_TRY_ASSIGN(layer.before_attention, gain(prefix + "input_layernorm.weight"));
    if (!weights_.config.post_norms) {
      // Without post-norms this name is the norm before the MLP; with them it is a true post-norm.
      SLIPWAY_TRY_ASSIGN(layer.before_mlp, gain(prefix + "post_attention_layernorm.weight"));
      return {};
    }
    SLIPWAY_TRY_ASSIGN(layer.after_attention, gain(prefix + "post_attention_layernorm.weight"));
    SLIPWAY_TRY_ASSIGN(layer.before_mlp, gain(prefix + "pre_feedforward_layernorm.weight"));
    SLIPWAY_TRY_ASSIGN(layer.after_mlp, gain(prefix + "post_feedforward_layernorm.weight"));
    return {};
  }

  [[nodiscard]] bool has_bias(Linear linear) const {
    switch (linear) {
      case Linear::Q:
      case Linear::K:
      case Linear::V: return weights_.config.qkv_bias;
      case Linear::O: return weights_.config.o_bias;
      case Linear::Gate:
      case Linear::Up:
      case Linear::Down: return weights_.config.mlp_bias;
    }
    return false;
  }

  Result<TensorView> tensor(const std::string& name, const std::vector<std::int64_t>& shape) {
    SLIPWAY_TRY_ASSIGN(auto found, source_.find(name));
    if (found.shape != shape)
      return Error{ErrorCode::InvalidArgument,
                   name + " is " + shape_text(found.shape) + " where the configuration wants " + shape_text(shape),
                   {}};
    std::size_t bytes = byte_size(found.dtype);
    for (const auto size : shape) bytes *= static_cast<std::size_t>(size);
    if (found.bytes.size() != bytes)
      return Error{ErrorCode::Corrupt,
                   name + " has " + std::to_string(found.bytes.size()) + " bytes instead of " + std::to_string(bytes),
                   {}};
    return found;
  }

  Result<Operand> matrix(const std::string& name, const std::vector<std::int64_t>& shape) {
    SLIPWAY_TRY_ASSIGN(const auto found, tensor(name, shape));
    if (usable_in_place(found)) return Operand(found);
    Matrix copy(shape[0], shape[1]);
    if (auto widened = widen(found, copy.values()); !widened) return widened.error().in(name);
    return Operand(weights_.widened.emplace_back(std::move(copy)).view());
  }

  Result<std::vector<float>> vector(const std::string& name, std::int64_t size) {
    SLIPWAY_TRY_ASSIGN(const auto found, tensor(name, {size}));
    std::vector<float> values(static_cast<std::size_t>(size));
    if (auto widened = widen(found, values); !widened) return widened.error().in(name);
    return values;
  }

  Result<std::vector<float>> gain(const std::string& name) { return gain(name, weights_.config.hidden_size); }

  Result<std::vector<float>> gain(const std::string& name, std::int64_t size) {
    SLIPWAY_TRY_ASSIGN(auto values, vector(name, size));
    if (weights_.config.norm_one_plus)
      for (auto& value : values) value += 1.0F;
    return values;
  }

  const TensorSource& source_;
  DecoderWeights& weights_;
};

void make_int8(DecoderWeights& weights) {
  const auto convert = [&weights](Operand& matrix) { matrix = weights.bytes.emplace_back(to_int8(matrix)).operand(); };
  for (auto& layer : weights.layers)
    for (auto& linear : layer.linear) convert(linear.matrix);
  convert(weights.head);
}

}  // namespace

Result<DecoderWeights> load_weights(ModelConfig config, const TensorSource& source, WeightForm form) {
  SLIPWAY_TRY(validate(config));
  DecoderWeights weights;
  weights.config = std::move(config);
  SLIPWAY_TRY(Loader(source, weights).load());
  if (form == WeightForm::Int8) make_int8(weights);
  weights.inverse_frequencies = inverse_frequencies(weights.config.rope, weights.config.head_dim);
  if (const auto& local = weights.config.local_rope)
    weights.local_inverse_frequencies = inverse_frequencies(*local, weights.config.head_dim);
  return weights;
}

}  // namespace slipway::ml
