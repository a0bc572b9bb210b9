#include "ml/models/layer.h"

#include <algorithm>
#include <cstring>

#include "ml/models/linear.h"
#include "slipway/ml/paged_attention.h"

namespace slipway::ml {
namespace {

constexpr std::size_t index_of(Linear which) { return static_cast<std::size_t>(which); }

std::int64_t window_of(const ModelConfig& config, std::int64_t layer) {
  return config.sliding_window.empty() ? 0 : config.sliding_window[static_cast<std::size_t>(layer)];
}

const RopeTable& rope_of(const Pass& pass, std::int64_t layer) {
  return pass.config().local_rope && window_of(pass.config(), layer) > 0 ? pass.local_rope : pass.rope;
}

// Packed rows of heads as one row per head.
Rows<float> heads_of(Rows<float> x, std::int64_t head_dim) {
  SLIPWAY_ASSERT(x.stride == x.cols);
  return {x.data, x.rows * (x.cols / head_dim), head_dim};
}

AttentionShape attention_shape(const ModelConfig& config, std::int64_t layer) {
  return {.heads = config.heads,
          .kv_heads = config.kv_heads,
          .head_dim = config.head_dim,
          .scale = config.attention_scale,
          .softcap = config.attention_softcap,
          .window = window_of(config, layer)};
}

// Rows of `from` that the tail keeps; all of them if there is none.
template <class T>
Rows<T> tail_rows(Pass& pass, const Tail* tail, Rows<T> from) {
  if (tail == nullptr) return from;
  const auto kept = pass.arena().rows(tail->pass.rows(), from.cols);
  for (std::size_t i = 0; i < tail->rows.size(); ++i)
    std::memcpy(kept.row(static_cast<std::int64_t>(i)), from.row(tail->rows[i]),
                static_cast<std::size_t>(from.cols) * sizeof(float));
  return kept;
}

// The reverse: rows that the tail does not have are 0.
void spread(const Tail& tail, Rows<const float> kept, Rows<float> to) {
  std::fill_n(to.data, to.rows * to.cols, 0.0F);
  for (std::size_t i = 0; i < tail.rows.size(); ++i)
    std::memcpy(to.row(tail.rows[i]), kept.row(static_cast<std::int64_t>(i)),
                static_cast<std::size_t>(to.cols) * sizeof(float));
}

void copy_rows(Rows<const float> from, Rows<float> to) {
  for (std::int64_t r = 0; r < from.rows; ++r)
    std::memcpy(to.row(r), from.row(r), static_cast<std::size_t>(from.cols) * sizeof(float));
}

std::vector<AttentionSpan> attention_spans(const Pass& pass, const LayerState& state) {
  std::vector<AttentionSpan> spans;
  for (const auto& [first, count] : pass.sequences)
    spans.push_back({state.q.slice(first, count), state.k.slice(first, count), state.v.slice(first, count),
                     state.context.slice(first, count)});
  return spans;
}

// Writes the new tokens' keys and values behind those that the cache holds.
void append(const KvCache& cache, std::int64_t layer, Rows<const float> k, Rows<const float> v) {
  for (std::int64_t t = 0; t < k.rows; ++t) {
    const std::int64_t page = (cache.size() + t) / KvPool::kPageTokens, row = (cache.size() + t) % KvPool::kPageTokens;
    copy_rows(k.slice(t, 1), cache.keys(layer, page).slice(row, 1));
    copy_rows(v.slice(t, 1), cache.values(layer, page).slice(row, 1));
  }
}

// Each sequence attends to its cache, the new tokens appended.
void cached_attention(Pass& pass, const AttentionShape& shape, std::int64_t layer, const LayerState& state) {
  std::vector<std::vector<KvPage>> pages(pass.inputs.size());
  std::vector<PagedSpan> spans;
  for (std::size_t i = 0; i < pass.inputs.size(); ++i) {
    const auto [first, count] = pass.sequences[i];
    const auto& cache = *pass.inputs[i]->cache;
    append(cache, layer, state.k.slice(first, count), state.v.slice(first, count));
    const std::int64_t used = KvPool::pages_for(cache.size() + count);
    for (std::int64_t page = 0; page < used; ++page)
      pages[i].push_back({cache.keys(layer, page), cache.values(layer, page)});
    spans.push_back({.q = state.q.slice(first, count),
                     .out = state.context.slice(first, count),
                     .first = cache.size(),
                     .pages = pages[i],
                     .one_by_one = pass.inputs[i]->one_by_one});
  }
  paged_attention(pass.compute, shape, spans);
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

class Forward {
 public:
  Forward(std::int64_t layer, const LayerWeights& weights) : layer_(layer), weights_(weights) {}

  // Up to the context of every row.
  void attend(Pass& pass, Rows<const float> x) {
    const auto& config = pass.config();
    state_.q = place(pass, Linear::Q);
    state_.k = place(pass, Linear::K);
    state_.v = place(pass, Linear::V);
    state_.context = rows(pass, state_.q.cols);
    if (config.qk_norm) {
      state_.q_raw = rows(pass, state_.q.cols);
      state_.k_raw = rows(pass, state_.k.cols);
    }
    const ArenaScope scope(pass.arena());
    const auto normed = rows(pass, config.hidden_size);
    rms_norm(pass.compute, x, weights_.before_attention, config.norm_eps, normed);
    linear(pass, Linear::Q, normed, config.qk_norm ? state_.q_raw : state_.q);
    linear(pass, Linear::K, normed, config.qk_norm ? state_.k_raw : state_.k);
    linear(pass, Linear::V, normed, state_.v);
    if (config.qk_norm) {
      norm_heads(pass, state_.q_raw, weights_.query, state_.q);
      norm_heads(pass, state_.k_raw, weights_.key, state_.k);
    }
    for (const auto& rotated : {state_.q, state_.k})
      rope(pass.compute, rope_of(pass, layer_), pass.rope_index, config.head_dim, Turn::Forward, rotated);
    const auto shape = attention_shape(config, layer_);
    if (!pass.inputs.empty()) return cached_attention(pass, shape, layer_, state_);
    attention(pass.compute, shape, attention_spans(pass, state_));
  }

  // From the context to y, row by row.
  void finish(Pass& pass, Rows<const float> x, Rows<float> y) {
    const auto& config = pass.config();
    state_.attention_out = place(pass, Linear::O);
    state_.middle = rows(pass, config.hidden_size);
    state_.gate = place(pass, Linear::Gate);
    state_.up = place(pass, Linear::Up);
    state_.mlp_out = place(pass, Linear::Down);
    const ArenaScope scope(pass.arena());
    const auto normed = rows(pass, config.hidden_size), product = rows(pass, config.intermediate_size);
    linear(pass, Linear::O, state_.context, state_.attention_out);
    add_branch(pass, x, state_.attention_out, weights_.after_attention, state_.middle);
    rms_norm(pass.compute, state_.middle, weights_.before_mlp, config.norm_eps, normed);
    linear(pass, Linear::Gate, normed, state_.gate);
    linear(pass, Linear::Up, normed, state_.up);
    gated(pass.compute, config.activation, state_.gate, state_.up, product);
    linear(pass, Linear::Down, product, state_.mlp_out);
    add_branch(pass, state_.middle, state_.mlp_out, weights_.after_mlp, y);
  }

  [[nodiscard]] LayerState& state() { return state_; }

 private:
  static void norm_heads(Pass& pass, Rows<float> x, std::span<const float> gain, Rows<float> y) {
    const std::int64_t d = pass.config().head_dim;
    rms_norm(pass.compute, heads_of(x, d), gain, pass.config().norm_eps, heads_of(y, d));
  }

  static Rows<float> rows(Pass& pass, std::int64_t width) { return pass.arena().rows(pass.rows(), width); }

  // Room for the module's output, and for what its adapter keeps.
  Rows<float> place(Pass& pass, Linear which) {
    state_.hidden[index_of(which)] = allocate_hidden(pass, layer_, which);
    return rows(pass, linear_shape(pass.config(), which).out);
  }

  void linear(Pass& pass, Linear which, Rows<const float> x, Rows<float> y) {
    linear_forward(pass, layer_, which, x, y, state_.hidden[index_of(which)]);
  }

  std::int64_t layer_;
  const LayerWeights& weights_;
  LayerState state_;
};

class Backward {
 public:
  Backward(std::int64_t layer, const LayerWeights& weights, const LayerState& state, Lora& gradients)
      : layer_(layer), weights_(weights), state_(state), gradients_(gradients) {}

  // d holds dy and becomes d(middle).
  void mlp(Pass& pass, Rows<float> d) {
    const ArenaScope scope(pass.arena());
    const auto& config = pass.config();
    const std::int64_t f = config.intermediate_size;
    const auto product = rows(pass, f), d_product = rows(pass, f);
    gated(pass.compute, config.activation, state_.gate, state_.up, product);
    linear(pass, Linear::Down, product, through_norm(pass, state_.mlp_out, weights_.after_mlp, d), d_product, false);
    const auto d_gate = product, d_up = rows(pass, f);  // the product itself is used up
    gated_backward(pass.compute, config.activation, state_.gate, state_.up, d_product, d_gate, d_up);
    const auto normed = rows(pass, d.cols), d_normed = rows(pass, d.cols);
    rms_norm(pass.compute, state_.middle, weights_.before_mlp, config.norm_eps, normed);
    linear(pass, Linear::Gate, normed, d_gate, d_normed, false);
    linear(pass, Linear::Up, normed, d_up, d_normed, true);
    add_through_norm(pass, state_.middle, weights_.before_mlp, d_normed, d);
  }

  // The gradient of the context, from that of the middle. It is allocated in the arena.
  Rows<float> output(Pass& pass, Rows<const float> d_middle) {
    const auto d_context = rows(pass, state_.context.cols);
    linear(pass, Linear::O, state_.context,
           through_norm(pass, state_.attention_out, weights_.after_attention, d_middle), d_context, false);
    return d_context;
  }

  // d holds the residual's part of dx and gets the attention's added. No rows: not wanted.
  void attention(Pass& pass, Rows<const float> x, Rows<const float> d_context, Rows<float> d) {
    const auto dq = rows(pass, state_.q.cols), dk = rows(pass, state_.k.cols), dv = rows(pass, state_.v.cols);
    heads(pass, d_context, dq, dk, dv);
    const auto normed = rows(pass, x.cols), d_normed = d.rows > 0 ? rows(pass, d.cols) : Rows<float>();
    rms_norm(pass.compute, x, weights_.before_attention, pass.config().norm_eps, normed);
    linear(pass, Linear::Q, normed, dq, d_normed, false);
    linear(pass, Linear::K, normed, dk, d_normed, true);
    linear(pass, Linear::V, normed, dv, d_normed, true);
    if (d.rows > 0) add_through_norm(pass, x, weights_.before_attention, d_normed, d);
  }

 private:
  static Rows<float> rows(Pass& pass, std::int64_t width) { return pass.arena().rows(pass.rows(), width); }

  void linear(Pass& pass, Linear which, Rows<const float> x, Rows<const float> dy, Rows<float> dx, bool accumulate) {
    linear_backward(pass, layer_, which,
                    {.x = x, .hidden = state_.hidden[index_of(which)], .dy = dy, .dx = dx, .accumulate = accumulate},
                    gradients_);
  }

  Rows<const float> through_norm(Pass& pass, Rows<const float> input, std::span<const float> gain,
                                 Rows<const float> dy) {
    if (gain.empty()) return dy;
    const auto dx = rows(pass, dy.cols);
    rms_norm_backward(pass.compute, input, gain, pass.config().norm_eps, dy, dx);
    return dx;
  }

  void add_through_norm(Pass& pass, Rows<const float> input, std::span<const float> gain, Rows<float> dy,
                        Rows<float> dx) {
    rms_norm_backward(pass.compute, input, gain, pass.config().norm_eps, dy, dy);
    add(pass.compute, dy, dx);
  }

  void heads(Pass& pass, Rows<const float> d_context, Rows<float> dq, Rows<float> dk, Rows<float> dv) {
    std::vector<AttentionGradient> spans;
    for (const auto& [first, count] : pass.sequences)
      spans.push_back({state_.q.slice(first, count), state_.k.slice(first, count), state_.v.slice(first, count),
                       d_context.slice(first, count), dq.slice(first, count), dk.slice(first, count),
                       dv.slice(first, count)});
    attention_backward(pass.compute, attention_shape(pass.config(), layer_), spans);
    for (const auto& x : {dq, dk})
      rope(pass.compute, rope_of(pass, layer_), pass.rope_index, pass.config().head_dim, Turn::Backward, x);
    if (!pass.config().qk_norm) return;
    through_head_norm(pass, state_.q_raw, weights_.query, dq);
    through_head_norm(pass, state_.k_raw, weights_.key, dk);
  }

  static void through_head_norm(Pass& pass, Rows<float> input, std::span<const float> gain, Rows<float> d) {
    const std::int64_t width = pass.config().head_dim;
    rms_norm_backward(pass.compute, heads_of(input, width), gain, pass.config().norm_eps, heads_of(d, width),
                      heads_of(d, width));
  }

  std::int64_t layer_;
  const LayerWeights& weights_;
  const LayerState& state_;
  Lora& gradients_;
};

}  // namespace

std::int64_t layer_state_floats(const ModelConfig& config) {
  const std::int64_t raw = config.qk_norm ? config.heads + config.kv_heads : 0;
  return 3 * config.hidden_size + (2 * (config.heads + config.kv_heads) + raw) * config.head_dim +
         2 * config.intermediate_size;
}

LayerState layer_forward(Pass& pass, Tail* tail, std::int64_t layer, Rows<const float> x, Rows<float> y) {
  Forward forward(layer, pass.weights.layers[static_cast<std::size_t>(layer)]);
  forward.attend(pass, x);
  forward.state().context = tail_rows(pass, tail, forward.state().context);
  forward.finish(tail != nullptr ? tail->pass : pass, tail_rows(pass, tail, x), y);
  return forward.state();
}

void layer_backward(Pass& pass, Tail* tail, std::int64_t layer, const LayerState& state, const LayerBackward& in,
                    Lora& gradients) {
  const ArenaScope scope(pass.arena());
  Backward backward(layer, pass.weights.layers[static_cast<std::size_t>(layer)], state, gradients);
  Pass& upper = tail != nullptr ? tail->pass : pass;
  backward.mlp(upper, in.dy);
  auto d_context = backward.output(upper, in.dy);
  if (tail != nullptr) {
    const auto spread_context = pass.arena().rows(pass.rows(), d_context.cols);
    spread(*tail, d_context, spread_context);
    d_context = spread_context;
    if (in.dx.rows > 0) spread(*tail, in.dy, in.dx);
  }
  backward.attention(pass, in.x, d_context, in.dx);
}

}  // namespace slipway::ml
