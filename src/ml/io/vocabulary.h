// Tokens to ids. A hash table of its own: half a million look-ups stand between a start and the first training step.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "slipway/ml/tokenizer.h"

namespace slipway::ml {

class Vocabulary {
 public:
  struct Entry {
    std::string token;
    TokenId id = 0;
  };

  // Room for `count` tokens, which is the most that may be added.
  explicit Vocabulary(std::size_t count = 0);

  // The token must be new.
  void add(std::string_view token, TokenId id);
  [[nodiscard]] std::optional<TokenId> find(std::string_view token) const;
  // In the order of add().
  [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }

 private:
  struct Slot {
    std::uint32_t tag = 0;     // upper half of the hash
    std::uint32_t number = 0;  // 1 + index into entries_; 0: free
  };

  std::vector<Entry> entries_;
  std::vector<Slot> slots_;  // a power of two, at most half of them taken; probed one after another
};

}  // namespace slipway::ml
