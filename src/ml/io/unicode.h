// UTF-8 and the few character classes that tokenisers use. The only file pair that includes utf8proc.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace slipway::ml {

// Letter = \p{L}, Number = \p{N}, Space = \s (White_Space); Newline is the part of Space that is \r or \n.
enum class CharClass : std::uint8_t { Letter, Number, Newline, Space, Other };

struct CodePoint {
  char32_t value = 0;
  std::uint32_t size = 0;  // bytes in the text, at least 1
  bool valid = true;       // false: one byte that is no UTF-8; value is U+FFFD
};

// The code point at text[at]; at < text.size().
[[nodiscard]] CodePoint code_point_at(std::string_view text, std::size_t at);
void append_utf8(std::string& out, char32_t value);

[[nodiscard]] CharClass char_class(char32_t value);
[[nodiscard]] inline bool is_space(char32_t value) {
  const CharClass c = char_class(value);
  return c == CharClass::Space || c == CharClass::Newline;
}
// \w of Rust's regex: Alphabetic, Mark, decimal digit, connector punctuation, join control.
[[nodiscard]] bool is_word(char32_t value);

enum class NormalForm : std::uint8_t { Nfc, Nfd, Nfkc, Nfkd };
// `text` must be valid UTF-8.
[[nodiscard]] std::string normal_form(std::string_view text, NormalForm form);

inline constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

// How many bytes at the end could be the beginning of a code point whose rest is still to come (0 to 3).
[[nodiscard]] std::size_t unfinished_suffix(std::string_view bytes);
// Bytes to UTF-8, each maximal ill-formed part one U+FFFD (Rust's from_utf8_lossy, WHATWG).
[[nodiscard]] std::string to_valid_utf8(std::string_view bytes);
[[nodiscard]] bool is_valid_utf8(std::string_view bytes);

}  // namespace slipway::ml
