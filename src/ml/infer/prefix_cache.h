// Keys and values of the beginnings of prompts, page by page, for prompts that begin alike: a long instruction or a
// conversation so far is computed once. Only pages that were computed as a prompt are kept, so a text has the same bits
// with and without them.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "slipway/ml/kv_cache.h"
#include "slipway/ml/lora.h"
#include "slipway/ml/tokenizer.h"

namespace slipway::ml {

// Of one pool. Adapters are told apart by their address: they live, unchanged, as long as this.
class PrefixCache {
 public:
  // Puts the known beginning of `prompt` into `cache`, which is empty: whole pages, and never the whole prompt.
  void take(const Lora* lora, std::span<const TokenId> prompt, KvCache& cache);
  // Keeps the full pages of `prompt`, which `cache` begins with.
  void keep(const Lora* lora, std::span<const TokenId> prompt, const KvCache& cache);
  // Gives back the page that was of use longest ago, of those that no sequence uses; false if there is none.
  bool evict();
  // Pages that evict() could give back.
  [[nodiscard]] std::int64_t idle_pages() const;

 private:
  // A page by what is in it and before it.
  struct Key {
    const Lora* lora = nullptr;
    std::uint64_t before = 0;  // the number of the page before it; 0: none
    std::vector<TokenId> tokens;
    std::strong_ordering operator<=>(const Key& other) const;
    bool operator==(const Key&) const = default;
  };
  struct Entry {
    std::uint64_t number = 0;
    KeptPage page;
    std::uint64_t used = 0;      // when, by count of uses
    std::int64_t followers = 0;  // entries that stand behind it
  };
  using Entries = std::map<Key, Entry>;

  static Key key_of(const Lora* lora, std::uint64_t before, std::span<const TokenId> prompt, std::int64_t page);

  Entries entries_;
  std::map<std::uint64_t, Entry*> by_number_;
  std::uint64_t last_number_ = 0;
  std::uint64_t uses_ = 0;
};

}  // namespace slipway::ml
