#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "ml/io/jinja.h"
#include "ml/io/jinja_lexer.h"

namespace slipway::ml::jinja {
namespace {

constexpr int kDepthMax = 200;
constexpr std::array<std::string_view, 19> kFilters = {
    "trim", "tojson", "length", "count", "upper",   "lower", "join",  "first",      "last", "default",
    "d",    "string", "list",   "items", "replace", "int",   "title", "capitalize", "safe"};
constexpr std::array<std::string_view, 16> kTests = {
    "defined", "undefined", "none", "string", "mapping", "iterable", "sequence", "number",
    "integer", "boolean",   "true", "false",  "equalto", "eq",       "in",       "ne"};

template <std::size_t N>
bool contains(const std::array<std::string_view, N>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

ExpressionPtr make(ExpressionKind kind, std::string text = {}) {
  auto expression = std::make_unique<Expression>();
  expression->kind = kind;
  expression->text = std::move(text);
  return expression;
}

ExpressionPtr literal(Value value) {
  auto expression = make(ExpressionKind::Literal);
  expression->value = std::move(value);
  return expression;
}

template <class... Operands>
ExpressionPtr make_with(ExpressionKind kind, std::string text, Operands... operands) {
  auto expression = make(kind, std::move(text));
  (expression->operands.push_back(std::move(operands)), ...);
  return expression;
}

using Parsed = Result<ExpressionPtr>;

class Parser {
 public:
  explicit Parser(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  // Nodes up to one of `ends` (whose tag is left open after its name) or the end of the template.
  Result<Block> block(const std::vector<std::string_view>& ends, std::string& end) {
    Block nodes;
    end.clear();
    if (++depth_ > kDepthMax) return error("nested too deeply");
    while (peek().kind != TokenKind::End) {
      Node node;
      if (peek().kind == TokenKind::Text) {
        node.text = next().text;
      } else if (peek().kind == TokenKind::OutputBegin) {
        next();
        node.kind = Node::Kind::Output;
        SLIPWAY_TRY_ASSIGN(node.expression, expression());
        SLIPWAY_TRY(expect(TokenKind::OutputEnd, "}}"));
      } else {
        SLIPWAY_TRY(expect(TokenKind::TagBegin, "{%"));
        const std::string name = peek().text;
        SLIPWAY_TRY(expect(TokenKind::Name, "a statement"));
        if (std::find(ends.begin(), ends.end(), name) != ends.end()) {
          end = name;
          --depth_;
          return nodes;
        }
        SLIPWAY_TRY_ASSIGN(const bool kept, statement(name, node));
        if (!kept) continue;
      }
      nodes.push_back(std::move(node));
    }
    --depth_;
    if (!ends.empty()) return error(fmt::format("`{}` is missing", ends.back()));
    return nodes;
  }

 private:
  [[nodiscard]] const Token& peek(std::size_t ahead = 0) const {
    return tokens_[std::min(at_ + ahead, tokens_.size() - 1)];
  }
  const Token& next() { return tokens_[std::min(at_++, tokens_.size() - 1)]; }
  [[nodiscard]] bool at_operator(std::string_view text) const {
    return peek().kind == TokenKind::Operator && peek().text == text;
  }
  [[nodiscard]] bool at_name(std::string_view text) const {
    return peek().kind == TokenKind::Name && peek().text == text;
  }
  bool take_operator(std::string_view text) {
    if (!at_operator(text)) return false;
    ++at_;
    return true;
  }
  bool take_name(std::string_view text) {
    if (!at_name(text)) return false;
    ++at_;
    return true;
  }

  [[nodiscard]] Error error(std::string_view problem, ErrorCode code = ErrorCode::InvalidArgument) const {
    return {code, fmt::format("line {}: {}", peek().line, problem), {}};
  }
  Result<void> expect(TokenKind kind, std::string_view what) {
    if (peek().kind != kind) return error(fmt::format("expected {} before `{}`", what, peek().text));
    ++at_;
    return {};
  }
  Result<void> expect_operator(std::string_view text) {
    if (!take_operator(text)) return error(fmt::format("expected `{}` before `{}`", text, peek().text));
    return {};
  }
  Result<void> end_tag() { return expect(TokenKind::TagEnd, "%}"); }
  Result<std::string> name() {
    std::string text = peek().text;
    SLIPWAY_TRY(expect(TokenKind::Name, "a name"));
    return text;
  }

  // False: the statement leaves nothing behind ({% generation %} only marks text).
  Result<bool> statement(const std::string& keyword, Node& node) {
    if (keyword == "if") return if_statement(node);
    if (keyword == "for") return for_statement(node);
    if (keyword == "set") return set_statement(node);
    if (keyword == "break" || keyword == "continue") {
      node.kind = keyword == "break" ? Node::Kind::Break : Node::Kind::Continue;
      SLIPWAY_TRY(end_tag());
      return true;
    }
    if (keyword == "generation" || keyword == "endgeneration") {
      SLIPWAY_TRY(end_tag());
      return false;
    }
    return error(fmt::format("the statement `{}` is not in the subset", keyword), ErrorCode::Unsupported);
  }

  Result<bool> if_statement(Node& node) {
    node.kind = Node::Kind::If;
    SLIPWAY_TRY_ASSIGN(node.expression, expression());
    SLIPWAY_TRY(end_tag());
    std::string end;
    SLIPWAY_TRY_ASSIGN(node.body, block({"elif", "else", "endif"}, end));
    if (end == "elif") {
      Node nested;
      SLIPWAY_TRY(if_statement(nested));
      node.otherwise.push_back(std::move(nested));
      return true;
    }
    SLIPWAY_TRY(end_tag());
    if (end == "endif") return true;
    SLIPWAY_TRY_ASSIGN(node.otherwise, block({"endif"}, end));
    SLIPWAY_TRY(end_tag());
    return true;
  }

  Result<bool> for_statement(Node& node) {
    node.kind = Node::Kind::For;
    do {
      SLIPWAY_TRY_ASSIGN(std::string variable, name());
      node.names.push_back(std::move(variable));
    } while (take_operator(","));
    if (!take_name("in")) return error("expected `in`");
    SLIPWAY_TRY_ASSIGN(node.expression, either());
    if (take_name("if")) {
      SLIPWAY_TRY_ASSIGN(node.filter, either());
    }
    if (at_name("recursive")) return error("recursive loops are not in the subset", ErrorCode::Unsupported);
    SLIPWAY_TRY(end_tag());
    std::string end;
    SLIPWAY_TRY_ASSIGN(node.body, block({"else", "endfor"}, end));
    SLIPWAY_TRY(end_tag());
    if (end == "endfor") return true;
    SLIPWAY_TRY_ASSIGN(node.otherwise, block({"endfor"}, end));
    SLIPWAY_TRY(end_tag());
    return true;
  }

  Result<bool> set_statement(Node& node) {
    node.kind = Node::Kind::Set;
    SLIPWAY_TRY_ASSIGN(node.text, name());
    if (take_operator(".")) {
      SLIPWAY_TRY_ASSIGN(node.member, name());
    }
    if (!take_operator("=")) return error("only `set name = value` is in the subset", ErrorCode::Unsupported);
    SLIPWAY_TRY_ASSIGN(node.expression, expression());
    SLIPWAY_TRY(end_tag());
    return true;
  }

  // a if c else b
  Parsed expression() {
    if (++depth_ > kDepthMax) return error("nested too deeply");
    SLIPWAY_TRY_ASSIGN(ExpressionPtr value, either());
    while (take_name("if")) {
      SLIPWAY_TRY_ASSIGN(ExpressionPtr condition, either());
      ExpressionPtr otherwise;
      if (take_name("else")) {
        SLIPWAY_TRY_ASSIGN(otherwise, expression());
      }
      value = make_with(ExpressionKind::Choice, "", std::move(value), std::move(condition), std::move(otherwise));
    }
    --depth_;
    return value;
  }

  Parsed either() {
    SLIPWAY_TRY_ASSIGN(ExpressionPtr left, both());
    while (take_name("or")) {
      SLIPWAY_TRY_ASSIGN(ExpressionPtr right, both());
      left = make_with(ExpressionKind::Binary, "or", std::move(left), std::move(right));
    }
    return left;
  }

  Parsed both() {
    SLIPWAY_TRY_ASSIGN(ExpressionPtr left, negation());
    while (take_name("and")) {
      SLIPWAY_TRY_ASSIGN(ExpressionPtr right, negation());
      left = make_with(ExpressionKind::Binary, "and", std::move(left), std::move(right));
    }
    return left;
  }

  Parsed negation() {
    if (!take_name("not")) return comparison();
    if (++depth_ > kDepthMax) return error("nested too deeply");
    SLIPWAY_TRY_ASSIGN(ExpressionPtr operand, negation());
    --depth_;
    return make_with(ExpressionKind::Unary, "not", std::move(operand));
  }

  // Empty when the next token is no comparison.
  std::string comparison_operator() {
    for (const std::string_view op : {"==", "!=", "<=", ">=", "<", ">"})
      if (take_operator(op)) return std::string(op);
    if (take_name("in")) return "in";
    if (at_name("not") && peek(1).kind == TokenKind::Name && peek(1).text == "in") {
      at_ += 2;
      return "not in";
    }
    return {};
  }

  Parsed comparison() {
    SLIPWAY_TRY_ASSIGN(ExpressionPtr left, binary(0));
    for (std::string op = comparison_operator(); !op.empty(); op = comparison_operator()) {
      SLIPWAY_TRY_ASSIGN(ExpressionPtr right, binary(0));
      left = make_with(ExpressionKind::Binary, op, std::move(left), std::move(right));
    }
    return left;
  }

  // Levels of precedence, loosest first.
  Parsed binary(std::size_t level) {
    static const std::vector<std::vector<std::string_view>> kLevels = {{"+", "-"}, {"~"}, {"*", "//", "/", "%"}};
    if (level == kLevels.size()) return unary();
    SLIPWAY_TRY_ASSIGN(ExpressionPtr left, binary(level + 1));
    for (;;) {
      const auto& ops = kLevels[level];
      const auto op = std::find_if(ops.begin(), ops.end(), [&](std::string_view one) { return at_operator(one); });
      if (op == ops.end()) return left;
      ++at_;
      SLIPWAY_TRY_ASSIGN(ExpressionPtr right, binary(level + 1));
      left = make_with(ExpressionKind::Binary, std::string(*op), std::move(left), std::move(right));
    }
  }

  Parsed unary() {
    if (at_operator("-") || at_operator("+")) {
      const std::string op = next().text;
      if (++depth_ > kDepthMax) return error("nested too deeply");
      SLIPWAY_TRY_ASSIGN(ExpressionPtr operand, unary());
      --depth_;
      return make_with(ExpressionKind::Unary, op, std::move(operand));
    }
    SLIPWAY_TRY_ASSIGN(ExpressionPtr value, primary());
    return postfix(std::move(value));
  }

  Parsed primary() {
    const Token token = next();
    if (token.kind == TokenKind::Number) return literal(token.value);
    if (token.kind == TokenKind::String) {
      std::string text = token.text;
      while (peek().kind == TokenKind::String) text += next().text;
      return literal(std::move(text));
    }
    if (token.kind == TokenKind::Name) {
      if (token.text == "true" || token.text == "True") return literal(true);
      if (token.text == "false" || token.text == "False") return literal(false);
      if (token.text == "none" || token.text == "None") return literal(nullptr);
      return make(ExpressionKind::Name, token.text);
    }
    if (token.kind == TokenKind::Operator && token.text == "(") return parenthesis();
    if (token.kind == TokenKind::Operator && token.text == "[") return list("]");
    if (token.kind == TokenKind::Operator && token.text == "{") return dict();
    --at_;
    return error(fmt::format("expected a value before `{}`", token.text));
  }

  Parsed parenthesis() {
    SLIPWAY_TRY_ASSIGN(ExpressionPtr value, expression());
    if (!at_operator(",")) {
      SLIPWAY_TRY(expect_operator(")"));
      return value;
    }
    next();
    SLIPWAY_TRY_ASSIGN(ExpressionPtr tuple, list(")"));
    tuple->operands.insert(tuple->operands.begin(), std::move(value));
    return tuple;
  }

  Parsed list(std::string_view close) {
    auto result = make(ExpressionKind::List);
    while (!take_operator(close)) {
      SLIPWAY_TRY_ASSIGN(ExpressionPtr item, expression());
      result->operands.push_back(std::move(item));
      if (!at_operator(close)) SLIPWAY_TRY(expect_operator(","));
    }
    return result;
  }

  Parsed dict() {
    auto result = make(ExpressionKind::Dict);
    while (!take_operator("}")) {
      SLIPWAY_TRY_ASSIGN(ExpressionPtr key, expression());
      SLIPWAY_TRY(expect_operator(":"));
      SLIPWAY_TRY_ASSIGN(ExpressionPtr value, expression());
      result->operands.push_back(std::move(key));
      result->operands.push_back(std::move(value));
      if (!at_operator("}")) SLIPWAY_TRY(expect_operator(","));
    }
    return result;
  }

  Parsed postfix(ExpressionPtr value) {
    for (;;) {
      if (take_operator(".")) {
        SLIPWAY_TRY_ASSIGN(std::string member, name());
        value = make_with(ExpressionKind::Member, std::move(member), std::move(value));
      } else if (take_operator("[")) {
        SLIPWAY_TRY_ASSIGN(value, subscript(std::move(value)));
      } else if (take_operator("(")) {
        value = make_with(ExpressionKind::Call, "", std::move(value));
        SLIPWAY_TRY(arguments(*value));
      } else if (take_operator("|")) {
        SLIPWAY_TRY_ASSIGN(value, filter(std::move(value)));
      } else if (take_name("is")) {
        SLIPWAY_TRY_ASSIGN(value, test(std::move(value)));
      } else {
        return value;
      }
    }
  }

  Parsed subscript(ExpressionPtr value) {
    std::vector<ExpressionPtr> bounds(1);
    bool slice = false;
    while (!at_operator("]")) {
      if (take_operator(":")) {
        slice = true;
        bounds.emplace_back();
        if (bounds.size() > 3) return error("a slice has at most three parts");
        continue;
      }
      SLIPWAY_TRY_ASSIGN(bounds.back(), expression());
      if (!at_operator("]") && !at_operator(":")) return error("expected `]`");
    }
    next();
    if (!slice && bounds[0] == nullptr) return error("an empty subscript");
    if (!slice) return make_with(ExpressionKind::Subscript, "", std::move(value), std::move(bounds[0]));
    bounds.resize(3);
    return make_with(ExpressionKind::Slice, "", std::move(value), std::move(bounds[0]), std::move(bounds[1]),
                     std::move(bounds[2]));
  }

  // After the opening parenthesis.
  Result<void> arguments(Expression& call) {
    while (!take_operator(")")) {
      std::string keyword;
      if (peek().kind == TokenKind::Name && peek(1).kind == TokenKind::Operator && peek(1).text == "=") {
        keyword = next().text;
        next();
      }
      SLIPWAY_TRY_ASSIGN(ExpressionPtr argument, expression());
      call.operands.push_back(std::move(argument));
      call.names.push_back(std::move(keyword));
      if (!at_operator(")")) SLIPWAY_TRY(expect_operator(","));
    }
    return {};
  }

  Parsed filter(ExpressionPtr value) {
    SLIPWAY_TRY_ASSIGN(const std::string filter_name, name());
    if (!contains(kFilters, filter_name))
      return error(fmt::format("the filter `{}` is not in the subset", filter_name), ErrorCode::Unsupported);
    auto result = make_with(ExpressionKind::Filter, filter_name, std::move(value));
    if (take_operator("(")) SLIPWAY_TRY(arguments(*result));
    return result;
  }

  Parsed test(ExpressionPtr value) {
    const bool negated = take_name("not");
    SLIPWAY_TRY_ASSIGN(const std::string test_name, name());
    if (!contains(kTests, test_name))
      return error(fmt::format("the test `{}` is not in the subset", test_name), ErrorCode::Unsupported);
    auto result = make_with(ExpressionKind::Test, test_name, std::move(value));
    if (take_operator("(")) SLIPWAY_TRY(arguments(*result));
    return negated ? make_with(ExpressionKind::Unary, "not", std::move(result)) : std::move(result);
  }

  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace

Result<Block> parse_template(std::string_view source) {
  SLIPWAY_TRY_ASSIGN(std::vector<Token> tokens, tokenize(source));
  std::string end;
  return Parser(std::move(tokens)).block({}, end);
}

}  // namespace slipway::ml::jinja
