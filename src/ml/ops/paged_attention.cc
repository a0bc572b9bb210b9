#include "slipway/ml/paged_attention.h"

#include <algorithm>

#include "ml/ops/kernels.h"

namespace slipway::ml {
namespace {

// Rows that see the same keys: queries of one head at consecutive positions, or the heads of one group at one position.
struct Group {
  Rows<const float> q;  // [m, d]
  Rows<float> out;      // [m, d]
  std::int64_t first = 0;
  bool one_position = false;
  std::int64_t key_head = 0;

  [[nodiscard]] std::int64_t position(std::int64_t row) const { return one_position ? first : first + row; }
};

class Attention {
 public:
  Attention(const Kernels& kernels, const AttentionShape& shape, std::span<const KvPage> pages)
      : kernels_(kernels), shape_(shape), pages_(pages), page_tokens_(pages.front().keys.rows) {}

  void attend(const Group& group, Arena& scratch) const {
    const ArenaScope scope(scratch);
    const std::int64_t page_first = first_key(group.first) / page_tokens_, origin = page_first * page_tokens_;
    const std::int64_t keys = group.position(group.q.rows - 1) + 1 - origin;
    const auto p = scratch.rows(group.q.rows, keys);
    const GemmLoop loop = group.one_position ? GemmLoop::Streaming : GemmLoop::Packed;
    for (std::int64_t at = 0; at < keys; at += page_tokens_) {
      const std::int64_t count = std::min(page_tokens_, keys - at);
      const auto k = part(page(page_first, at).keys, group.key_head, count);
      matmul_serial(kernels_, group.q, Operand(k).t(), p.columns(at, count), scratch, {.loop = loop});
    }
    for (std::int64_t row = 0; row < p.rows; ++row) {
      const std::int64_t position = group.position(row);
      kernels_.softmax(p.row(row), p.row(row), first_key(position) - origin, position + 1 - origin, keys, shape_.scale,
                       shape_.softcap);
    }
    for (std::int64_t at = 0; at < keys; at += page_tokens_) {
      const std::int64_t count = std::min(page_tokens_, keys - at);
      const auto v = part(page(page_first, at).values, group.key_head, count);
      matmul_serial(kernels_, p.columns(at, count), v, group.out, scratch,
                    {.accumulate = at > 0, .loop = GemmLoop::Packed});
    }
  }

 private:
  [[nodiscard]] std::int64_t first_key(std::int64_t position) const {
    return shape_.window > 0 ? std::max<std::int64_t>(0, position - shape_.window + 1) : 0;
  }
  [[nodiscard]] const KvPage& page(std::int64_t first, std::int64_t at) const {
    return pages_[static_cast<std::size_t>(first + at / page_tokens_)];
  }
  [[nodiscard]] Rows<const float> part(Rows<const float> rows, std::int64_t key_head, std::int64_t count) const {
    return rows.columns(key_head * shape_.head_dim, shape_.head_dim).slice(0, count);
  }

  const Kernels& kernels_;
  const AttentionShape& shape_;
  std::span<const KvPage> pages_;
  std::int64_t page_tokens_;
};

// The heads of a group at one position stand side by side in one row: as rows, they read each key once.
Group heads_at(const AttentionShape& shape, const PagedSpan& span, std::int64_t row, std::int64_t key_head) {
  const std::int64_t heads = shape.heads / shape.kv_heads, d = shape.head_dim, column = key_head * heads * d;
  return {.q = {span.q.row(row) + column, heads, d},
          .out = {span.out.row(row) + column, heads, d},
          .first = span.first + row,
          .one_position = true,
          .key_head = key_head};
}

Group queries_of(const AttentionShape& shape, const PagedSpan& span, std::int64_t head, std::int64_t row) {
  const std::int64_t d = shape.head_dim, count = std::min(kQueryBlock, span.q.rows - row);
  return {.q = span.q.columns(head * d, d).slice(row, count),
          .out = span.out.columns(head * d, d).slice(row, count),
          .first = span.first + row,
          .key_head = head / (shape.heads / shape.kv_heads)};
}

}  // namespace

void paged_attention(Compute& compute, const AttentionShape& shape, std::span<const PagedSpan> spans) {
  const std::int64_t group = shape.heads / shape.kv_heads;
  const auto task = [&](std::int64_t index, Arena& scratch) {
    const auto& span = spans[static_cast<std::size_t>(index / shape.kv_heads)];
    const std::int64_t key_head = index % shape.kv_heads;
    const Attention attention(compute.kernels(), shape, span.pages);
    if (span.one_by_one) {
      for (std::int64_t row = 0; row < span.q.rows; ++row)
        attention.attend(heads_at(shape, span, row, key_head), scratch);
      return;
    }
    for (std::int64_t head = key_head * group; head < (key_head + 1) * group; ++head)
      for (std::int64_t row = 0; row < span.q.rows; row += kQueryBlock)
        attention.attend(queries_of(shape, span, head, row), scratch);
  };
  compute.parallel(static_cast<std::int64_t>(spans.size()) * shape.kv_heads, task);
}

}  // namespace slipway::ml
