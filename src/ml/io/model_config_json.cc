#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "ml/io/config_fields.h"
#include "ml/io/json_file.h"
#include "slipway/ml/model_folder.h"

namespace slipway::ml {
namespace {

constexpr std::size_t kConfigBytesMax = 16U << 20U;

Result<ModelFamily> parse_family(const ConfigFields& fields) {
  SLIPWAY_TRY_ASSIGN(const std::string type, fields.text("model_type", ""));
  if (type.empty()) return ConfigFields::missing("model_type");
  if (const auto family = kModelFamilies.parse(type)) return *family;
  return Error{ErrorCode::Unsupported, fmt::format("`model_type` is {}, which this build cannot run", type),
               "supported are llama, qwen2 and gemma2"};
}

Result<void> refuse_quantised(const ConfigFields& fields) {
  const Value* quantised = fields.find("quantization_config");
  if (quantised == nullptr) return {};
  return Error{ErrorCode::Unsupported,
               fmt::format("`quantization_config` says the weights are quantised ({})",
                           quantised->get_string("quant_method", "unknown method")),
               "take the unquantised model (bf16, fp16 or fp32)"};
}

Result<void> read_sizes(const ConfigFields& fields, ModelConfig& config) {
  SLIPWAY_TRY_ASSIGN(config.vocab_size, fields.integer("vocab_size"));
  SLIPWAY_TRY_ASSIGN(config.hidden_size, fields.integer("hidden_size"));
  SLIPWAY_TRY_ASSIGN(config.intermediate_size, fields.integer("intermediate_size"));
  SLIPWAY_TRY_ASSIGN(config.layers, fields.integer("num_hidden_layers"));
  SLIPWAY_TRY_ASSIGN(config.heads, fields.integer("num_attention_heads"));
  SLIPWAY_TRY_ASSIGN(config.context_length, fields.integer("max_position_embeddings"));
  SLIPWAY_TRY_ASSIGN(const double eps, fields.number("rms_norm_eps"));
  config.norm_eps = static_cast<float>(eps);
  const bool gemma = config.family == ModelFamily::Gemma2;  // its class defaults changed between versions: require all
  if (gemma) {
    SLIPWAY_TRY_ASSIGN(config.kv_heads, fields.integer("num_key_value_heads"));
    SLIPWAY_TRY_ASSIGN(config.head_dim, fields.integer("head_dim"));
  } else {
    if (config.heads <= 0) return ConfigFields::wrong("num_attention_heads", Value(config.heads), "positive number");
    SLIPWAY_TRY_ASSIGN(config.kv_heads, fields.integer("num_key_value_heads", config.heads));
    SLIPWAY_TRY_ASSIGN(config.head_dim, fields.integer("head_dim", config.hidden_size / config.heads));
  }
  SLIPWAY_TRY_ASSIGN(config.tied_head, fields.boolean("tie_word_embeddings", gemma));
  return {};
}

Result<void> read_activation(const ConfigFields& fields, ModelConfig& config) {
  const bool gemma = config.family == ModelFamily::Gemma2;
  const std::string_view key = gemma && fields.has("hidden_activation") ? "hidden_activation" : "hidden_act";
  SLIPWAY_TRY_ASSIGN(const std::string name, fields.text(key, gemma ? "gelu_pytorch_tanh" : "silu"));
  const auto activation = kActivations.parse(name);
  if (!activation)
    return Error{ErrorCode::Unsupported, fmt::format("`{}` is {}, which this build does not have", key, name),
                 "supported are silu and gelu_pytorch_tanh"};
  config.activation = *activation;
  return {};
}

Result<void> read_rope_scaling(const Value& spec, Rope& rope) {
  const ConfigFields scaling(spec);
  SLIPWAY_TRY_ASSIGN(const std::string old_name, scaling.text("type", "default"));
  SLIPWAY_TRY_ASSIGN(const std::string type, scaling.text("rope_type", old_name));
  const auto known = kRopeScalings.parse(type);
  if (!known)
    return Error{ErrorCode::Unsupported,
                 fmt::format("`rope_scaling` has the type {}, which this build does not have", type),
                 "supported are default, linear and llama3"};
  rope.scaling = *known;
  if (rope.scaling == RopeScaling::None) return {};
  SLIPWAY_TRY_ASSIGN(rope.factor, scaling.number("factor"));
  if (rope.scaling == RopeScaling::Linear) return {};
  SLIPWAY_TRY_ASSIGN(rope.low_freq_factor, scaling.number("low_freq_factor"));
  SLIPWAY_TRY_ASSIGN(rope.high_freq_factor, scaling.number("high_freq_factor"));
  SLIPWAY_TRY_ASSIGN(rope.original_context, scaling.integer("original_max_position_embeddings"));
  return {};
}

// transformers 4: rope_theta and rope_scaling; 5: both in rope_parameters.
Result<void> read_rope(const ConfigFields& fields, Rope& rope) {
  if (const Value* parameters = fields.find("rope_parameters"); parameters != nullptr) {
    SLIPWAY_TRY_ASSIGN(rope.theta, ConfigFields(*parameters).number("rope_theta"));
    return read_rope_scaling(*parameters, rope);
  }
  SLIPWAY_TRY_ASSIGN(rope.theta, fields.number("rope_theta", 10000));
  const Value* scaling = fields.find("rope_scaling");
  return scaling != nullptr ? read_rope_scaling(*scaling, rope) : Result<void>();
}

Result<float> softcap(const ConfigFields& fields, const Value& config, std::string_view key) {
  if (config.find(key) == nullptr) return ConfigFields::missing(key);
  SLIPWAY_TRY_ASSIGN(const double cap, fields.number(key, 0));
  return static_cast<float>(cap);
}

Result<void> read_gemma2(const ConfigFields& fields, const Value& json, ModelConfig& config) {
  config.norm_one_plus = true;
  config.post_norms = true;
  config.embed_scale = std::sqrt(static_cast<float>(config.hidden_size));
  SLIPWAY_TRY_ASSIGN(const double scalar, fields.number("query_pre_attn_scalar"));
  config.attention_scale = static_cast<float>(1 / std::sqrt(scalar));
  SLIPWAY_TRY_ASSIGN(config.attention_softcap, softcap(fields, json, "attn_logit_softcapping"));
  SLIPWAY_TRY_ASSIGN(config.final_softcap, softcap(fields, json, "final_logit_softcapping"));
  SLIPWAY_TRY_ASSIGN(const std::int64_t window, fields.integer("sliding_window"));
  SLIPWAY_TRY_ASSIGN(const bool attention_bias, fields.boolean("attention_bias", false));
  config.qkv_bias = config.o_bias = attention_bias;
  for (std::int64_t layer = 0; layer < config.layers; ++layer)
    config.sliding_window.push_back(layer % 2 == 0 ? window : 0);
  return {};
}

Result<void> read_qwen2(const ConfigFields& fields, ModelConfig& config) {
  config.qkv_bias = true;
  SLIPWAY_TRY_ASSIGN(const bool sliding, fields.boolean("use_sliding_window", false));
  if (!sliding) return {};
  SLIPWAY_TRY_ASSIGN(const std::int64_t window, fields.integer("sliding_window"));
  SLIPWAY_TRY_ASSIGN(const std::int64_t full_layers, fields.integer("max_window_layers"));
  for (std::int64_t layer = 0; layer < config.layers; ++layer)
    config.sliding_window.push_back(layer >= full_layers ? window : 0);
  return {};
}

Result<void> read_llama(const ConfigFields& fields, ModelConfig& config) {
  SLIPWAY_TRY_ASSIGN(const bool attention_bias, fields.boolean("attention_bias", false));
  SLIPWAY_TRY_ASSIGN(config.mlp_bias, fields.boolean("mlp_bias", false));
  config.qkv_bias = config.o_bias = attention_bias;
  return {};
}

Result<void> read_family(const ConfigFields& fields, const Value& json, ModelConfig& config) {
  config.attention_scale = static_cast<float>(1 / std::sqrt(static_cast<double>(config.head_dim)));
  switch (config.family) {
    case ModelFamily::Llama: return read_llama(fields, config);
    case ModelFamily::Qwen2: return read_qwen2(fields, config);
    case ModelFamily::Gemma2: return read_gemma2(fields, json, config);
  }
  return {};
}

// An id, a list of ids, or nothing.
Result<std::vector<std::int32_t>> token_ids(const ConfigFields& fields, std::string_view key) {
  std::vector<std::int32_t> ids;
  const Value* value = fields.find(key);
  if (value == nullptr) return ids;
  const Value::Array list = value->is_array() ? value->as_array() : Value::Array{*value};
  for (const Value& id : list) {
    if (!id.is_int() || id.as_int() < 0 || id.as_int() > INT32_MAX) return ConfigFields::wrong(key, *value, "token id");
    ids.push_back(static_cast<std::int32_t>(id.as_int()));
  }
  return ids;
}

Result<void> read_tokens(const ConfigFields& fields, const ConfigFields& generation, ModelConfig& config) {
  SLIPWAY_TRY_ASSIGN(const auto bos, token_ids(fields, "bos_token_id"));
  if (!bos.empty()) config.bos_token = bos.front();
  SLIPWAY_TRY_ASSIGN(const auto pad, token_ids(fields, "pad_token_id"));
  if (!pad.empty()) config.pad_token = pad.front();
  for (const ConfigFields* source : {&fields, &generation}) {
    SLIPWAY_TRY_ASSIGN(const auto ids, token_ids(*source, "eos_token_id"));
    for (const std::int32_t id : ids)
      if (std::find(config.eos_tokens.begin(), config.eos_tokens.end(), id) == config.eos_tokens.end())
        config.eos_tokens.push_back(id);
  }
  return {};
}

}  // namespace

Result<ModelConfig> parse_model_config(const Value& json, const Value& generation_config) {
  if (!json.is_object()) return Error{ErrorCode::Corrupt, "it is no JSON object", {}};
  const ConfigFields fields(json);
  ModelConfig config;
  SLIPWAY_TRY_ASSIGN(config.family, parse_family(fields));
  SLIPWAY_TRY(refuse_quantised(fields));
  SLIPWAY_TRY(read_sizes(fields, config));
  SLIPWAY_TRY(read_activation(fields, config));
  SLIPWAY_TRY(read_rope(fields, config.rope));
  if (config.layers <= 0 || config.layers > 100'000)
    return ConfigFields::wrong("num_hidden_layers", Value(config.layers), "possible number of layers");
  SLIPWAY_TRY(read_family(fields, json, config));
  SLIPWAY_TRY(read_tokens(fields, ConfigFields(generation_config), config));
  SLIPWAY_TRY(validate(config));
  return config;
}

Result<ModelConfig> read_model_config(const std::filesystem::path& folder) {
  const auto file = folder / "config.json";
  auto json = read_json_file(file, kConfigBytesMax);
  if (!json && json.error().code == ErrorCode::NotFound)
    return Error{ErrorCode::NotFound, json.error().message,
                 "a model is a folder with config.json, tokenizer.json and weights"};
  if (!json) return json.error();
  Value generation;
  if (const auto path = folder / "generation_config.json"; std::filesystem::exists(path)) {
    SLIPWAY_TRY_ASSIGN(generation, read_json_file(path, kConfigBytesMax));
  }
  auto config = parse_model_config(*json, generation);
  if (!config) return config.error().in(file.string());
  return config;
}

}  // namespace slipway::ml
