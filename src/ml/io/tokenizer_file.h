// A tokenizer.json in three parts: its two long lists as text, for a reader that makes no tree of half a million
// values, and the rest as a value.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "slipway/base/value.h"

namespace slipway::ml {

struct TokenizerFile {
  Value json;               // with empty `model.vocab` and `model.merges` where the file has them
  std::string_view vocab;   // JSON of model.vocab; empty if there is none
  std::string_view merges;  // JSON of model.merges; empty if there is none
};

// The views point into `text`. Corrupt if the rest is no JSON; the two lists are checked by who reads them.
[[nodiscard]] Result<TokenizerFile> split_tokenizer_file(std::string_view text, std::size_t bytes_max);

// Reads JSON front to back. Each function skips blanks, takes what it names, or takes nothing and says so.
class JsonCursor {
 public:
  explicit JsonCursor(std::string_view text) : text_(text) {}

  bool take(char punctuation);
  std::optional<std::string> string();
  std::optional<std::int64_t> integer();
  // Any value, as text. Brackets and quotes are followed, nothing else is checked.
  std::optional<std::string_view> value();
  [[nodiscard]] bool at_end();
  [[nodiscard]] std::size_t position() const { return at_; }

 private:
  void skip_blanks();
  // The end of the string that begins at `at`, behind its closing quote; npos if it is not closed.
  [[nodiscard]] std::size_t string_end(std::size_t at) const;

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace slipway::ml
