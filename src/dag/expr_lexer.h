// Words and symbols of an expression.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "slipway/base/value.h"

namespace slipway::dag {

enum class TokenKind : unsigned char { End, Cut, Bad, Literal, Word, Symbol };

struct Token {
  TokenKind kind = TokenKind::Cut;  // End is }}, Cut the end of the text without it
  std::size_t begin = 0;
  std::size_t end = 0;
  std::string_view text;  // as written
  Value value;            // Literal
  std::string problem;    // Bad
  std::string help;

  [[nodiscard]] bool is(std::string_view symbol) const { return kind == TokenKind::Symbol && text == symbol; }
};

class Lexer {
 public:
  Lexer(std::string_view text, std::size_t at) : text_(text), at_(at) {}

  Token next();
  // The same, but a word may begin with a digit and hold hyphens, as task ids do.
  Token next_id();

 private:
  void skip_space();
  Token token(TokenKind kind, std::size_t begin);
  Token bad(std::size_t begin, std::string problem, std::string help);
  Token number();
  Token quoted();
  Token symbol();
  bool escape(std::string& out);
  bool unicode(std::string& out);
  int hex4();

  std::string_view text_;
  std::size_t at_;
};

}  // namespace slipway::dag
