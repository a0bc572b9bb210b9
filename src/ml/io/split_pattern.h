// The regular expressions that tokenizer.json files of the known families cut text with, matched by hand: they need
// \p{L}, \p{N}, \s and one look-ahead, and nothing else.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "slipway/ml/tokenizer.h"

namespace slipway::ml {

enum class SplitRegex : std::uint8_t {
  Gpt2,    // 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
  Words1,  // Qwen 2 and 3: as Words3, a number is one digit
  Words3,  // Llama 3: (?i:'s|…)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
};

// By the exact text of the expression.
[[nodiscard]] std::optional<SplitRegex> known_regex(std::string_view expression);

// The matches in order. They are not empty, and together they cover the text: each of these expressions matches
// somewhere at every position.
[[nodiscard]] std::vector<ByteSpan> matches(SplitRegex regex, std::string_view text);

}  // namespace slipway::ml
