#include "ml/io/vocabulary.h"

#include <bit>
#include <functional>

#include "slipway/base/assert.h"

namespace slipway::ml {

Vocabulary::Vocabulary(std::size_t count) : slots_(std::bit_ceil(2 * count + 1)) { entries_.reserve(count); }

void Vocabulary::add(std::string_view token, TokenId id) {
  SLIPWAY_ASSERT(2 * (entries_.size() + 1) <= slots_.size());
  const std::uint64_t hash = std::hash<std::string_view>{}(token);
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = hash & mask;
  while (slots_[at].number != 0) at = (at + 1) & mask;
  entries_.push_back({std::string(token), id});
  slots_[at] = {static_cast<std::uint32_t>(hash >> 32U), static_cast<std::uint32_t>(entries_.size())};
}

std::optional<TokenId> Vocabulary::find(std::string_view token) const {
  const std::uint64_t hash = std::hash<std::string_view>{}(token);
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t at = hash & mask; slots_[at].number != 0; at = (at + 1) & mask) {
    const Entry& entry = entries_[slots_[at].number - 1];
    if (slots_[at].tag == static_cast<std::uint32_t>(hash >> 32U) && entry.token == token) return entry.id;
  }
  return std::nullopt;
}

}  // namespace slipway::ml
