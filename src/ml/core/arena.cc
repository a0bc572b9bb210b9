#include "slipway/ml/arena.h"

#include <algorithm>

namespace slipway::ml {
namespace {

constexpr std::size_t kLine = 16;             // floats of a cache line
constexpr std::size_t kBlockMin = 1U << 18U;  // floats: 1 MiB

}  // namespace

float* Arena::floats(std::int64_t count) {
  SLIPWAY_ASSERT(count >= 0);
  const std::size_t wanted = (static_cast<std::size_t>(count) + kLine - 1) / kLine * kLine;
  while (block_ < blocks_.size() && used_ + wanted > blocks_[block_].values().size()) {
    ++block_;
    used_ = 0;
  }
  if (block_ == blocks_.size()) {
    const std::size_t grown = blocks_.empty() ? kBlockMin : 2 * blocks_.back().values().size();
    blocks_.emplace_back(1, static_cast<std::int64_t>(std::max(grown, wanted)));
  }
  float* first = blocks_[block_].values().data() + used_;
  used_ += wanted;
  return first;
}

Rows<float> Arena::rows(std::int64_t row_count, std::int64_t col_count) {
  return {floats(row_count * col_count), row_count, col_count};
}

void Arena::release(Mark mark) {
  block_ = mark.block;
  used_ = mark.used;
}

std::size_t Arena::bytes() const {
  std::size_t total = 0;
  for (const auto& block : blocks_) total += block.values().size_bytes();
  return total;
}

}  // namespace slipway::ml
