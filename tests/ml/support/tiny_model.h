// The three tiny models of tests/ml/fixtures, and what the tests compare them by.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <ostream>
#include <span>
#include <string>
#include <vector>

#include "ml/support/safetensors_tensors.h"
#include "slipway/ml/lora.h"
#include "slipway/ml/model_config.h"

namespace slipway::ml::testing {

inline std::string fixture(const std::string& path) { return SLIPWAY_SOURCE_DIR "/tests/ml/fixtures/" + path; }
inline std::string golden(const std::string& model, const std::string& file) {
  return fixture("goldens/" + model + "/" + file);
}

inline ModelConfig tiny_gemma2() {
  ModelConfig config;
  config.family = ModelFamily::Gemma2;
  config.vocab_size = 518;
  config.hidden_size = 40;
  config.intermediate_size = 96;
  config.layers = 3;
  config.heads = 4;
  config.kv_heads = 2;
  config.head_dim = 16;
  config.context_length = 2048;
  config.norm_one_plus = true;
  config.post_norms = true;
  config.activation = Activation::GeluTanh;
  config.attention_softcap = 50;
  config.final_softcap = 30;
  config.embed_scale = static_cast<float>(std::sqrt(40.0));
  config.attention_scale = static_cast<float>(1 / std::sqrt(24.0));
  config.sliding_window = {16, 0, 16};
  config.tied_head = true;
  return config;
}

inline ModelConfig tiny_llama() {
  ModelConfig config;
  config.family = ModelFamily::Llama;
  config.vocab_size = 508;
  config.hidden_size = 48;
  config.intermediate_size = 128;
  config.layers = 2;
  config.heads = 4;
  config.kv_heads = 2;
  config.head_dim = 12;
  config.context_length = 2048;
  config.norm_eps = 1e-5F;
  config.attention_scale = static_cast<float>(1 / std::sqrt(12.0));
  config.rope.theta = 500000;
  return config;
}

inline ModelConfig tiny_qwen2() {
  ModelConfig config = tiny_llama();
  config.family = ModelFamily::Qwen2;
  config.vocab_size = 544;
  config.intermediate_size = 112;
  config.norm_eps = 1e-6F;
  config.qkv_bias = true;
  config.tied_head = true;
  config.rope.theta = 1e6;
  return config;
}

struct TinyModel {
  std::string name;
  ModelConfig config;
  std::vector<std::string> fp32_files = {"model.safetensors"};
  std::string response_template;
  std::string eos;

  friend std::ostream& operator<<(std::ostream& out, const TinyModel& model) { return out << model.name; }

  [[nodiscard]] SafetensorsTensors tensors(const std::string& precision) const {
    std::vector<std::string> paths;
    for (const auto& file : precision == "fp32" ? fp32_files : std::vector<std::string>{"model.safetensors"})
      paths.push_back(fixture("models/" + name + "-" + precision + "/" + file));
    return SafetensorsTensors(paths);
  }
};

inline std::vector<TinyModel> tiny_models() {
  return {{.name = "tiny-gemma2", .config = tiny_gemma2(), .response_template = "<start_of_turn>model", .eos = "<eos>"},
          {.name = "tiny-llama",
           .config = tiny_llama(),
           .fp32_files = {"model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors",
                          "model-00003-of-00003.safetensors"},
           .response_template = "<|start_header_id|>assistant<|end_header_id|>\n\n",
           .eos = "<|end_of_text|>"},
          {.name = "tiny-qwen2",
           .config = tiny_qwen2(),
           .response_template = "<|im_start|>assistant\n",
           .eos = "<|im_end|>"}};
}

// adapter0 of a model: r 4, alpha 6, all seven modules.
inline Lora adapter0(const TinyModel& model) {
  const SafetensorsTensors file({golden(model.name, "adapter0/adapter_model.safetensors")});
  Lora lora(model.config.layers);
  for (std::int64_t layer = 0; layer < model.config.layers; ++layer)
    for (const auto& row : kLinears.rows())
      lora.add(layer, row.value, linear_shape(model.config, row.value), 4, 6.0F / 4);
  for (auto& parameter : lora.parameters()) {
    const auto values = file.floats("base_model.model." + parameter.path + ".weight");
    std::memcpy(parameter.values.data(), values.data(), parameter.values.size_bytes());
  }
  return lora;
}

// max |a - b| / rms(b)
inline double error_by_rms(std::span<const float> a, std::span<const float> b) {
  double worst = 0, squares = 0;
  for (std::size_t i = 0; i < b.size(); ++i) {
    worst = std::max(worst, std::abs(static_cast<double>(a[i]) - b[i]));
    squares += static_cast<double>(b[i]) * b[i];
  }
  return worst / std::sqrt(squares / static_cast<double>(b.size()));
}

// |a - b| / |b| in the Euclidean norm
inline double relative_l2(std::span<const float> a, std::span<const float> b) {
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < b.size(); ++i) {
    difference += (static_cast<double>(a[i]) - b[i]) * (static_cast<double>(a[i]) - b[i]);
    norm += static_cast<double>(b[i]) * b[i];
  }
  return std::sqrt(difference / norm);
}

}  // namespace slipway::ml::testing
