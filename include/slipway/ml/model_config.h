// The shape of a decoder and its family's switches. ml/io reads it from a Hugging Face config.json; ml/models runs it.
// Formulas: transformers v4.46.1 modeling_{llama,qwen2,gemma2}.py, v4.51.3 modeling_{qwen3,gemma3}.py.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "slipway/base/enum_table.h"
#include "slipway/base/result.h"

namespace slipway::ml {

enum class ModelFamily : std::uint8_t { Llama, Qwen2, Qwen3, Gemma2, Gemma3 };

// The text is `model_type` of config.json.
inline constexpr EnumTable<ModelFamily, 5> kModelFamilies{{{
    {ModelFamily::Llama, "llama", "Llama 2 and 3"},
    {ModelFamily::Qwen2, "qwen2", "Qwen2 and Qwen2.5"},
    {ModelFamily::Qwen3, "qwen3", "Qwen3, the dense ones"},
    {ModelFamily::Gemma2, "gemma2", "Gemma 2"},
    {ModelFamily::Gemma3, "gemma3_text", "Gemma 3, text"},
}}};

// The text is `hidden_act` (`hidden_activation` of Gemma).
enum class Activation : std::uint8_t { Silu, GeluTanh };

inline constexpr EnumTable<Activation, 2> kActivations{{{
    {Activation::Silu, "silu", "z / (1 + exp(-z))"},
    {Activation::GeluTanh, "gelu_pytorch_tanh", "z/2 (1 + tanh(sqrt(2/pi) (z + 0.044715 z^3)))"},
}}};

// The text is `rope_scaling.rope_type` (older: `type`).
enum class RopeScaling : std::uint8_t { None, Linear, Dynamic, Llama3, Yarn };

inline constexpr EnumTable<RopeScaling, 5> kRopeScalings{{{
    {RopeScaling::None, "default", "inv_freq_j = theta^(-2j/d)"},
    {RopeScaling::Linear, "linear", "inv_freq / factor"},
    {RopeScaling::Dynamic, "dynamic",
     "as default within max_position_embeddings; a longer text has its own, larger theta"},
    {RopeScaling::Llama3, "llama3", "long wavelengths divided by factor, short ones kept, blended between"},
    {RopeScaling::Yarn, "yarn", "dimensions that turn rarely divided by factor, others kept; cos and sin scaled"},
}}};

struct Rope {
  double theta = 10000;
  RopeScaling scaling = RopeScaling::None;
  double factor = 1;
  double low_freq_factor = 1;            // Llama3 only
  double high_freq_factor = 4;           // Llama3 only
  std::int64_t original_context = 8192;  // Llama3, Yarn: original_max_position_embeddings; Dynamic: that of the model
  double beta_fast = 32;                 // Yarn only: turns within the context above which a dimension is kept
  double beta_slow = 1;                  // Yarn only: turns below which it is divided
  double attention_factor = 1;           // factor of cos and sin; Yarn's default is 0.1 ln(factor) + 1
};

struct ModelConfig {
  ModelFamily family = ModelFamily::Gemma2;
  std::int64_t vocab_size = 0;
  std::int64_t hidden_size = 0;
  std::int64_t intermediate_size = 0;
  std::int64_t layers = 0;
  std::int64_t heads = 0;
  std::int64_t kv_heads = 0;        // divides heads; query head i reads key head i / (heads / kv_heads)
  std::int64_t head_dim = 0;        // even; heads * head_dim need not be hidden_size
  std::int64_t context_length = 0;  // max_position_embeddings

  float norm_eps = 1e-6F;
  bool norm_one_plus = false;  // y = x r (1 + w) (Gemma) instead of w (x r)
  bool post_norms = false;     // Gemma: also a norm after attention and after the MLP, before each residual add
  bool qkv_bias = false;       // Qwen2; also attention_bias of others
  bool o_bias = false;         // attention_bias
  bool qk_norm = false;        // Qwen3, Gemma 3: each head of q and k is normed before RoPE
  bool mlp_bias = false;       // Llama's mlp_bias
  Activation activation = Activation::Silu;
  float attention_softcap = 0;  // s = cap tanh(s / cap) before the mask; 0: none
  float final_softcap = 0;      // the same for logits; 0: none
  float embed_scale = 1;        // Gemma: sqrt(hidden_size) in fp32
  float attention_scale = 1;    // head_dim^-0.5; Gemma 2: query_pre_attn_scalar^-0.5
  std::vector<std::int64_t>
      sliding_window;  // per layer: key j visible to query i iff 0 <= i - j < window; 0: all. Empty: all 0
  Rope rope;
  std::optional<Rope> local_rope;  // Gemma 3: that of the layers with a window
  bool tied_head = false;          // logits use model.embed_tokens.weight; there is no lm_head.weight

  std::optional<std::int32_t> bos_token;
  std::vector<std::int32_t> eos_tokens;  // config.json, then generation_config.json
  std::optional<std::int32_t> pad_token;
};

// InvalidArgument, naming the field, unless every size is positive, within sane limits (so that no product of two
// overflows) and consistent.
[[nodiscard]] Result<void> validate(const ModelConfig& config);

// The linear modules of a layer that an adapter can target. The text is the module path inside the layer.
enum class Linear : std::uint8_t { Q, K, V, O, Gate, Up, Down };

inline constexpr EnumTable<Linear, 7> kLinears{{{
    {Linear::Q, "self_attn.q_proj", "queries"},
    {Linear::K, "self_attn.k_proj", "keys"},
    {Linear::V, "self_attn.v_proj", "values"},
    {Linear::O, "self_attn.o_proj", "attention output"},
    {Linear::Gate, "mlp.gate_proj", "MLP gate"},
    {Linear::Up, "mlp.up_proj", "MLP up"},
    {Linear::Down, "mlp.down_proj", "MLP down"},
}}};

struct LinearShape {
  std::int64_t out = 0;  // rows of the weight
  std::int64_t in = 0;   // columns of the weight
  bool operator==(const LinearShape&) const = default;
};
[[nodiscard]] LinearShape linear_shape(const ModelConfig& config, Linear linear);

// "model.layers.3.self_attn.q_proj"; the weight is that plus ".weight".
[[nodiscard]] std::string linear_path(std::int64_t layer, Linear linear);

}  // namespace slipway::ml
