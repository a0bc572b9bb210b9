// The subset of Jinja that chat templates are written in: output, if, for, set; expressions with operators, filters,
// tests, subscripts, slices and a few functions and methods.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "slipway/base/value.h"

namespace slipway::ml::jinja {

struct Expression;
using ExpressionPtr = std::unique_ptr<Expression>;

enum class ExpressionKind : std::uint8_t {
  Literal,    // value
  Name,       // text
  Member,     // operands[0].text
  Subscript,  // operands[0][operands[1]]
  Slice,      // operands[0][operands[1]:operands[2]:operands[3]], each bound may be null
  Call,       // operands[0](operands[1..], names give keyword arguments)
  Filter,     // operands[0] | text(operands[1..])
  Test,       // operands[0] is text(operands[1..])
  Unary,      // text operands[0]: not, -, +
  Binary,     // operands[0] text operands[1]
  Choice,     // operands[0] if operands[1] else operands[2] (may be null)
  List,       // [operands...]
  Dict,       // {operands[2i]: operands[2i+1]}
};

struct Expression {
  ExpressionKind kind = ExpressionKind::Literal;
  std::string text;
  Value value;
  std::vector<ExpressionPtr> operands;
  std::vector<std::string> names;  // Call: the keyword of each argument, empty for a positional one
};

struct Node;
using Block = std::vector<Node>;

struct Node {
  enum class Kind : std::uint8_t { Text, Output, If, For, Set, Break, Continue };
  Kind kind = Kind::Text;
  std::string text;                // Text; Set: the variable
  std::string member;              // Set: of a namespace, else empty
  std::vector<std::string> names;  // For: loop variables
  ExpressionPtr expression;        // Output, If, For (what is iterated), Set
  ExpressionPtr filter;            // For … if
  Block body;
  Block otherwise;  // If, For: else (elif is a nested If)
};

// InvalidArgument (no Jinja) or Unsupported (no Jinja of this subset), naming the line.
[[nodiscard]] Result<Block> parse_template(std::string_view source);

// The text that the template makes of the variables. InvalidArgument: raise_exception, or an operation on the wrong
// type.
[[nodiscard]] Result<std::string> render(const Block& block, const Value& variables);

}  // namespace slipway::ml::jinja
