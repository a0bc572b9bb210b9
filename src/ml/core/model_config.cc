#include "slipway/ml/model_config.h"

#include <cmath>

namespace slipway::ml {
namespace {

struct Field {
  const char* name;
  std::int64_t value;
  std::int64_t max;
};

Error invalid(const std::string& message) { return Error{ErrorCode::InvalidArgument, message, {}}; }

Result<void> check_sizes(const ModelConfig& config) {
  // Far above any released model; their products stay below 2^63.
  constexpr std::int64_t kWidthMax = 1 << 20;
  const Field fields[] = {
      {"vocab_size", config.vocab_size, 1 << 24},
      {"hidden_size", config.hidden_size, kWidthMax},
      {"intermediate_size", config.intermediate_size, kWidthMax},
      {"num_hidden_layers", config.layers, 4096},
      {"num_attention_heads", config.heads, 4096},
      {"num_key_value_heads", config.kv_heads, 4096},
      {"head_dim", config.head_dim, 4096},
      {"max_position_embeddings", config.context_length, 1 << 24},
  };
  for (const auto& field : fields)
    if (field.value < 1 || field.value > field.max)
      return invalid(std::string(field.name) + " is " + std::to_string(field.value) + ", outside 1.." +
                     std::to_string(field.max));
  return {};
}

Result<void> check_rope(const Rope& rope) {
  if (!(rope.theta > 1) || !std::isfinite(rope.theta)) return invalid("rope_theta is not above 1");
  if (!(rope.factor > 0) || !std::isfinite(rope.factor)) return invalid("rope_scaling.factor is not above 0");
  if (!(rope.attention_factor > 0) || !std::isfinite(rope.attention_factor))
    return invalid("rope_scaling.attention_factor is not above 0");
  if (rope.scaling == RopeScaling::Yarn && (!(rope.beta_slow > 0) || !(rope.beta_fast >= rope.beta_slow)))
    return invalid("rope_scaling needs 0 < beta_slow <= beta_fast");
  if (rope.original_context < 1) return invalid("rope_scaling.original_max_position_embeddings is below 1");
  if (rope.scaling != RopeScaling::Llama3) return {};
  if (!(rope.low_freq_factor > 0) || !(rope.high_freq_factor > rope.low_freq_factor))
    return invalid("rope_scaling needs 0 < low_freq_factor < high_freq_factor");
  return {};
}

bool non_negative(float value) { return std::isfinite(value) && value >= 0; }

}  // namespace

Result<void> validate(const ModelConfig& config) {
  SLIPWAY_TRY(check_sizes(config));
  if (config.heads % config.kv_heads != 0) return invalid("num_key_value_heads does not divide num_attention_heads");
  if (config.head_dim % 2 != 0) return invalid("head_dim is odd; rotary embedding needs pairs");
  if (!(config.norm_eps > 0) || !std::isfinite(config.norm_eps)) return invalid("rms_norm_eps is not above 0");
  if (!non_negative(config.attention_softcap)) return invalid("attn_logit_softcapping is not a number above 0");
  if (!non_negative(config.final_softcap)) return invalid("final_logit_softcapping is not a number above 0");
  if (!(config.attention_scale > 0) || !std::isfinite(config.attention_scale))
    return invalid("the attention scale is not above 0");
  if (!std::isfinite(config.embed_scale)) return invalid("the embedding scale is not finite");
  if (!config.sliding_window.empty() && static_cast<std::int64_t>(config.sliding_window.size()) != config.layers)
    return invalid("the sliding windows are not one per layer");
  for (const auto window : config.sliding_window)
    if (window < 0) return invalid("sliding_window is negative");
  if (config.local_rope && config.sliding_window.empty()) return invalid("a local rope needs sliding windows");
  if (config.rope.scaling == RopeScaling::Dynamic && config.head_dim < 4)
    return invalid("head_dim is below 4, too small for dynamic rope scaling");
  if (config.local_rope) SLIPWAY_TRY(check_rope(*config.local_rope));
  return check_rope(config.rope);
}

LinearShape linear_shape(const ModelConfig& config, Linear linear) {
  const std::int64_t query_width = config.heads * config.head_dim;
  const std::int64_t key_width = config.kv_heads * config.head_dim;
  switch (linear) {
    case Linear::Q: return {query_width, config.hidden_size};
    case Linear::K:
    case Linear::V: return {key_width, config.hidden_size};
    case Linear::O: return {config.hidden_size, query_width};
    case Linear::Gate:
    case Linear::Up: return {config.intermediate_size, config.hidden_size};
    case Linear::Down: return {config.hidden_size, config.intermediate_size};
  }
  return {};
}

std::string linear_path(std::int64_t layer, Linear linear) {
  return "model.layers." + std::to_string(layer) + "." + std::string(kLinears.text(linear));
}

}  // namespace slipway::ml
