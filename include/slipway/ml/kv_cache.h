// Keys and values of the sequences in work, fp32, in pages that sequences take as they grow and give back when they
// end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "slipway/ml/model_config.h"
#include "slipway/ml/tensor.h"

namespace slipway::ml {

// The pages. Memory becomes resident as pages are first used. One pool and its caches belong to one thread at a time.
class KvPool {
 public:
  static constexpr std::int64_t kPageTokens = 64;

  KvPool(const ModelConfig& config, std::int64_t pages);
  KvPool(const KvPool&) = delete;
  KvPool& operator=(const KvPool&) = delete;

  [[nodiscard]] std::int64_t pages() const { return static_cast<std::int64_t>(users_.size()); }
  [[nodiscard]] std::int64_t free_pages() const { return static_cast<std::int64_t>(free_.size()); }
  [[nodiscard]] static std::size_t bytes_per_token(const ModelConfig& config);
  // How many pages that many tokens need.
  [[nodiscard]] static std::int64_t pages_for(std::int64_t tokens) { return (tokens + kPageTokens - 1) / kPageTokens; }

 private:
  friend class KvCache;
  friend class KeptPage;
  [[nodiscard]] std::int32_t take();
  void share(std::int32_t page) { ++users_[static_cast<std::size_t>(page)]; }
  void give_back(std::int32_t page);
  [[nodiscard]] Rows<float> rows(std::int32_t page, std::int64_t part);

  std::int64_t parts_;               // keys and values of every layer
  Matrix data_;                      // [pages * parts * kPageTokens, kv_heads * head_dim]
  std::vector<std::int32_t> users_;  // by page
  std::vector<std::int32_t> free_;   // the one used last is taken first
};

// A full page that is kept whether or not a sequence still uses it. Gives it back when it dies.
class KeptPage {
 public:
  KeptPage(KeptPage&& other) noexcept : pool_(std::exchange(other.pool_, nullptr)), page_(other.page_) {}
  KeptPage& operator=(KeptPage&&) = delete;
  ~KeptPage();

  [[nodiscard]] bool alone() const;  // nobody else uses it

 private:
  friend class KvCache;
  KeptPage(KvPool& pool, std::int32_t page);
  KvPool* pool_;
  std::int32_t page_;
};

// One sequence. Gives its pages back when it dies.
class KvCache {
 public:
  explicit KvCache(KvPool& pool) : pool_(&pool) {}
  KvCache(KvCache&& other) noexcept;
  KvCache& operator=(KvCache&& other) noexcept;
  ~KvCache() { clear(); }

  [[nodiscard]] std::int64_t size() const { return size_; }  // tokens held
  [[nodiscard]] std::int64_t capacity() const { return page_count() * KvPool::kPageTokens; }
  [[nodiscard]] std::int64_t page_count() const { return static_cast<std::int64_t>(pages_.size()); }
  // Takes pages until `tokens` fit; false, and nothing is taken, if the pool has too few.
  [[nodiscard]] bool reserve(std::int64_t tokens);
  // Another sequence that begins with the same tokens. Full pages are shared, the last one is copied; nullopt if the
  // pool has no page for it.
  [[nodiscard]] std::optional<KvCache> fork() const;
  // A page whose tokens are all there, for others that begin alike.
  [[nodiscard]] KeptPage page(std::int64_t index) const;
  // The tokens of `page` follow those that are there, which end with a page.
  void append(const KeptPage& page);
  // Forgets all tokens from `size` on; pages beyond go back. Only for a cache that shares no page.
  void truncate(std::int64_t size);
  void clear();

  // Keys (after RoPE) or values of one layer: [kPageTokens, kv_heads * head_dim]; rows from size() on are not yet
  // written.
  [[nodiscard]] Rows<float> keys(std::int64_t layer, std::int64_t page) const;
  [[nodiscard]] Rows<float> values(std::int64_t layer, std::int64_t page) const;
  // The rows behind size() that a decoding step wrote now count. Model::decode does this.
  void advance(std::int64_t count);

 private:
  KvPool* pool_;
  std::vector<std::int32_t> pages_;
  std::int64_t size_ = 0;
};

}  // namespace slipway::ml
