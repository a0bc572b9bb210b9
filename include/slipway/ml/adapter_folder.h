// A LoRA adapter as PEFT keeps it: adapter_config.json and adapter_model.safetensors with names
// "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight". Read as written by any PEFT up to now; written so
// that PEFT 0.13.2 loads it, which knows exactly one set of keys.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "slipway/ml/lora.h"
#include "slipway/ml/model_config.h"

namespace slipway::ml {

struct AdapterConfig {
  std::optional<std::string> base_model;  // base_model_name_or_path
  std::int64_t rank = 8;
  double alpha = 16;
  double dropout = 0;
  bool rslora = false;
  // Module names as PEFT matches them: the whole path or its end after a dot ("q_proj", "self_attn.q_proj").
  std::vector<std::string> target_modules;
  // Instead of names: a regular expression that the whole path of a module matches.
  std::string target_pattern;
  // Exceptions by module name, matched the same way.
  std::map<std::string, std::int64_t> rank_pattern;
  std::map<std::string, double> alpha_pattern;
};

// What people write as targets: names, the word "all-linear" (all seven of a layer), or one regular expression, told by
// its characters. Its commas may have cut it into several.
void set_targets(AdapterConfig& config, const std::vector<std::string>& targets);

// The adapter of all zeros that `config` describes on `model`: places, shapes, ranks, scales, dropout. InvalidArgument
// names a target that is no linear module of a layer, an expression that matches none, or a rank below 1.
[[nodiscard]] Result<Lora> make_lora(const AdapterConfig& config, const ModelConfig& model);

struct Adapter {
  AdapterConfig config;
  Lora lora;
};

// Every pair the config asks for must be there with the shape the model wants, and nothing else. Where the config has
// an expression, or chooses layers, the tensors tell the targets; chosen layers become whole paths in `target_modules`.
// Errors name the file and the field or tensor: NotFound, Io, Corrupt, Unsupported (DoRA, trained biases or
// embeddings, …).
[[nodiscard]] Result<Adapter> read_adapter(const std::filesystem::path& folder, const ModelConfig& model);

// fp32, names sorted, metadata format=pt; the config file is written last.
[[nodiscard]] Result<void> write_adapter(const std::filesystem::path& folder, const AdapterConfig& config, Lora& lora);

// The bytes of adapter_config.json.
[[nodiscard]] std::string to_json(const AdapterConfig& config);

}  // namespace slipway::ml
