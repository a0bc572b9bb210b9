// The decoder in double precision, row by row, as plainly as the formulas of
// modeling_{llama,qwen2,qwen3,gemma2,gemma3}.py: what the fast one is compared with on configurations for which there
// is no golden file.
#pragma once

#include <cmath>
#include <span>
#include <string>
#include <vector>

#include "ml/support/random_tensors.h"
#include "slipway/ml/lora.h"
#include "slipway/ml/ops.h"

namespace slipway::ml::testing {

class ReferenceDecoder {
 public:
  using Row = std::vector<double>;

  ReferenceDecoder(const ModelConfig& config, const RandomTensors& tensors, const Lora* lora)
      : config_(config), tensors_(tensors), lora_(lora) {}

  // Logits at every position.
  [[nodiscard]] std::vector<Row> logits(std::span<const std::int32_t> ids) const {
    std::vector<Row> x;
    const auto& embedding = tensors_.values("model.embed_tokens.weight");
    for (const auto id : ids) {
      Row row;
      for (std::int64_t i = 0; i < config_.hidden_size; ++i)
        row.push_back(static_cast<double>(embedding[static_cast<std::size_t>(id * config_.hidden_size + i)]) *
                      static_cast<double>(config_.embed_scale));
      x.push_back(row);
    }
    for (std::int64_t layer = 0; layer < config_.layers; ++layer) run_layer(layer, x);
    const auto& head = config_.tied_head ? embedding : tensors_.values("lm_head.weight");
    for (auto& row : x) {
      row = multiply(head, norm("model.norm", row));
      for (auto& z : row) z = capped(z, static_cast<double>(config_.final_softcap));
    }
    return x;
  }

 private:
  static double capped(double z, double cap) { return cap > 0 ? cap * std::tanh(z / cap) : z; }

  static Row multiply(std::span<const float> weight, const Row& x) {
    Row y(weight.size() / x.size());
    for (std::size_t o = 0; o < y.size(); ++o)
      for (std::size_t i = 0; i < x.size(); ++i) y[o] += static_cast<double>(weight[o * x.size() + i]) * x[i];
    return y;
  }

  [[nodiscard]] Row norm(const std::string& name, const Row& x) const {
    const auto& weight = tensors_.values(name + ".weight");
    double squares = 0;
    for (const double value : x) squares += value * value;
    const double r = 1 / std::sqrt(squares / static_cast<double>(x.size()) + static_cast<double>(config_.norm_eps));
    Row y;
    for (std::size_t i = 0; i < x.size(); ++i)
      y.push_back(x[i] * r * (static_cast<double>(weight[i]) + (config_.norm_one_plus ? 1 : 0)));
    return y;
  }

  [[nodiscard]] Row linear(std::int64_t layer, Linear which, const Row& x, bool bias) const {
    const auto path = linear_path(layer, which);
    Row y = multiply(tensors_.values(path + ".weight"), x);
    for (std::size_t i = 0; bias && i < y.size(); ++i) y[i] += static_cast<double>(tensors_.values(path + ".bias")[i]);
    if (const auto* pair = lora_ != nullptr ? lora_->find(layer, which) : nullptr) {
      const Row update = multiply(pair->b.values(), multiply(pair->a.values(), x));
      for (std::size_t i = 0; i < y.size(); ++i) y[i] += static_cast<double>(pair->scale) * update[i];
    }
    return y;
  }

  [[nodiscard]] std::size_t window_of(std::int64_t layer) const {
    if (config_.sliding_window.empty()) return 0;
    return static_cast<std::size_t>(config_.sliding_window[static_cast<std::size_t>(layer)]);
  }

  // Each head by itself.
  [[nodiscard]] Row head_norm(const std::string& name, const Row& x) const {
    Row y;
    for (auto head = x.begin(); head != x.end(); head += config_.head_dim)
      for (const double value : norm(name, Row(head, head + config_.head_dim))) y.push_back(value);
    return y;
  }

