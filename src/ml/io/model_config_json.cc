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
               "supported are llama, qwen2, qwen3, gemma2 and gemma3_text"};
}

bool is_gemma(ModelFamily family) { return family == ModelFamily::Gemma2 || family == ModelFamily::Gemma3; }

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
  const bool gemma = is_gemma(config.family);
  if (gemma || config.family == ModelFamily::Qwen3) {  // class defaults that changed between versions: require all
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
  const bool gemma = is_gemma(config.family);
  const std::string_view key = gemma && fields.has("hidden_activation") ? "hidden_activation" : "hidden_act";
  SLIPWAY_TRY_ASSIGN(const std::string name, fields.text(key, gemma ? "gelu_pytorch_tanh" : "silu"));
  const auto activation = kActivations.parse(name);
  if (!activation)
    return Error{ErrorCode::Unsupported, fmt::format("`{}` is {}, which this build does not have", key, name),
                 "supported are silu and gelu_pytorch_tanh"};
  config.activation = *activation;
  return {};
}

Result<void> read_llama3(const ConfigFields& scaling, Rope& rope) {
  SLIPWAY_TRY_ASSIGN(rope.low_freq_factor, scaling.number("low_freq_factor"));
  SLIPWAY_TRY_ASSIGN(rope.high_freq_factor, scaling.number("high_freq_factor"));
  SLIPWAY_TRY_ASSIGN(rope.original_context, scaling.integer("original_max_position_embeddings"));
  return {};
}

// Without an original context the whole one counts, as transformers 4.46 always has it.
Result<void> read_yarn(const ConfigFields& scaling, Rope& rope) {
  SLIPWAY_TRY_ASSIGN(rope.original_context, scaling.integer("original_max_position_embeddings", rope.original_context));
  SLIPWAY_TRY_ASSIGN(rope.beta_fast, scaling.number("beta_fast", 32));
  SLIPWAY_TRY_ASSIGN(rope.beta_slow, scaling.number("beta_slow", 1));
  const double usual = rope.factor <= 1 ? 1.0 : 0.1 * std::log(rope.factor) + 1.0;
  SLIPWAY_TRY_ASSIGN(rope.attention_factor, scaling.number("attention_factor", usual));
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
                 "supported are default, linear, dynamic, llama3 and yarn"};
  rope.scaling = *known;
  if (rope.scaling == RopeScaling::None) return {};
  SLIPWAY_TRY_ASSIGN(rope.factor, scaling.number("factor"));
  if (rope.scaling == RopeScaling::Llama3) return read_llama3(scaling, rope);
  return rope.scaling == RopeScaling::Yarn ? read_yarn(scaling, rope) : Result<void>();
}

Result<void> read_rope_parameters(const Value& parameters, Rope& rope) {
  SLIPWAY_TRY_ASSIGN(rope.theta, ConfigFields(parameters).number("rope_theta"));
  return read_rope_scaling(parameters, rope);
}

// transformers 4: rope_theta and rope_scaling; 5: both in rope_parameters, for Gemma 3 by kind of layer.
Result<void> read_rope(const ConfigFields& fields, ModelConfig& config) {
  Rope& rope = config.rope;
  rope.original_context = config.context_length;
  if (const Value* parameters = fields.find("rope_parameters"); parameters != nullptr) {
    const Value* full = parameters->find("full_attention");
    if (full == nullptr) return read_rope_parameters(*parameters, rope);
    const Value* sliding = parameters->find("sliding_attention");
    if (sliding != nullptr) SLIPWAY_TRY(read_rope_parameters(*sliding, config.local_rope.emplace(rope)));
    return read_rope_parameters(*full, rope);
  }
  if (config.family == ModelFamily::Gemma3) {
    config.local_rope.emplace(rope);
    SLIPWAY_TRY_ASSIGN(config.local_rope->theta, fields.number("rope_local_base_freq"));
  }
  SLIPWAY_TRY_ASSIGN(rope.theta, fields.number("rope_theta", 10000));
  const Value* scaling = fields.find("rope_scaling");
  return scaling != nullptr ? read_rope_scaling(*scaling, rope) : Result<void>();
}

