#include "ml/io/jinja_lexer.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace slipway::ml::jinja {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";

bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(source) {
    if (source_.ends_with('\n')) source_.remove_suffix(1);  // keep_trailing_newline is off
  }

  Result<std::vector<Token>> run() {
    while (at_ < source_.size()) {
      const std::size_t open = find_open(at_);
      take_text(open);
      if (open == std::string_view::npos) break;
      SLIPWAY_TRY(take_tag(open));
    }
    add(TokenKind::End);
    return std::move(tokens_);
  }

 private:
  [[nodiscard]] std::size_t find_open(std::size_t from) const {
    for (std::size_t i = from; i + 1 < source_.size(); ++i)
      if (source_[i] == '{' && (source_[i + 1] == '{' || source_[i + 1] == '%' || source_[i + 1] == '#')) return i;
    return std::string_view::npos;
  }

  Token& add(TokenKind kind, std::string text = {}) {
    const auto lines =
        std::count(source_.begin(), source_.begin() + static_cast<std::ptrdiff_t>(std::min(at_, source_.size())), '\n');
    return tokens_.emplace_back(Token{kind, std::move(text), {}, static_cast<int>(lines) + 1});
  }

  // Text up to `open`, with what the tags on both sides say about its blanks.
  void take_text(std::size_t open) {
    const bool last = open == std::string_view::npos;
    std::string_view text = source_.substr(at_, last ? std::string_view::npos : open - at_);
    if (std::exchange(strip_next_, false)) {
      text.remove_prefix(std::min(text.find_first_not_of(kBlanks), text.size()));
    } else if (std::exchange(trim_newline_, false) && text.starts_with('\n')) {  // trim_blocks
      text.remove_prefix(1);
    }
    trim_newline_ = false;
    const char control = !last && open + 2 < source_.size() ? source_[open + 2] : ' ';
    if (control == '-') {
      text = text.substr(0, text.find_last_not_of(kBlanks) + 1);
    } else if (!last && source_[open + 1] != '{' && control != '+') {  // lstrip_blocks
      const std::size_t line = text.rfind('\n');
      const std::size_t tail = line == std::string_view::npos ? 0 : line + 1;
      const bool own_line = line != std::string_view::npos || at_ == 0;
      if (own_line && text.find_first_not_of(" \t", tail) == std::string_view::npos) text = text.substr(0, tail);
    }
    if (!text.empty()) add(TokenKind::Text, std::string(text));
  }

  Result<void> take_tag(std::size_t open) {
    at_ = open;
    const char kind = source_[open + 1];
    if (kind == '#') return take_comment();
    add(kind == '{' ? TokenKind::OutputBegin : TokenKind::TagBegin);
    at_ += 2;
    if (at_ < source_.size() && (source_[at_] == '-' || source_[at_] == '+')) ++at_;
    const std::string_view close = kind == '{' ? "}}" : "%}";
    for (int depth = 0;;) {
      at_ = std::min(source_.find_first_not_of(kBlanks, at_), source_.size());
      if (at_ >= source_.size()) return unclosed();
      const std::string_view rest = source_.substr(at_);
      const bool dash = rest[0] == '-' && rest.substr(1).starts_with(close);
      if (depth == 0 && (dash || rest.starts_with(close))) {
        at_ += close.size() + (dash ? 1 : 0);
        strip_next_ = dash;
        trim_newline_ = kind == '%';
        add(kind == '{' ? TokenKind::OutputEnd : TokenKind::TagEnd);
        return {};
      }
      SLIPWAY_TRY(take_token(depth));
    }
  }

  Result<void> take_comment() {
    const std::size_t close = source_.find("#}", at_ + 2);
    if (close == std::string_view::npos) return unclosed();
    strip_next_ = source_[close - 1] == '-' && close > at_ + 2;
    trim_newline_ = true;
    at_ = close + 2;
    return {};
  }

  [[nodiscard]] Error unclosed() const { return {ErrorCode::InvalidArgument, "a tag is not closed", {}}; }

  Result<void> take_token(int& depth) {
    const char c = source_[at_];
    if (c == '\'' || c == '"') return take_string(c);
    if (is_digit(c)) return take_number();
    std::size_t end = at_;
    while (end < source_.size() && (is_name_start(source_[end]) || (end > at_ && is_digit(source_[end])))) ++end;
    if (end > at_) {
      add(TokenKind::Name, std::string(source_.substr(at_, end - at_)));
      at_ = end;
      return {};
    }
    for (const std::string_view op : {"//", "==", "!=", "<=", ">=", "**"})
      if (source_.substr(at_).starts_with(op)) return take_operator(op);
    if (std::string_view("+-*/%~<>=()[]{},:.|").find(c) == std::string_view::npos)
      return Error{
          ErrorCode::InvalidArgument, fmt::format("line {}: unexpected `{}`", add(TokenKind::End).line, c), {}};
    depth += c == '{' || c == '(' || c == '[' ? 1 : 0;
    depth -= c == '}' || c == ')' || c == ']' ? 1 : 0;
    return take_operator(source_.substr(at_, 1));
  }

  Result<void> take_operator(std::string_view op) {
    add(TokenKind::Operator, std::string(op));
    at_ += op.size();
    return {};
  }

  Result<void> take_string(char quote) {
    std::string text;
    std::size_t i = at_ + 1;
    for (; i < source_.size() && source_[i] != quote; ++i) {
      if (source_[i] != '\\' || i + 1 == source_.size()) {
        text += source_[i];
        continue;
      }
      const char c = source_[++i];
      if (c == 'n' || c == 't' || c == 'r') {
        text += c == 'n' ? '\n' : c == 't' ? '\t' : '\r';
      } else if (c == '\\' || c == '\'' || c == '"') {
        text += c;
      } else {
        text += '\\';
        text += c;
      }
    }
    if (i >= source_.size()) return unclosed();
    add(TokenKind::String, std::move(text));
    at_ = i + 1;
    return {};
  }

  Result<void> take_number() {
    double number = 0;
    const auto [end, error] = std::from_chars(source_.data() + at_, source_.data() + source_.size(), number);
    const std::string_view text = source_.substr(at_, static_cast<std::size_t>(end - source_.data()) - at_);
    if (error != std::errc() || number > 1e15) return Error{ErrorCode::InvalidArgument, "a number is too large", {}};
    const bool whole = text.find_first_not_of("0123456789") == std::string_view::npos;
    add(TokenKind::Number).value = whole ? Value(static_cast<std::int64_t>(number)) : Value(number);
    at_ += text.size();
    return {};
  }

  std::string_view source_;
  std::size_t at_ = 0;
  bool strip_next_ = false;
  bool trim_newline_ = false;
  std::vector<Token> tokens_;
};

}  // namespace

Result<std::vector<Token>> tokenize(std::string_view source) { return Lexer(source).run(); }

}  // namespace slipway::ml::jinja