  // `length`: tokens of the text.
  void rotate(Row& x, std::int64_t layer, std::size_t position, std::size_t length) const {
    Rope rope = config_.local_rope && window_of(layer) > 0 ? *config_.local_rope : config_.rope;
    const auto d = static_cast<std::size_t>(config_.head_dim);
    if (const double share = static_cast<double>(length) / static_cast<double>(config_.context_length);
        rope.scaling == RopeScaling::Dynamic && share > 1)
      rope.theta *= std::pow(rope.factor * (share - 1) + 1, static_cast<double>(d) / static_cast<double>(d - 2));
    const auto frequencies = inverse_frequencies(rope, config_.head_dim);
    for (std::size_t head = 0; head < x.size(); head += d) {
      for (std::size_t j = 0; j < d / 2; ++j) {
        const double angle = static_cast<double>(position) * static_cast<double>(frequencies[j]);
        const double low = x[head + j], high = x[head + j + d / 2];
        x[head + j] = (low * std::cos(angle) - high * std::sin(angle)) * rope.attention_factor;
        x[head + j + d / 2] = (high * std::cos(angle) + low * std::sin(angle)) * rope.attention_factor;
      }
    }
  }

  // Context of row i, given all keys and values.
  [[nodiscard]] Row attend(std::int64_t layer, const Row& q, std::size_t i, const std::vector<Row>& k,
                           const std::vector<Row>& v) const {
    const auto d = static_cast<std::size_t>(config_.head_dim),
               group = static_cast<std::size_t>(config_.heads / config_.kv_heads);
    const auto window = window_of(layer);
    Row out(q.size());
    for (std::size_t head = 0; head < q.size() / d; ++head) {
      double total = 0;
      for (std::size_t j = 0; j <= i; ++j) {
        if (window > 0 && i - j >= window) continue;
        double s = 0;
        for (std::size_t c = 0; c < d; ++c) s += q[head * d + c] * k[j][head / group * d + c];
        const double weight = std::exp(
            capped(s * static_cast<double>(config_.attention_scale), static_cast<double>(config_.attention_softcap)));
        total += weight;
        for (std::size_t c = 0; c < d; ++c) out[head * d + c] += weight * v[j][head / group * d + c];
      }
      for (std::size_t c = 0; c < d; ++c) out[head * d + c] /= total;
    }
    return out;
  }

  [[nodiscard]] Row mlp(std::int64_t layer, const Row& x) const {
    Row product = linear(layer, Linear::Gate, x, config_.mlp_bias);
    const Row up = linear(layer, Linear::Up, x, config_.mlp_bias);
    for (std::size_t i = 0; i < product.size(); ++i) {
      const double z = product[i];
      const double act = config_.activation == Activation::Silu
                             ? z / (1 + std::exp(-z))
                             : z / 2 * (1 + std::tanh(std::sqrt(2 / M_PI) * (z + 0.044715 * z * z * z)));
      product[i] = act * up[i];
    }
    return linear(layer, Linear::Down, product, config_.mlp_bias);
  }

  void run_layer(std::int64_t layer, std::vector<Row>& x) const {
    const std::string prefix = "model.layers." + std::to_string(layer) + ".";
    std::vector<Row> q, k, v;
    for (std::size_t t = 0; t < x.size(); ++t) {
      const Row normed = norm(prefix + "input_layernorm", x[t]);
      q.push_back(linear(layer, Linear::Q, normed, config_.qkv_bias));
      k.push_back(linear(layer, Linear::K, normed, config_.qkv_bias));
      v.push_back(linear(layer, Linear::V, normed, config_.qkv_bias));
      if (config_.qk_norm) {
        q[t] = head_norm(prefix + "self_attn.q_norm", q[t]);
        k[t] = head_norm(prefix + "self_attn.k_norm", k[t]);
      }
      rotate(q[t], layer, t, x.size());
      rotate(k[t], layer, t, x.size());
    }
    for (std::size_t t = 0; t < x.size(); ++t) {
      Row branch = linear(layer, Linear::O, attend(layer, q[t], t, k, v), config_.o_bias);
      if (config_.post_norms) branch = norm(prefix + "post_attention_layernorm", branch);
      for (std::size_t i = 0; i < branch.size(); ++i) x[t][i] += branch[i];
      branch = mlp(
          layer, norm(prefix + (config_.post_norms ? "pre_feedforward_layernorm" : "post_attention_layernorm"), x[t]));
      if (config_.post_norms) branch = norm(prefix + "post_feedforward_layernorm", branch);
      for (std::size_t i = 0; i < branch.size(); ++i) x[t][i] += branch[i];
    }
  }

  const ModelConfig& config_;
  const RandomTensors& tensors_;
  const Lora* lora_;
};

}  // namespace slipway::ml::testing
