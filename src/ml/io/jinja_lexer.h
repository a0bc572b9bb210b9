// Template text to tokens.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "slipway/base/value.h"

namespace slipway::ml::jinja {

enum class TokenKind : std::uint8_t {
  Text,         // template text outside of tags
  OutputBegin,  // {{
  OutputEnd,    // }}
  TagBegin,     // {%
  TagEnd,       // %}
  Name,
  String,
  Number,    // value holds it
  Operator,  // text: one of + - * / // % ~ == != <= >= < > = ( ) [ ] { } , : . |
  End,
};

struct Token {
  TokenKind kind = TokenKind::End;
  std::string text;
  Value value;
  int line = 1;
};

// Whitespace control is applied (-, trim_blocks, lstrip_blocks), comments are gone.
[[nodiscard]] Result<std::vector<Token>> tokenize(std::string_view source);

}  // namespace slipway::ml::jinja
