// One decoder layer. With post-norms (Gemma 2):
//   m = x + norm(o(attention(norm(x))));  y = m + norm(down(act(gate(n)) up(n))), n = norm(m)
// without, the two norms around o and down are the identity (Llama, Qwen2).
#pragma once

#include <array>

#include "ml/models/pass.h"

namespace slipway::ml {

// What backward needs of one layer; all in the arena. T rows each.
struct LayerState {
  Rows<float> normed;                               // norm(x)                       [T, h]
  Rows<float> q, k, v;                              // q, k after RoPE               [T, heads d], [T, kv_heads d]
  Rows<float> context;                              // attention output              [T, heads d]
  Rows<float> attention_out;                        // o(context)                    [T, h]
  Rows<float> middle;                               // m                             [T, h]
  Rows<float> middle_normed;                        // norm(m)                       [T, h]
  Rows<float> gate, up;                             // before the activation         [T, f]
  Rows<float> product;                              // act(gate) up                  [T, f]
  Rows<float> mlp_out;                              // down(product)                 [T, h]
  std::array<Rows<float>, kLinears.size()> hidden;  // each adapter's dropout(x) A^T   [T, r]
};

// Floats of a LayerState per row, adapters not counted.
[[nodiscard]] std::int64_t layer_state_floats(const ModelConfig& config);

// y = layer(x); appends to the caches of a decoding pass. x, y: [T, h], distinct.
LayerState layer_forward(Pass& pass, std::int64_t layer, Rows<const float> x, Rows<float> y);

// In: dx holds dy. Out: dx, unless the layer is the lowest that matters (wants_dx false), where it is left undefined.
void layer_backward(Pass& pass, std::int64_t layer, const LayerState& state, Rows<const float> x, Rows<float> dx,
                    bool wants_dx, Lora& gradients);

}  // namespace slipway::ml
