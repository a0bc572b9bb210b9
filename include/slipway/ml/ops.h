// The operations of a decoder, forward and backward side by side. All activations are fp32 rows [T, width]; a T without
// subscript is the number of packed tokens. Rows are shared among threads in chunks that depend on the shape alone.
// Sources: transformers v4.46.1 modeling_{gemma2,llama,qwen2}.py; the gradients are for frozen weights: inputs only.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "slipway/ml/compute.h"
#include "slipway/ml/matmul.h"
#include "slipway/ml/model_config.h"
#include "slipway/ml/tensor.h"

namespace slipway::ml {

// y[t] = x[t] r[t] g,  r[t] = (mean(x[t]^2) + eps)^-1/2.  x, y: [T, h]; g: [h] is w (Llama, Qwen) or 1 + w (Gemma).
// y may be x.
void rms_norm(Compute& compute, Rows<const float> x, std::span<const float> gain, float eps, Rows<float> y);
// dx = r (g dy) - x (r^3 / h) sum(g dy x).  dx may be dy or x.
void rms_norm_backward(Compute& compute, Rows<const float> x, std::span<const float> gain, float eps,
                       Rows<const float> dy, Rows<float> dx);

// y = act(gate) up, all [T, f].
void gated(Compute& compute, Activation activation, Rows<const float> gate, Rows<const float> up, Rows<float> y);
// dgate = dy up act'(gate), dup = dy act(gate).  silu'(z) = s (1 + z (1 - s)), s = sigmoid(z);
// gelu'(z) = (1 + t)/2 + z/2 (1 - t^2) sqrt(2/pi) (1 + 3 * 0.044715 z^2), t the tanh.  dgate may be gate, dup may be
// up.
void gated_backward(Compute& compute, Activation activation, Rows<const float> gate, Rows<const float> up,
                    Rows<const float> dy, Rows<float> dgate, Rows<float> dup);

// inv_freq[j] = theta^(-2j/d), j < d/2, with the scaling of `rope` applied. Llama 3: wavelengths 2 pi / inv_freq below
// context / high stay, above context / low are divided by factor, between the two are blended linearly in
// (context / wavelength - low) / (high - low). YaRN (arXiv 2309.00071): dimension j keeps a share that falls linearly
// from 1 to 0 between the dimensions that turn beta_fast and beta_slow times within the context; the rest of it is
// divided by factor.
[[nodiscard]] std::vector<float> inverse_frequencies(const Rope& rope, std::int64_t head_dim);
// Dynamic: of a text of `length` tokens, which is longer than the context: theta grows by
// (factor length / context - factor + 1)^(d / (d - 2)). d > 2.
[[nodiscard]] std::vector<float> inverse_frequencies_beyond(const Rope& rope, std::int64_t head_dim,
                                                            std::int64_t length);

// attention_factor times cos and sin of position * inv_freq, one row of d/2 per entry.
struct RopeTable {
  Rows<float> cosine;
  Rows<float> sine;
};
void fill_rope_table(Compute& compute, std::span<const float> inverse_frequencies, float attention_factor,
                     std::span<const std::int32_t> positions, const RopeTable& table);

// Rotates each head's halves (x1, x2) to (x1 cos - x2 sin, x2 cos + x1 sin), in place. x: [T, heads d]; row t uses row
// index[t] of the table. Backward is the same with -sin.
enum class Turn : std::uint8_t { Forward, Backward };
void rope(Compute& compute, const RopeTable& table, std::span<const std::int32_t> index, std::int64_t head_dim,
          Turn turn, Rows<float> x);

struct AttentionShape {
  std::int64_t heads = 0;
  std::int64_t kv_heads = 0;
  std::int64_t head_dim = 0;
  float scale = 1;
  float softcap = 0;        // s = cap tanh(s / cap); 0: none
  std::int64_t window = 0;  // key j is visible to query i iff 0 <= i - j < window; 0: iff j <= i
};

// One sequence: n queries that are the last n of m positions. q, out: [n, heads d]; k, v: [m, kv_heads d].
struct AttentionSpan {
  Rows<const float> q, k, v;
  Rows<float> out;
};
// out = softmax(cap(scale q k^T) + mask) v per head, query head i with key head i / (heads / kv_heads).
void attention(Compute& compute, const AttentionShape& shape, std::span<const AttentionSpan> spans);

// n = m. dq, dk, dv are written. With p the softmax and c the capped scores:
// dv = p^T dout;  dp = dout v^T;  ds = p (dp - rowsum(p dp)) (1 - (c / cap)^2) scale;  dq = ds k;  dk = ds^T q;
// dk and dv sum over the query heads of their group.
struct AttentionGradient {
  Rows<const float> q, k, v, d_out;
  Rows<float> dq, dk, dv;
};
void attention_backward(Compute& compute, const AttentionShape& shape, std::span<const AttentionGradient> spans);

// z = cap tanh(z / cap) in place, if cap > 0.
void softcap(Compute& compute, float cap, Rows<float> z);

// loss[t] = log sum exp(c[t]) - c[t][label[t]], c = cap tanh(z / cap) (cap 0: c = z). z: [R, V] is left as c, or, if
// `gradient`, as d(scale sum(loss))/dz = scale (softmax(c) - onehot(label)) (1 - (c / cap)^2). Labels lie in [0, V).
struct CrossEntropy {
  float cap = 0;
  float scale = 1;
  bool gradient = false;
};
void cross_entropy(Compute& compute, const CrossEntropy& options, std::span<const std::int32_t> labels, Rows<float> z,
                   std::span<double> loss);

// y += x;  y[t] += b.
void add(Compute& compute, Rows<const float> x, Rows<float> y);
void add_bias(Compute& compute, std::span<const float> bias, Rows<float> y);

// Which elements of a row are dropped: a hash of (row key, column), the same on every machine and thread count.
struct Dropout {
  float probability = 0;                    // in [0, 1)
  std::span<const std::uint64_t> row_keys;  // one per row
};
// One key per (seed, stream, position, layer, module).
[[nodiscard]] std::uint64_t dropout_key(std::uint64_t seed, std::uint64_t stream, std::int64_t position,
                                        std::int64_t layer, Linear linear);
// y = mask x / (1 - p); its backward is itself, added: dx += mask dy / (1 - p).
void dropout(Compute& compute, const Dropout& mask, Rows<const float> x, Rows<float> y);
void dropout_add(Compute& compute, const Dropout& mask, Rows<const float> x, Rows<float> y);

// y[t] = scale E[ids[t]].  E: [V, h] fp32 or bf16.
void embed(Compute& compute, const Operand& table, std::span<const std::int32_t> ids, float scale, Rows<float> y);

}  // namespace slipway::ml
