#include "dag/expr_lexer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace slipway::dag {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_word(char c) { return is_letter(c) || is_digit(c); }

void append_utf8(std::string& out, unsigned code) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xc0U | code >> 6U);
  } else if (code < 0x10000) {
    out += static_cast<char>(0xe0U | code >> 12U);
  } else {
    out += static_cast<char>(0xf0U | code >> 18U);
    out += static_cast<char>(0x80U | (code >> 12U & 0x3fU));
  }
  if (code >= 0x800) out += static_cast<char>(0x80U | (code >> 6U & 0x3fU));
  if (code >= 0x80) out += static_cast<char>(0x80U | (code & 0x3fU));
}

struct Correction {
  std::string_view symbol;
  std::string_view help;
};
// What other languages write.
constexpr std::array<Correction, 5> kForeign{
    {{"=", "write `==` to compare"},
     {"&", "write `&&`"},
     {"|", "write `||` for or; a filter is a function here, such as `lower(x)`"},
     {"{", "maps cannot be written in an expression"},
     {"$", "names stand alone here, without `$`"}}};

}  // namespace

void Lexer::skip_space() {
  while (at_ < text_.size() && std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos) ++at_;
}

Token Lexer::token(TokenKind kind, std::size_t begin) {
  Token token;
  token.kind = kind;
  token.begin = begin;
  token.end = at_;
  token.text = text_.substr(begin, at_ - begin);
  return token;
}

Token Lexer::bad(std::size_t begin, std::string problem, std::string help) {
  Token result = token(TokenKind::Bad, begin);
  result.problem = std::move(problem);
  result.help = std::move(help);
  return result;
}

Token Lexer::next() {
  skip_space();
  const std::size_t begin = at_;
  if (at_ == text_.size()) return token(TokenKind::Cut, begin);
  const char c = text_[at_];
  if (is_digit(c)) return number();
  if (c == '\'' || c == '"') return quoted();
  if (!is_letter(c)) return symbol();
  while (at_ < text_.size() && is_word(text_[at_])) ++at_;
  return token(TokenKind::Word, begin);
}

Token Lexer::next_id() {
  skip_space();
  const std::size_t begin = at_;
  while (at_ < text_.size() && (is_word(text_[at_]) || (text_[at_] == '-' && at_ > begin))) ++at_;
  return at_ > begin ? token(TokenKind::Word, begin) : next();
}

Token Lexer::number() {
  const std::size_t begin = at_;
  const auto digits = [&] {
    while (at_ < text_.size() && is_digit(text_[at_])) ++at_;
  };
  digits();
  bool whole = true;
  if (at_ + 1 < text_.size() && text_[at_] == '.' && is_digit(text_[at_ + 1])) {
    whole = false;
    ++at_;
    digits();
  }
  if (at_ < text_.size() && (text_[at_] == 'e' || text_[at_] == 'E')) {
    std::size_t exponent = at_ + 1;
    if (exponent < text_.size() && (text_[exponent] == '+' || text_[exponent] == '-')) ++exponent;
    if (exponent < text_.size() && is_digit(text_[exponent])) {
      whole = false;
      at_ = exponent;
      digits();
    }
  }
  const char* const first = text_.data() + begin;
  const char* const last = text_.data() + at_;
  if (at_ < text_.size() && is_word(text_[at_])) {
    while (at_ < text_.size() && is_word(text_[at_])) ++at_;
    return bad(begin, "is no number", "text stands in quotes: '" + std::string(text_.substr(begin, at_ - begin)) + "'");
  }
  Token result = token(TokenKind::Literal, begin);
  std::int64_t integer = 0;
  double real = 0;
  const auto error = whole ? std::from_chars(first, last, integer).ec : std::from_chars(first, last, real).ec;
  if (error != std::errc()) return bad(begin, "is too large a number", "");
  result.value = whole ? Value(integer) : Value(real);
  return result;
}

int Lexer::hex4() {
  unsigned code = 0;
  if (text_.size() - at_ < 4) return -1;
  const char* const first = text_.data() + at_;
  if (std::from_chars(first, first + 4, code, 16).ptr != first + 4) return -1;
  at_ += 4;
  return static_cast<int>(code);
}

bool Lexer::unicode(std::string& out) {
  int code = hex4();
  if (code >= 0xd800 && code < 0xdc00 && text_.substr(at_, 2) == "\\u") {
    at_ += 2;
    const int low = hex4();
    if (low < 0xdc00 || low > 0xdfff) return false;
    code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
  }
  if (code < 0 || (code >= 0xd800 && code <= 0xdfff)) return false;
  append_utf8(out, static_cast<unsigned>(code));
  return true;
}

bool Lexer::escape(std::string& out) {
  constexpr std::string_view kLetters = "ntr\\'\"/";
  constexpr std::string_view kMeanings = "\n\t\r\\'\"/";
  if (at_ == text_.size()) return false;
  const char c = text_[at_++];
  if (c == 'u') return unicode(out);
  const auto index = kLetters.find(c);
  if (index == std::string_view::npos) return false;
  out += kMeanings[index];
  return true;
}

Token Lexer::quoted() {
  const std::size_t begin = at_;
  const char quote = text_[at_++];
  std::string value;
  while (at_ < text_.size() && text_[at_] != quote) {
    const std::size_t from = at_;
    const char c = text_[at_++];
    if (c != '\\')
      value += c;
    else if (!escape(value))
      return bad(from, "is no escape", "escapes are \\n \\t \\r \\\\ \\' \\\" \\/ \\uXXXX; a backslash is `\\\\`");
  }
  if (at_ == text_.size()) return bad(begin, "is text without a closing quote", std::string("end it with ") + quote);
  ++at_;
  Token result = token(TokenKind::Literal, begin);
  result.value = Value(std::move(value));
  return result;
}

Token Lexer::symbol() {
  const std::size_t begin = at_;
  const std::string_view two = text_.substr(at_, 2);
  if (two == "}}") {
    at_ += 2;
    return token(TokenKind::End, begin);
  }
  for (const std::string_view known : {"==", "!=", "<=", ">=", "&&", "||"})
    if (two == known) {
      at_ += 2;
      return token(TokenKind::Symbol, begin);
    }
  ++at_;
  const char c = text_[begin];
  if (std::string_view("<>!+-*/%()[],.?:").find(c) != std::string_view::npos) return token(TokenKind::Symbol, begin);
  while (at_ < text_.size() && (static_cast<unsigned char>(text_[at_]) & 0xc0U) == 0x80U) ++at_;
  const auto foreign =
      std::find_if(kForeign.begin(), kForeign.end(), [c](const Correction& row) { return row.symbol[0] == c; });
  return bad(begin, "has no meaning in an expression", foreign == kForeign.end() ? "" : std::string(foreign->help));
}

}  // namespace slipway::dag
