// Parsed expressions. A node tree is valid by construction: functions exist and have arguments in number, names have
// known roots.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "slipway/base/enum_table.h"
#include "slipway/base/value.h"

namespace slipway::dag {

struct Function;

enum class Op : unsigned char {
  Or,
  And,
  Equal,
  NotEqual,
  Less,
  LessEqual,
  Greater,
  GreaterEqual,
  Add,
  Subtract,
  Multiply,
  Divide,
  Remainder,
  Not,
  Negate,
};
inline constexpr EnumTable<Op, 15> kOps{{{
    {Op::Or, "||", "or; the right side is not evaluated after true"},
    {Op::And, "&&", "and; the right side is not evaluated after false"},
    {Op::Equal, "==", "equal"},
    {Op::NotEqual, "!=", "not equal"},
    {Op::Less, "<", "less"},
    {Op::LessEqual, "<=", "less or equal"},
    {Op::Greater, ">", "greater"},
    {Op::GreaterEqual, ">=", "greater or equal"},
    {Op::Add, "+", "sum; two strings are joined"},
    {Op::Subtract, "-", "difference"},
    {Op::Multiply, "*", "product"},
    {Op::Divide, "/", "quotient; an integer where two integers divide evenly"},
    {Op::Remainder, "%", "remainder of integers, with the sign of the left side"},
    {Op::Not, "!", "not"},
    {Op::Negate, "-", "the negative"},
}}};

enum class NodeKind : unsigned char { Literal, Name, List, Index, Call, Unary, Binary, Conditional };

struct Node {
  NodeKind kind = NodeKind::Literal;
  std::size_t begin = 0;  // bytes of the template's text
  std::size_t end = 0;
  int depth = 1;
  Value literal;                       // Literal
  std::vector<std::string> path;       // Name: {"tasks", "train", "outputs", "loss"}
  const Function* function = nullptr;  // Call
  Op op = Op::Or;                      // Unary, Binary
  std::vector<Node> children;          // operands in order; Index: value, key; Conditional: condition, then, else
};

// Literal text, or an expression with its brackets.
struct Piece {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::optional<Node> expression;
};

struct SyntaxError {
  std::string code;
  std::size_t begin = 0;
  std::size_t end = 0;
  std::string message;
  std::string help;
};

// Pieces cover the text in order. Where an expression has errors, its piece is left out.
struct ParsedTemplate {
  std::vector<Piece> pieces;
  std::vector<SyntaxError> errors;

  [[nodiscard]] bool is_one_expression() const { return pieces.size() == 1 && pieces.front().expression.has_value(); }
};

[[nodiscard]] ParsedTemplate parse_template(std::string_view text);

}  // namespace slipway::dag
