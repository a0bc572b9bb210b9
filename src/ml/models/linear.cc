#include "ml/models/linear.h"

#include <algorithm>

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

// y = x b, x being the rows of the pass from `first` on, by the loop that each row is due.
void product(const Pass& pass, std::int64_t first, Rows<const float> x, const Operand& b, Rows<float> y) {
  if (!pass.streamed) return matmul(pass.compute, x, b, y);
  const std::int64_t streamed = std::clamp<std::int64_t>(*pass.streamed - first, 0, x.rows), rest = x.rows - streamed;
  matmul(pass.compute, x.slice(0, streamed), b, y.slice(0, streamed), {.loop = GemmLoop::Streaming});
  matmul(pass.compute, x.slice(streamed, rest), b, y.slice(streamed, rest), {.loop = GemmLoop::Packed});
}

// y += scale h B^T. While decoding scaled and added apart: whether a loop fuses the two may depend on the rows it is
// for, and then the bits would.
void add_adapted(Pass& pass, std::int64_t first, const LoraPair& pair, Rows<float> h, Rows<float> y) {
  const Operand b = Operand(pair.b.view()).t();
  if (!pass.streamed) return matmul(pass.compute, h, b, y, {.scale = pair.scale, .accumulate = true});
  for (std::int64_t row = 0; row < h.rows; ++row)
    for (std::int64_t i = 0; i < h.cols; ++i) h.at(row, i) *= pair.scale;
  const auto change = pass.arena().rows(y.rows, y.cols);
  product(pass, first, h, b, change);
  add(pass.compute, change, y);
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
  product(pass, 0, x, weight.matrix.t(), y);
  if (!weight.bias.empty()) add_bias(pass.compute, weight.bias, y);
  for (const auto& [range, lora] : pass.adapted) {
    const auto* pair = lora->find(layer, which);
    if (pair == nullptr) continue;
    const ArenaScope scope(pass.arena());
    const auto h = pass.has_backward ? hidden : pass.arena().rows(range.count, pair->a.rows());
    const auto keys = row_keys(pass, layer, which);
    const auto input = dropped(pass, keys, x.slice(range.first, range.count));
    product(pass, range.first, input, Operand(pair->a.view()).t(), h);
    add_adapted(pass, range.first, *pair, h, y.slice(range.first, range.count));
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
