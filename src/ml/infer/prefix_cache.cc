#include "ml/infer/prefix_cache.h"

#include <algorithm>
#include <functional>
#include <tuple>

namespace slipway::ml {

std::strong_ordering PrefixCache::Key::operator<=>(const Key& other) const {
  if (const auto by_lora = std::compare_three_way()(lora, other.lora); by_lora != 0) return by_lora;
  return std::tie(before, tokens) <=> std::tie(other.before, other.tokens);
}

PrefixCache::Key PrefixCache::key_of(const Lora* lora, std::uint64_t before, std::span<const TokenId> prompt,
                                     std::int64_t page) {
  const auto tokens =
      prompt.subspan(static_cast<std::size_t>(page * KvPool::kPageTokens), std::size_t{KvPool::kPageTokens});
  return {lora, before, {tokens.begin(), tokens.end()}};
}

void PrefixCache::take(const Lora* lora, std::span<const TokenId> prompt, KvCache& cache) {
  ++uses_;
  std::uint64_t before = 0;
  // The last token is always computed: its logits are wanted.
  for (std::int64_t page = 0; (page + 1) * KvPool::kPageTokens < std::ssize(prompt); ++page) {
    const auto it = entries_.find(key_of(lora, before, prompt, page));
    if (it == entries_.end()) return;
    it->second.used = uses_;
    before = it->second.number;
    cache.append(it->second.page);
  }
}

void PrefixCache::keep(const Lora* lora, std::span<const TokenId> prompt, const KvCache& cache) {
  ++uses_;
  std::uint64_t before = 0;
  for (std::int64_t page = 0; (page + 1) * KvPool::kPageTokens <= std::ssize(prompt); ++page) {
    auto key = key_of(lora, before, prompt, page);
    auto it = entries_.find(key);
    if (it == entries_.end()) {
      it = entries_.emplace(std::move(key), Entry{++last_number_, cache.page(page)}).first;
      by_number_[last_number_] = &it->second;
      if (before != 0) ++by_number_.at(before)->followers;
    }
    it->second.used = uses_;
    before = it->second.number;
  }
}

bool PrefixCache::evict() {
  auto oldest = entries_.end();
  for (auto it = entries_.begin(); it != entries_.end(); ++it) {
    const Entry& entry = it->second;
    if (entry.followers > 0 || !entry.page.alone()) continue;
    if (oldest == entries_.end() || entry.used < oldest->second.used) oldest = it;
  }
  if (oldest == entries_.end()) return false;
  if (oldest->first.before != 0) --by_number_.at(oldest->first.before)->followers;
  by_number_.erase(oldest->second.number);
  entries_.erase(oldest);
  return true;
}

// Who uses a page uses those before it, so what stands behind an idle page is idle.
std::int64_t PrefixCache::idle_pages() const {
  return std::ranges::count_if(entries_, [](const auto& one) { return one.second.page.alone(); });
}

}  // namespace slipway::ml
