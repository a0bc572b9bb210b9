// Tokens that are cut out of the text before BPE sees it.
#pragma once

#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "ml/io/aligned_text.h"
#include "ml/io/bpe.h"
#include "ml/io/normalizer.h"

namespace slipway::ml {

struct AddedToken {
  TokenId id = 0;
  std::string content;
  bool single_word = false;  // only where no word character touches it
  bool lstrip = false;       // takes the blanks before it along
  bool rstrip = false;       // takes the blanks after it along
  bool normalized = true;    // looked for in normalised text, by its normalised content
  bool special = false;      // left out by decode(skip_special_tokens)
};

// A part of a text: an added token, or text between them.
struct TextPart {
  const AddedToken* token = nullptr;
  ByteSpan range;
};

// A set of added tokens to look for. The leftmost match wins, of those the longest.
class TokenFinder {
 public:
  void add(std::string pattern, const AddedToken* token);
  // The parts in order; one part for an empty text.
  [[nodiscard]] std::vector<TextPart> split(std::string_view text) const;

 private:
  [[nodiscard]] const AddedToken* longest_at(std::string_view text, std::size_t at, std::size_t& length) const;

  std::map<std::string, const AddedToken*, std::less<>> patterns_;
  std::vector<std::size_t> lengths_[256];  // by first byte: the lengths of its patterns, falling, each once
};

// The `added_tokens` of a tokenizer.json. An id that the vocabulary gives the same text wins over the listed one.
[[nodiscard]] Result<std::vector<AddedToken>> parse_added_tokens(const Value& list, const Vocabulary& vocabulary);

}  // namespace slipway::ml
