#include "ml/io/adapter_config_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "ml/io/config_fields.h"

namespace slipway::ml {
namespace {

// An alpha of 16.0 is written 16: PEFT's field is an integer.
Value number(double value) {
  const bool whole = value == std::floor(value) && std::abs(value) < 1e15;
  return whole ? Value(static_cast<std::int64_t>(value)) : Value(value);
}

// Fields that change what the adapter computes, in a way this build does not have. Each must be absent, null or the
// value.
struct Refused {
  std::string_view key;
  Value harmless;
};

Result<void> refuse_unknown_kinds(const Value& json) {
  const Refused refused[] = {{"use_dora", false},
                             {"bias", "none"},
                             {"fan_in_fan_out", false},
                             {"modules_to_save", nullptr},
                             {"use_qalora", false},
                             {"lora_bias", false},
                             {"layer_replication", nullptr},
                             {"trainable_token_indices", nullptr},
                             {"target_parameters", nullptr}};
  for (const auto& [key, harmless] : refused) {
    const Value* value = json.find(key);
    if (value == nullptr || value->is_null() || *value == harmless) continue;
    return Error{ErrorCode::Unsupported, fmt::format("`{}` is {}, which this build does not have", key, value->dump()),
                 "train the adapter without it"};
  }
  // These change the frozen weights, too, when the adapter is made.
  const std::string start = json.get_string("init_lora_weights");
  for (const std::string_view kind : {"pissa", "olora", "loftq", "corda"})
    if (start.starts_with(kind))
      return Error{ErrorCode::Unsupported,
                   fmt::format("`init_lora_weights` is {}, which changes the base model", start),
                   "convert the adapter to a plain one: save_pretrained(path_initial_model_for_weight_conversion=…)"};
  const std::string type = json.get_string("peft_type");
  if (type == "LORA") return {};
  return Error{ErrorCode::Unsupported, fmt::format("`peft_type` is `{}`", type), "only LORA adapters are read"};
}

Result<void> parse_targets(const Value& json, AdapterConfig& config) {
  const Value* list = ConfigFields(json).find("target_modules");
  if (list == nullptr) return ConfigFields::missing("target_modules");
  if (list->is_string() && list->as_string() == "all-linear") {
    set_targets(config, {list->as_string()});
    return {};
  }
  if (list->is_string() && !list->as_string().empty()) {
    config.target_pattern = list->as_string();
    return {};
  }
  if (!list->is_array() || list->as_array().empty())
    return ConfigFields::wrong("target_modules", *list, "list of names");
  for (const Value& name : list->as_array()) {
    if (!name.is_string()) return ConfigFields::wrong("target_modules", *list, "list of names");
    config.target_modules.push_back(name.as_string());
  }
  return {};
}

// Keys are regular expressions in PEFT; names and dots, which is all that people write, mean themselves.
template <class T>
Result<std::map<std::string, T>> parse_pattern(const Value& json, std::string_view key) {
  std::map<std::string, T> pattern;
  const Value* object = ConfigFields(json).find(key);
  if (object == nullptr) return pattern;
  if (!object->is_object()) return ConfigFields::wrong(key, *object, "object");
  for (const auto& [name, value] : object->as_object()) {
    if (!is_module_name(name))
      return Error{ErrorCode::Unsupported, fmt::format("`{}` has the regular expression `{}`", key, name),
                   "name modules by the end of their path"};
    if (!value.is_number() || (std::is_integral_v<T> && !value.is_int()))
      return ConfigFields::wrong(key, value, "number");
    pattern.emplace(name, static_cast<T>(value.as_double()));
  }
  return pattern;
}

}  // namespace

bool is_module_name(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
  });
}

bool chooses_layers(const Value& json) {
  const ConfigFields fields(json);
  return fields.has("layers_to_transform") || fields.has("exclude_modules");
}

Result<AdapterConfig> parse_adapter_config(const Value& json) {
  if (!json.is_object()) return Error{ErrorCode::Corrupt, "it is no JSON object", {}};
  SLIPWAY_TRY(refuse_unknown_kinds(json));
  const ConfigFields fields(json);
  AdapterConfig config;
  if (fields.has("base_model_name_or_path")) config.base_model = json.get_string("base_model_name_or_path");
  SLIPWAY_TRY_ASSIGN(config.rank, fields.integer("r"));
  SLIPWAY_TRY_ASSIGN(config.alpha, fields.number("lora_alpha"));
  SLIPWAY_TRY_ASSIGN(config.dropout, fields.number("lora_dropout", 0));
  SLIPWAY_TRY_ASSIGN(config.rslora, fields.boolean("use_rslora", false));
  SLIPWAY_TRY(parse_targets(json, config));
  SLIPWAY_TRY_ASSIGN(config.rank_pattern, parse_pattern<std::int64_t>(json, "rank_pattern"));
  SLIPWAY_TRY_ASSIGN(config.alpha_pattern, parse_pattern<double>(json, "alpha_pattern"));
  return config;
}

std::string to_json(const AdapterConfig& config) {
  Value::Array targets;
  std::vector<std::string> names = config.target_modules;
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) targets.emplace_back(name);
  Value::Object ranks;
  for (const auto& [name, rank] : config.rank_pattern) ranks.emplace(name, rank);
  Value::Object alphas;
  for (const auto& [name, alpha] : config.alpha_pattern) alphas.emplace(name, number(alpha));
  const Value::Object json{
      {"alpha_pattern", std::move(alphas)},
      {"auto_mapping", nullptr},
      {"base_model_name_or_path", config.base_model ? Value(*config.base_model) : Value()},
      {"bias", "none"},
      {"fan_in_fan_out", false},
      {"inference_mode", true},
      {"init_lora_weights", true},
      {"layer_replication", nullptr},
      {"layers_pattern", nullptr},
      {"layers_to_transform", nullptr},
      {"loftq_config", Value::Object{}},
      {"lora_alpha", number(config.alpha)},
      {"lora_dropout", config.dropout},
      {"megatron_config", nullptr},
      {"megatron_core", "megatron.core"},
      {"modules_to_save", nullptr},
      {"peft_type", "LORA"},
      {"r", config.rank},
      {"rank_pattern", std::move(ranks)},
      {"revision", nullptr},
      {"target_modules", config.target_pattern.empty() ? Value(std::move(targets)) : Value(config.target_pattern)},
      {"task_type", "CAUSAL_LM"},
      {"use_dora", false},
      {"use_rslora", config.rslora}};
  return Value(json).dump_pretty();
}

}  // namespace slipway::ml
