// Byte-pair encoding, as the `BPE` model of HF tokenizers: symbols of a word are its code points (or, by byte fallback,
// their bytes), then the pair of lowest rank is merged until none is left.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "ml/io/tokenizer_file.h"
#include "ml/io/vocabulary.h"
#include "slipway/base/value.h"
#include "slipway/ml/tokenizer.h"

namespace slipway::ml {

// A token and how many bytes of the word it stands for.
struct Symbol {
  TokenId id = 0;
  std::uint32_t size = 0;
};

class Bpe {
 public:
  // The `model` of the file. Errors: Corrupt (ids, merges that name no token), Unsupported (dropout, another model
  // type).
  [[nodiscard]] static Result<Bpe> parse(const TokenizerFile& file);

  // Appends the tokens of one word. O(n log n). A code point that is neither in the vocabulary nor covered by bytes or
  // an unknown token vanishes, as in HF.
  void encode(std::string_view word, std::vector<Symbol>& out) const;

  [[nodiscard]] const Vocabulary& vocabulary() const { return vocabulary_; }

 private:
  struct Merge {
    std::uint32_t rank = 0;
    TokenId merged = 0;
  };
  struct Node;

  Result<void> read_vocabulary(std::string_view vocab);
  Result<void> read_special_tokens(const Value& model);
  Result<void> read_merges(std::string_view merges);
  Result<void> add_merge(std::string_view left, std::string_view right);
  [[nodiscard]] std::vector<Node> symbols_of(std::string_view word) const;
  [[nodiscard]] bool add_bytes(std::string_view code_point, std::vector<Node>& nodes) const;
  void merge_all(std::vector<Node>& nodes) const;
  [[nodiscard]] const Merge* merge_of(TokenId left, TokenId right) const;

  Vocabulary vocabulary_;
  std::unordered_map<std::uint64_t, Merge> merges_;  // key: left id in the high half, right id in the low
  std::uint32_t merge_count_ = 0;
  std::vector<std::optional<TokenId>> byte_tokens_;  // "<0x00>".."<0xFF>"; empty without byte fallback
  std::optional<TokenId> unknown_;
  bool fuse_unknown_ = false;
  bool ignore_merges_ = false;
  std::string continuing_prefix_;
  std::string end_suffix_;
};

}  // namespace slipway::ml
