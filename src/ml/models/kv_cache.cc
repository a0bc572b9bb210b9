#include "slipway/ml/kv_cache.h"

#include <cstring>
#include <utility>

#include "slipway/base/assert.h"

namespace slipway::ml {

KvPool::KvPool(const ModelConfig& config, std::int64_t pages)
    : parts_(2 * config.layers),
      data_(pages * parts_ * kPageTokens, config.kv_heads * config.head_dim),
      users_(static_cast<std::size_t>(pages), 0) {
  for (std::int64_t page = pages; page > 0; --page) free_.push_back(static_cast<std::int32_t>(page - 1));
}

std::size_t KvPool::bytes_per_token(const ModelConfig& config) {
  return static_cast<std::size_t>(config.layers * 2 * config.kv_heads * config.head_dim) * sizeof(float);
}

std::int32_t KvPool::take() {
  const std::int32_t page = free_.back();
  free_.pop_back();
  share(page);
  return page;
}

void KvPool::give_back(std::int32_t page) {
  auto& users = users_[static_cast<std::size_t>(page)];
  SLIPWAY_ASSERT(users > 0);
  if (--users == 0) free_.push_back(page);
}

Rows<float> KvPool::rows(std::int32_t page, std::int64_t part) {
  return {data_.row((page * parts_ + part) * kPageTokens), kPageTokens, data_.cols()};
}

KeptPage::KeptPage(KvPool& pool, std::int32_t page) : pool_(&pool), page_(page) { pool.share(page); }

KeptPage::~KeptPage() {
  if (pool_ != nullptr) pool_->give_back(page_);
}

bool KeptPage::alone() const { return pool_->users_[static_cast<std::size_t>(page_)] == 1; }

KvCache::KvCache(KvCache&& other) noexcept
    : pool_(other.pool_), pages_(std::exchange(other.pages_, {})), size_(std::exchange(other.size_, 0)) {}

KvCache& KvCache::operator=(KvCache&& other) noexcept {
  clear();
  pool_ = other.pool_;
  pages_ = std::exchange(other.pages_, {});
  size_ = std::exchange(other.size_, 0);
  return *this;
}

bool KvCache::reserve(std::int64_t tokens) {
  const std::int64_t missing = KvPool::pages_for(tokens) - page_count();
  if (missing > pool_->free_pages()) return false;
  for (std::int64_t i = 0; i < missing; ++i) pages_.push_back(pool_->take());
  return true;
}

std::optional<KvCache> KvCache::fork() const {
  const auto full = static_cast<std::size_t>(size_ / KvPool::kPageTokens);
  const std::int64_t rest = size_ % KvPool::kPageTokens;
  if (rest > 0 && pool_->free_pages() == 0) return std::nullopt;
  KvCache copy(*pool_);
  for (std::size_t i = 0; i < full; ++i) {
    pool_->share(pages_[i]);
    copy.pages_.push_back(pages_[i]);
  }
  if (rest > 0) {
    copy.pages_.push_back(pool_->take());
    for (std::int64_t part = 0; part < pool_->parts_; ++part) {
      const auto from = pool_->rows(pages_[full], part), to = pool_->rows(copy.pages_[full], part);
      std::memcpy(to.data, from.data, static_cast<std::size_t>(rest * from.cols) * sizeof(float));
    }
  }
  copy.size_ = size_;
  return copy;
}

KeptPage KvCache::page(std::int64_t index) const {
  SLIPWAY_ASSERT((index + 1) * KvPool::kPageTokens <= size_);
  return {*pool_, pages_[static_cast<std::size_t>(index)]};
}

void KvCache::append(const KeptPage& page) {
  SLIPWAY_ASSERT(page.pool_ == pool_ && size_ == capacity());
  pool_->share(page.page_);
  pages_.push_back(page.page_);
  size_ += KvPool::kPageTokens;
}

void KvCache::truncate(std::int64_t size) {
  SLIPWAY_ASSERT(size >= 0 && size <= size_);
  size_ = size;
  for (; page_count() > KvPool::pages_for(size); pages_.pop_back()) pool_->give_back(pages_.back());
}

void KvCache::clear() {
  size_ = 0;
  for (; !pages_.empty(); pages_.pop_back()) pool_->give_back(pages_.back());
}

void KvCache::advance(std::int64_t count) {
  SLIPWAY_ASSERT(count >= 0 && size_ + count <= capacity());
  size_ += count;
}

Rows<float> KvCache::keys(std::int64_t layer, std::int64_t page) const {
  return pool_->rows(pages_[static_cast<std::size_t>(page)], 2 * layer);
}

Rows<float> KvCache::values(std::int64_t layer, std::int64_t page) const {
  return pool_->rows(pages_[static_cast<std::size_t>(page)], 2 * layer + 1);
}

}  // namespace slipway::ml
