#include "ml/io/split_pattern.h"

#include "ml/io/unicode.h"
#include "slipway/base/assert.h"

namespace slipway::ml {
namespace {

constexpr std::string_view kGpt2 = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
constexpr std::string_view kWords1 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kWords3 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

struct Char {
  char32_t value;
  CharClass kind;
  std::uint32_t offset;
};

// One position of the text, with the alternatives of the expressions as functions: each answers where its match would
// end, or `at` itself when it does not match.
class Matcher {
 public:
  explicit Matcher(std::string_view text) {
    chars_.reserve(text.size() + 1);
    for (std::uint32_t at = 0; at < text.size();) {
      const CodePoint point = code_point_at(text, at);
      chars_.push_back({point.value, char_class(point.value), at});
      at += point.size;
    }
    size_ = chars_.size();
    chars_.push_back({0, CharClass::Other, static_cast<std::uint32_t>(text.size())});
  }

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::uint32_t offset(std::size_t at) const { return chars_[at].offset; }

  [[nodiscard]] std::size_t gpt2(std::size_t at) const {
    if (const auto end = contraction(at, false); end != at) return end;
    const std::size_t body = is(at, ' ') ? at + 1 : at;
    for (const CharClass kind : {CharClass::Letter, CharClass::Number, CharClass::Other})
      if (const auto end = run(body, kind); end != body) return end;
    return blank(at);
  }

  [[nodiscard]] std::size_t words(std::size_t at, std::size_t digits_max) const {
    if (const auto end = contraction(at, true); end != at) return end;
    if (const auto end = letters_after_any(at); end != at) return end;
    if (const auto end = run(at, CharClass::Number, digits_max); end != at) return end;
    const std::size_t body = is(at, ' ') ? at + 1 : at;
    if (const auto end = run(body, CharClass::Other); end != body) return run(end, CharClass::Newline);
    if (const auto end = through_last_newline(at); end != at) return end;
    return blank(at);
  }

 private:
  [[nodiscard]] bool is(std::size_t at, char32_t value) const { return at < size_ && chars_[at].value == value; }
  [[nodiscard]] bool is(std::size_t at, CharClass kind) const { return at < size_ && chars_[at].kind == kind; }
  [[nodiscard]] bool blank_at(std::size_t at) const { return is(at, CharClass::Space) || is(at, CharClass::Newline); }

  [[nodiscard]] std::size_t run(std::size_t at, CharClass kind, std::size_t most = SIZE_MAX) const {
    std::size_t end = at;
    while (end - at < most && is(end, kind)) ++end;
    return end;
  }

  // U+017F folds to s, as in Oniguruma.
  [[nodiscard]] char32_t letter(std::size_t at, bool fold_case) const {
    const char32_t c = at < size_ ? chars_[at].value : 0;
    if (!fold_case) return c;
    if (c == 0x17F) return 's';
    return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
  }

  // 's 't 're 've 'm 'll 'd
  [[nodiscard]] std::size_t contraction(std::size_t at, bool fold_case) const {
    if (!is(at, '\'')) return at;
    const char32_t a = letter(at + 1, fold_case);
    if (a == 's' || a == 't' || a == 'm' || a == 'd') return at + 2;
    const char32_t b = letter(at + 2, fold_case);
    return ((a == 'r' || a == 'v') && b == 'e') || (a == 'l' && b == 'l') ? at + 3 : at;
  }

  // [^\r\n\p{L}\p{N}]?\p{L}+
  [[nodiscard]] std::size_t letters_after_any(std::size_t at) const {
    const bool skips = is(at, CharClass::Space) || is(at, CharClass::Other);
    const std::size_t body = skips ? at + 1 : at;
    const std::size_t end = run(body, CharClass::Letter);
    return end == body ? at : end;
  }

  // \s*[\r\n]+
  [[nodiscard]] std::size_t through_last_newline(std::size_t at) const {
    std::size_t end = at;
    for (std::size_t i = at; blank_at(i); ++i)
      if (is(i, CharClass::Newline)) end = i + 1;
    return end;
  }

  // \s+(?!\S)|\s+ : a run of blanks leaves its last one to the word that follows, unless it is the only one.
  [[nodiscard]] std::size_t blank(std::size_t at) const {
    std::size_t end = at;
    while (blank_at(end)) ++end;
    return end == size_ || end - at < 2 ? end : end - 1;
  }

  std::vector<Char> chars_;  // one more than size_: the end of the text
  std::size_t size_ = 0;
};

}  // namespace

std::optional<SplitRegex> known_regex(std::string_view expression) {
  if (expression == kGpt2) return SplitRegex::Gpt2;
  if (expression == kWords1) return SplitRegex::Words1;
  if (expression == kWords3) return SplitRegex::Words3;
  return std::nullopt;
}

std::vector<ByteSpan> matches(SplitRegex regex, std::string_view text) {
  const Matcher matcher(text);
  std::vector<ByteSpan> out;
  for (std::size_t at = 0; at < matcher.size();) {
    const std::size_t end =
        regex == SplitRegex::Gpt2 ? matcher.gpt2(at) : matcher.words(at, regex == SplitRegex::Words1 ? 1 : 3);
    SLIPWAY_ASSERT(end > at);
    out.push_back({matcher.offset(at), matcher.offset(end)});
    at = end;
  }
  return out;
}

}  // namespace slipway::ml
