#include "ml/models/layer.h"

#include <algorithm>
#include <cstring>

#include "ml/models/linear.h"

namespace slipway::ml {
namespace {

constexpr std::size_t index_of(Linear which) { return static_cast<std::size_t>(which); }

AttentionShape attention_shape(const ModelConfig& config, std::int64_t layer) {
  return {.heads = config.heads,
          .kv_heads = config.kv_heads,
          .head_dim = config.head_dim,
          .scale = config.attention_scale,
          .softcap = config.attention_softcap,
          .window = config.sliding_window.empty() ? 0 : config.sliding_window[static_cast<std::size_t>(layer)]};
}

LayerState allocate(Pass& pass) {
  const auto& config = pass.config();
  const auto rows = [&](std::int64_t width) { return pass.arena().rows(pass.rows(), width); };
  const std::int64_t h = config.hidden_size, f = config.intermediate_size;
  const std::int64_t query_width = config.heads * config.head_dim, key_width = config.kv_heads * config.head_dim;
  LayerState state;
  state.normed = rows(h);
  state.q = rows(query_width);
  state.k = rows(key_width);
  state.v = rows(key_width);
  state.context = rows(query_width);
  state.attention_out = rows(h);
  state.middle = rows(h);
  state.middle_normed = rows(h);
  state.gate = rows(f);
  state.up = rows(f);
  state.product = rows(f);
  state.mlp_out = rows(h);
  return state;
}

void copy_rows(Rows<const float> from, Rows<float> to) {
  for (std::int64_t r = 0; r < from.rows; ++r)
    std::memcpy(to.row(r), from.row(r), static_cast<std::size_t>(from.cols) * sizeof(float));
}

// Keys and values that each sequence's queries see: their own rows, or the cache with the new rows appended.
std::vector<AttentionSpan> attention_spans(Pass& pass, std::int64_t layer, const LayerState& state) {
  std::vector<AttentionSpan> spans;
  for (std::size_t i = 0; i < pass.sequences.size(); ++i) {
    const auto [first, count] = pass.sequences[i];
    AttentionSpan span{state.q.slice(first, count), state.k.slice(first, count), state.v.slice(first, count),
                       state.context.slice(first, count)};
    if (!pass.caches.empty()) {
      auto& cache = *pass.caches[i];
      const std::int64_t held = cache.size();
      copy_rows(span.k, cache.keys(layer).slice(held, count));
      copy_rows(span.v, cache.values(layer).slice(held, count));
      span.k = cache.keys(layer).slice(0, held + count);
      span.v = cache.values(layer).slice(0, held + count);
    }
    spans.push_back(span);
  }
  return spans;
}

// y = x + norm(branch); an empty gain is the identity.
void add_branch(Pass& pass, Rows<const float> x, Rows<const float> branch, std::span<const float> gain, Rows<float> y) {
  if (gain.empty()) {
    copy_rows(x, y);
    return add(pass.compute, branch, y);
  }
  rms_norm(pass.compute, branch, gain, pass.config().norm_eps, y);
  add(pass.compute, x, y);
}

class Backward {
 public:
  Backward(Pass& pass, std::int64_t layer, const LayerState& state, Lora& gradients)
      : pass_(pass),
        layer_(layer),
        state_(state),
        gradients_(gradients),
        weights_(pass.weights.layers[static_cast<std::size_t>(layer)]) {}

  // d holds dy and becomes d(middle).
  void mlp(Rows<float> d) {
    const ArenaScope scope(pass_.arena());
    const std::int64_t f = pass_.config().intermediate_size;
    const auto d_product = rows(f), d_gate = rows(f), d_up = rows(f), d_normed = rows(d.cols);
    linear(Linear::Down, state_.product, through_norm(state_.mlp_out, weights_.after_mlp, d), d_product, false);
    gated_backward(pass_.compute, pass_.config().activation, state_.gate, state_.up, d_product, d_gate, d_up);
    linear(Linear::Gate, state_.middle_normed, d_gate, d_normed, false);
    linear(Linear::Up, state_.middle_normed, d_up, d_normed, true);
    add_through_norm(state_.middle, weights_.before_mlp, d_normed, d);
  }

