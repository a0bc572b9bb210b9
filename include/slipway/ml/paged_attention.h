// Attention of new tokens to keys and values that lie in pages, as a server keeps them.
#pragma once

#include <cstdint>
#include <span>

#include "slipway/ml/ops.h"

namespace slipway::ml {

// Keys (after RoPE) and values of consecutive positions: both [tokens of a page, kv_heads d].
struct KvPage {
  Rows<const float> keys, values;
};

// One sequence: n queries at positions first … first + n - 1. Page p holds the positions from p times the tokens of a
// page on; rows behind the last query are not read.
struct PagedSpan {
  Rows<const float> q;  // [n, heads d]
  Rows<float> out;      // [n, heads d]
  std::int64_t first = 0;
  std::span<const KvPage> pages;
  // true: each query is computed as if it came alone. false: in blocks of kQueryBlock; then a query's bits depend on
  // the block it is in, and equal ones come from spans that begin at multiples of it.
  bool one_by_one = false;
};
inline constexpr std::int64_t kQueryBlock = 64;

// out = softmax(cap(scale q k^T) + mask) v per head, as attention().
void paged_attention(Compute& compute, const AttentionShape& shape, std::span<const PagedSpan> spans);

}  // namespace slipway::ml
