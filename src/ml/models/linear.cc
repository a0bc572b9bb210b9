#include "ml/models/linear.h"

namespace slipway::ml {
namespace {

std::vector<std::uint64_t> row_keys(const Pass& pass, std::int64_t layer, Linear which) {
  std::vector<std::uint64_t> keys;
  keys.reserve(pass.dropout_stream.size());
  for (std::size_t t = 0; t < pass.dropout_stream.size(); ++t)
    keys.push_back(dropout_key(pass.dropout_seed, pass.dropout_stream[t], pass.dropout_position[t], layer, which));
  return keys;
}

// dropout(x), in the arena; x itself without dropout.
Rows<const float> dropped(Pass& pass, std::span<const std::uint64_t> keys, Rows<const float> x) {
  if (pass.dropout == 0) return x;
  const auto y = pass.arena().rows(x.rows, x.cols);
  dropout(pass.compute, {pass.dropout, keys}, x, y);
  return y;
}

const LinearWeight& weight_of(const Pass& pass, std::int64_t layer, Linear which) {
  return pass.weights.layers[static_cast<std::size_t>(layer)].at(which);
}

}  // namespace

Rows<float> allocate_hidden(Pass& pass, std::int64_t layer, Linear which) {
  if (!pass.has_backward) return {};
  const auto* pair = pass.adapted.front().lora->find(layer, which);
  return pair == nullptr ? Rows<float>() : pass.arena().rows(pass.rows(), pair->a.rows());
}

void linear_forward(Pass& pass, std::int64_t layer, Linear which, Rows<const float> x, Rows<float> y,
                    Rows<float> hidden) {
  const auto& weight = weight_of(pass, layer, which);
  matmul(pass.compute, x, weight.matrix.t(), y);
  if (!weight.bias.empty()) add_bias(pass.compute, weight.bias, y);
  for (const auto& [range, lora] : pass.adapted) {
    const auto* pair = lora->find(layer, which);
    if (pair == nullptr) continue;
    const ArenaScope scope(pass.arena());
    const auto h = pass.has_backward ? hidden : pass.arena().rows(range.count, pair->a.rows());
    const auto keys = row_keys(pass, layer, which);
    const auto input = dropped(pass, keys, x.slice(range.first, range.count));
    matmul(pass.compute, input, Operand(pair->a.view()).t(), h);
    matmul(pass.compute, h, Operand(pair->b.view()).t(), y.slice(range.first, range.count),
           {.scale = pair->scale, .accumulate = true});
  }
}

void linear_backward(Pass& pass, std::int64_t layer, Linear which, const LinearBackward& in, Lora& gradients) {
  const bool wants_dx = in.dx.rows > 0;
  if (wants_dx) matmul(pass.compute, in.dy, weight_of(pass, layer, which).matrix, in.dx, {.accumulate = in.accumulate});
  auto* gradient = gradients.find(layer, which);
  if (gradient == nullptr) return;
  const auto& pair = *pass.adapted.front().lora->find(layer, which);
  const ArenaScope scope(pass.arena());
  const auto keys = row_keys(pass, layer, which);
  matmul(pass.compute, Operand(in.dy).t(), in.hidden, gradient->b.view(), {.scale = pair.scale, .accumulate = true});
  const auto d_hidden = pass.arena().rows(in.dy.rows, pair.a.rows());
  matmul(pass.compute, in.dy, pair.b.view(), d_hidden, {.scale = pair.scale});
  matmul(pass.compute, Operand(d_hidden).t(), dropped(pass, keys, in.x), gradient->a.view(), {.accumulate = true});
  if (!wants_dx) return;
  if (pass.dropout == 0) return matmul(pass.compute, d_hidden, pair.a.view(), in.dx, {.accumulate = true});
  const auto through = pass.arena().rows(in.dx.rows, in.dx.cols);
  matmul(pass.compute, d_hidden, pair.a.view(), through);
  dropout_add(pass.compute, {pass.dropout, keys}, through, in.dx);
}

}  // namespace slipway::ml
