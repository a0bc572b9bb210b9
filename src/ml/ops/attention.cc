#include <algorithm>

#include "ml/ops/kernels.h"
#include "slipway/ml/ops.h"

namespace slipway::ml {
namespace {

constexpr std::int64_t kQueryBlock = 64;

// Queries [first, first + count) of a sequence, and the keys [key_first, key_last) that any of them sees.
struct Block {
  std::int64_t first, count, key_first, key_last;
};

std::int64_t first_key(const AttentionShape& shape, std::int64_t position) {
  return shape.window > 0 ? std::max<std::int64_t>(0, position - shape.window + 1) : 0;
}

// `offset` is the position of query 0.
Block block_at(const AttentionShape& shape, std::int64_t first, std::int64_t queries, std::int64_t offset) {
  const std::int64_t count = std::min(kQueryBlock, queries - first);
  return {first, count, first_key(shape, offset + first), offset + first + count};
}

// Capped scores of the block and their softmax; both [count, key_last - key_first], p may be s.
void probabilities(const Kernels& kernels, const AttentionShape& shape, const Block& block, std::int64_t offset,
                   Rows<const float> q, Rows<const float> k, Rows<float> s, Rows<float> p, Arena& scratch) {
  matmul_serial(kernels, q.slice(block.first, block.count), Operand(k.slice(block.key_first, s.cols)).t(), s, scratch);
  for (std::int64_t i = 0; i < block.count; ++i) {
    const std::int64_t position = offset + block.first + i;
    kernels.softmax(s.row(i), p.row(i), first_key(shape, position) - block.key_first, position + 1 - block.key_first,
                    s.cols, shape.scale, shape.softcap);
  }
}

void attend_head(const Kernels& kernels, const AttentionShape& shape, const AttentionSpan& span, std::int64_t head,
                 Arena& scratch) {
  const std::int64_t d = shape.head_dim, key_head = head / (shape.heads / shape.kv_heads);
  const auto q = span.q.columns(head * d, d), k = span.k.columns(key_head * d, d), v = span.v.columns(key_head * d, d);
  const auto out = span.out.columns(head * d, d);
  const std::int64_t offset = k.rows - q.rows;
  for (std::int64_t first = 0; first < q.rows; first += kQueryBlock) {
    const ArenaScope scope(scratch);
    const Block block = block_at(shape, first, q.rows, offset);
    const auto p = scratch.rows(block.count, block.key_last - block.key_first);
    probabilities(kernels, shape, block, offset, q, k, p, p, scratch);
    matmul_serial(kernels, p, v.slice(block.key_first, p.cols), out.slice(block.first, block.count), scratch);
  }
}

void zero(Rows<float> x) {
  for (std::int64_t r = 0; r < x.rows; ++r) std::fill_n(x.row(r), x.cols, 0.0F);
}

// One query head; dk and dv are added to.
void attend_head_backward(const Kernels& kernels, const AttentionShape& shape, const AttentionGradient& span,
                          std::int64_t head, Arena& scratch) {
  const std::int64_t d = shape.head_dim, key_head = head / (shape.heads / shape.kv_heads);
  const auto q = span.q.columns(head * d, d), k = span.k.columns(key_head * d, d), v = span.v.columns(key_head * d, d);
  const auto d_out = span.d_out.columns(head * d, d);
  const auto dq = span.dq.columns(head * d, d);
  for (std::int64_t first = 0; first < q.rows; first += kQueryBlock) {
    const ArenaScope scope(scratch);
    const Block block = block_at(shape, first, q.rows, 0);
    const std::int64_t keys = block.key_last - block.key_first;
    const auto s = scratch.rows(block.count, keys), p = scratch.rows(block.count, keys),
               ds = scratch.rows(block.count, keys);
    const auto q_rows = q.slice(block.first, block.count), d_out_rows = d_out.slice(block.first, block.count);
    probabilities(kernels, shape, block, 0, q, k, s, p, scratch);
    matmul_serial(kernels, d_out_rows, Operand(v.slice(block.key_first, keys)).t(), ds, scratch);
    matmul_serial(kernels, Operand(p).t(), d_out_rows, span.dv.columns(key_head * d, d).slice(block.key_first, keys),
                  scratch, {.accumulate = true});
    for (std::int64_t i = 0; i < block.count; ++i) {
      // Scores outside the mask were never capped and may be anything: only the visible stretch is read.
      const std::int64_t from = first_key(shape, block.first + i) - block.key_first;
      const std::int64_t visible = block.first + i + 1 - block.key_first - from;
      kernels.softmax_backward(s.row(i) + from, p.row(i) + from, ds.row(i) + from, visible, shape.scale, shape.softcap);
      std::fill_n(ds.row(i), from, 0.0F);
      std::fill(ds.row(i) + from + visible, ds.row(i) + keys, 0.0F);
    }
    matmul_serial(kernels, ds, k.slice(block.key_first, keys), dq.slice(block.first, block.count), scratch);
    matmul_serial(kernels, Operand(ds).t(), q_rows, span.dk.columns(key_head * d, d).slice(block.key_first, keys),
                  scratch, {.accumulate = true});
  }
}

}  // namespace

void attention(Compute& compute, const AttentionShape& shape, std::span<const AttentionSpan> spans) {
  const auto& kernels = compute.kernels();
  compute.parallel(static_cast<std::int64_t>(spans.size()) * shape.heads, [&](std::int64_t task, Arena& scratch) {
    attend_head(kernels, shape, spans[static_cast<std::size_t>(task / shape.heads)], task % shape.heads, scratch);
  });
}

void attention_backward(Compute& compute, const AttentionShape& shape, std::span<const AttentionGradient> spans) {
  const auto& kernels = compute.kernels();
  const std::int64_t group = shape.heads / shape.kv_heads, d = shape.head_dim;
  compute.parallel(static_cast<std::int64_t>(spans.size()) * shape.kv_heads, [&](std::int64_t task, Arena& scratch) {
    const auto& span = spans[static_cast<std::size_t>(task / shape.kv_heads)];
    const std::int64_t key_head = task % shape.kv_heads;
    zero(span.dk.columns(key_head * d, d));
    zero(span.dv.columns(key_head * d, d));
    for (std::int64_t i = 0; i < group; ++i) attend_head_backward(kernels, shape, span, key_head * group + i, scratch);
  });
}

}  // namespace slipway::ml