// `absent_is_none`: Gemma 3 has none unless it says so; Gemma 2 must say so.
Result<float> softcap(const ConfigFields& fields, const Value& config, std::string_view key, bool absent_is_none) {
  if (!absent_is_none && config.find(key) == nullptr) return ConfigFields::missing(key);
  SLIPWAY_TRY_ASSIGN(const double cap, fields.number(key, 0));
  return static_cast<float>(cap);
}

// `layer_types` of newer files says it layer by layer; else `slides` does. No windows at all where none slides.
template <class Slides>
Result<void> read_windows(const ConfigFields& fields, ModelConfig& config, Slides slides) {
  const Value* types = fields.find("layer_types");
  if (types != nullptr && (!types->is_array() || std::ssize(types->as_array()) != config.layers))
    return ConfigFields::wrong("layer_types", *types, "list with an entry for each layer");
  std::vector<std::int64_t> windows;
  for (std::int64_t layer = 0; layer < config.layers; ++layer) {
    bool sliding = false;
    if (types != nullptr) {
      const Value& type = types->as_array()[static_cast<std::size_t>(layer)];
      sliding = type == Value("sliding_attention");
      if (!sliding && type != Value("full_attention"))
        return ConfigFields::wrong("layer_types", type, "kind of attention that is known here");
    } else {
      sliding = slides(layer);
    }
    windows.push_back(0);
    if (!sliding) continue;
    SLIPWAY_TRY_ASSIGN(windows.back(), fields.integer("sliding_window"));
  }
  if (std::ranges::any_of(windows, [](std::int64_t window) { return window != 0; })) config.sliding_window = windows;
  return {};
}

Result<void> read_gemma(const ConfigFields& fields, const Value& json, ModelConfig& config) {
  const bool third = config.family == ModelFamily::Gemma3;
  config.norm_one_plus = true;
  config.post_norms = true;
  config.embed_scale = std::sqrt(static_cast<float>(config.hidden_size));
  SLIPWAY_TRY_ASSIGN(const double scalar, fields.number("query_pre_attn_scalar"));
  config.attention_scale = static_cast<float>(1 / std::sqrt(scalar));
  if (!third) {  // transformers does not read it for Gemma 3
    SLIPWAY_TRY_ASSIGN(config.attention_softcap, softcap(fields, json, "attn_logit_softcapping", false));
  }
  SLIPWAY_TRY_ASSIGN(config.final_softcap, softcap(fields, json, "final_logit_softcapping", third));
  SLIPWAY_TRY_ASSIGN(const bool attention_bias, fields.boolean("attention_bias", false));
  config.qkv_bias = config.o_bias = attention_bias;
  config.qk_norm = third;
  std::int64_t pattern = 2;
  if (third) {
    SLIPWAY_TRY_ASSIGN(pattern, fields.integer("sliding_window_pattern", 6));
  }
  if (pattern < 1) return ConfigFields::wrong("sliding_window_pattern", Value(pattern), "positive number");
  SLIPWAY_TRY(read_windows(fields, config, [&](std::int64_t layer) { return (layer + 1) % pattern != 0; }));
  if (config.sliding_window.empty()) config.local_rope.reset();  // no layer that would turn by it
  return {};
}

// Both generations: the third has a norm of queries and keys, and biases only if it says so.
Result<void> read_qwen(const ConfigFields& fields, ModelConfig& config) {
  config.qk_norm = config.family == ModelFamily::Qwen3;
  config.qkv_bias = !config.qk_norm;
  if (config.qk_norm) {
    SLIPWAY_TRY_ASSIGN(config.qkv_bias, fields.boolean("attention_bias", false));
    config.o_bias = config.qkv_bias;
  }
  SLIPWAY_TRY_ASSIGN(const bool sliding, fields.boolean("use_sliding_window", false));
  if (!sliding) return {};
  SLIPWAY_TRY_ASSIGN(const std::int64_t full_layers, fields.integer("max_window_layers", 0));
  return read_windows(fields, config, [&](std::int64_t layer) { return layer >= full_layers; });
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
    case ModelFamily::Qwen2:
    case ModelFamily::Qwen3: return read_qwen(fields, config);
    case ModelFamily::Gemma2:
    case ModelFamily::Gemma3: return read_gemma(fields, json, config);
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
  SLIPWAY_TRY(read_rope(fields, config));
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