  // d holds d(middle) and becomes dx if wanted.
  void attention(Rows<const float> x, Rows<float> d, bool wants_dx) {
    const ArenaScope scope(pass_.arena());
    const auto d_context = rows(state_.context.cols);
    linear(Linear::O, state_.context, through_norm(state_.attention_out, weights_.after_attention, d), d_context,
           false);
    const auto dq = rows(state_.q.cols), dk = rows(state_.k.cols), dv = rows(state_.v.cols);
    heads(d_context, dq, dk, dv);
    const auto d_normed = wants_dx ? rows(d.cols) : Rows<float>();
    linear(Linear::Q, state_.normed, dq, d_normed, false);
    linear(Linear::K, state_.normed, dk, d_normed, true);
    linear(Linear::V, state_.normed, dv, d_normed, true);
    if (wants_dx) add_through_norm(x, weights_.before_attention, d_normed, d);
  }

 private:
  Rows<float> rows(std::int64_t width) { return pass_.arena().rows(pass_.rows(), width); }

  void linear(Linear which, Rows<const float> x, Rows<const float> dy, Rows<float> dx, bool accumulate) {
    linear_backward(pass_, layer_, which,
                    {.x = x, .hidden = state_.hidden[index_of(which)], .dy = dy, .dx = dx, .accumulate = accumulate},
                    gradients_);
  }

  Rows<const float> through_norm(Rows<const float> input, std::span<const float> gain, Rows<const float> dy) {
    if (gain.empty()) return dy;
    const auto dx = rows(dy.cols);
    rms_norm_backward(pass_.compute, input, gain, pass_.config().norm_eps, dy, dx);
    return dx;
  }

  void add_through_norm(Rows<const float> input, std::span<const float> gain, Rows<float> dy, Rows<float> dx) {
    rms_norm_backward(pass_.compute, input, gain, pass_.config().norm_eps, dy, dy);
    add(pass_.compute, dy, dx);
  }

  void heads(Rows<const float> d_context, Rows<float> dq, Rows<float> dk, Rows<float> dv) {
    std::vector<AttentionGradient> spans;
    for (const auto& [first, count] : pass_.sequences)
      spans.push_back({state_.q.slice(first, count), state_.k.slice(first, count), state_.v.slice(first, count),
                       d_context.slice(first, count), dq.slice(first, count), dk.slice(first, count),
                       dv.slice(first, count)});
    attention_backward(pass_.compute, attention_shape(pass_.config(), layer_), spans);
    for (const auto& x : {dq, dk})
      rope(pass_.compute, pass_.rope, pass_.rope_index, pass_.config().head_dim, Turn::Backward, x);
  }

  Pass& pass_;
  std::int64_t layer_;
  const LayerState& state_;
  Lora& gradients_;
  const LayerWeights& weights_;
};

}  // namespace

std::int64_t layer_state_floats(const ModelConfig& config) {
  return 5 * config.hidden_size + 2 * (config.heads + config.kv_heads) * config.head_dim + 3 * config.intermediate_size;
}

LayerState layer_forward(Pass& pass, std::int64_t layer, Rows<const float> x, Rows<float> y) {
  const auto& config = pass.config();
  const auto& weights = pass.weights.layers[static_cast<std::size_t>(layer)];
  LayerState state = allocate(pass);
  const auto linear = [&](Linear which, Rows<const float> in, Rows<float> out) {
    state.hidden[index_of(which)] = linear_forward(pass, layer, which, in, out);
  };
  rms_norm(pass.compute, x, weights.before_attention, config.norm_eps, state.normed);
  linear(Linear::Q, state.normed, state.q);
  linear(Linear::K, state.normed, state.k);
  linear(Linear::V, state.normed, state.v);
  for (const auto& rotated : {state.q, state.k})
    rope(pass.compute, pass.rope, pass.rope_index, config.head_dim, Turn::Forward, rotated);
  attention(pass.compute, attention_shape(config, layer), attention_spans(pass, layer, state));
  linear(Linear::O, state.context, state.attention_out);
  add_branch(pass, x, state.attention_out, weights.after_attention, state.middle);

  rms_norm(pass.compute, state.middle, weights.before_mlp, config.norm_eps, state.middle_normed);
  linear(Linear::Gate, state.middle_normed, state.gate);
  linear(Linear::Up, state.middle_normed, state.up);
  gated(pass.compute, config.activation, state.gate, state.up, state.product);
  linear(Linear::Down, state.product, state.mlp_out);
  add_branch(pass, state.middle, state.mlp_out, weights.after_mlp, y);
  return state;
}

void layer_backward(Pass& pass, std::int64_t layer, const LayerState& state, Rows<const float> x, Rows<float> dx,
                    bool wants_dx, Lora& gradients) {
  Backward backward(pass, layer, state, gradients);
  backward.mlp(dx);
  backward.attention(x, dx, wants_dx);
}

}  // namespace slipway::ml
