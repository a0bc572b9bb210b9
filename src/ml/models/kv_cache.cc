#include "slipway/ml/model.h"

namespace slipway::ml {

KvCache::KvCache(const ModelConfig& config, std::int64_t capacity)
    : capacity_(capacity),
      width_(config.kv_heads * config.head_dim),
      data_(config.layers * 2 * capacity, config.kv_heads * config.head_dim) {}

void KvCache::truncate(std::int64_t size) {
  SLIPWAY_ASSERT(size >= 0 && size <= size_);
  size_ = size;
}

void KvCache::advance(std::int64_t count) {
  SLIPWAY_ASSERT(count >= 0 && size_ + count <= capacity_);
  size_ += count;
}

std::size_t KvCache::bytes_per_token(const ModelConfig& config) {
  return static_cast<std::size_t>(config.layers * 2 * config.kv_heads * config.head_dim) * sizeof(float);
}

Rows<float> KvCache::keys(std::int64_t layer) { return {data_.row(2 * layer * capacity_), capacity_, width_}; }

Rows<float> KvCache::values(std::int64_t layer) { return {data_.row((2 * layer + 1) * capacity_), capacity_, width_}; }

}  // namespace slipway::ml
