// One decoder layer. With post-norms (Gemma 2):
//   m = x + norm(o(attention(norm(x))));  y = m + norm(down(act(gate(n)) up(n))), n = norm(m)
// without, the two norms around o and down are the identity (Llama, Qwen2).
#pragma once

#include <array>

#include "ml/models/pass.h"

namespace slipway::ml {

// What backward needs of one layer; all in the arena. T rows in the attention; R after it: T, or in the last layer the
// rows of the tail. The norms' outputs and act(gate) up are cheap to have again and are not kept.
struct LayerState {
  Rows<float> q, k, v;                              // q, k after RoPE               [T, heads d], [T, kv_heads d]
  Rows<float> q_raw, k_raw;                         // before their norm, if they have one
  Rows<float> context;                              // attention output              [R, heads d]
  Rows<float> attention_out;                        // o(context)                    [R, h]
  Rows<float> middle;                               // m                             [R, h]
  Rows<float> gate, up;                             // before the activation         [R, f]
  Rows<float> mlp_out;                              // down(act(gate) up)            [R, h]
  std::array<Rows<float>, kLinears.size()> hidden;  // each adapter's dropout(x) A^T   [T or R, r]
};

// Floats of a LayerState per row, adapters not counted.
[[nodiscard]] std::int64_t layer_state_floats(const ModelConfig& config);

// y = layer(x); appends to the caches of a decoding pass. x: [T, h]; y: [R, h], distinct. `tail` may be null: R = T.
LayerState layer_forward(Pass& pass, Tail* tail, std::int64_t layer, Rows<const float> x, Rows<float> y);

struct LayerBackward {
  Rows<const float> x;  // [T, h], the input of forward
  Rows<float> dy;       // [R, h], used up
  Rows<float> dx;       // [T, h], written; dy itself if there is no tail. No rows: not wanted
};
void layer_backward(Pass& pass, Tail* tail, std::int64_t layer, const LayerState& state, const LayerBackward& in,
                    Lora& gradients);

}  // namespace slipway::ml
