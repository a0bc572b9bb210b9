#include <algorithm>
#include <array>

#include "dag/expr_ast.h"
#include "dag/expr_functions.h"
#include "dag/expr_lexer.h"
#include "dag/quoted.h"
#include "slipway/base/diagnostics.h"

namespace slipway::dag {
namespace {

// Of nested brackets and of the tree, so that no later walk over it can exhaust the stack.
constexpr int kDepthMax = 200;

struct Root {
  std::string_view name;
  std::size_t words;  // of a full name
};
constexpr std::array<Root, 10> kRoots{{{"params", 2},
                                       {"vars", 2},
                                       {"secrets", 2},
                                       {"run", 2},
                                       {"dag", 2},
                                       {"env", 2},
                                       {"tasks", 3},
                                       {"outputs", 2},
                                       {"item", 1},
                                       {"index", 1}}};

// Loosest first; operators of one row bind alike, to the left.
struct Level {
  std::array<Op, 4> ops;
  std::size_t count;
};
constexpr std::array<Level, 6> kLevels{{{{Op::Or}, 1},
                                        {{Op::And}, 1},
                                        {{Op::Equal, Op::NotEqual}, 2},
                                        {{Op::Less, Op::LessEqual, Op::Greater, Op::GreaterEqual}, 4},
                                        {{Op::Add, Op::Subtract}, 2},
                                        {{Op::Multiply, Op::Divide, Op::Remainder}, 3}}};

struct Correction {
  std::string_view word;
  std::string_view help;
};
// What other languages write behind an operand, or as one.
constexpr std::array<Correction, 9> kForeign{{{"and", "write `&&`"},
                                              {"or", "write `||`"},
                                              {"not", "write `!`"},
                                              {"is", "write `==`"},
                                              {"in", "write `contains(list, value)`"},
                                              {"if", "write `condition ? value : other`"},
                                              {"True", "write `true`"},
                                              {"False", "write `false`"},
                                              {"None", "write `null`"}}};

// What other languages call our functions, as far as the spelling does not tell.
constexpr std::array<Correction, 10> kForeignFunctions{{{"length", "len"},
                                                        {"size", "len"},
                                                        {"count", "len"},
                                                        {"coalesce", "default"},
                                                        {"str", "string"},
                                                        {"float", "number"},
                                                        {"strip", "trim"},
                                                        {"sha256", "hash"},
                                                        {"fromJSON", "json"},
                                                        {"toJSON", "to_json"}}};

std::string foreign_help(std::string_view word) {
  const auto row =
      std::find_if(kForeign.begin(), kForeign.end(), [word](const Correction& each) { return each.word == word; });
  return row == kForeign.end() ? std::string() : std::string(row->help);
}

// Parses one expression, from behind its opening brackets to behind its closing ones.
class Parser {
 public:
  Parser(std::string_view text, std::size_t at, std::vector<SyntaxError>& errors)
      : text_(text), start_(at - 3), lexer_(text, at), errors_(errors) {
    advance();
  }

  std::optional<Node> parse() {
    const std::size_t errors_before = errors_.size();
    Node node;
    if (token_.kind == TokenKind::End)
      fail(start_, token_.end, "the expression is empty", "write a name, such as `${{ params.limit }}`");
    else
      node = expression();
    if (!failed_ && token_.kind != TokenKind::End) unexpected();
    while (token_.kind != TokenKind::End && token_.kind != TokenKind::Cut) token_ = lexer_.next();
    return errors_.size() == errors_before ? std::optional(std::move(node)) : std::nullopt;
  }
  [[nodiscard]] std::size_t end() const { return token_.end; }

 private:
  // --- errors: the first syntax error ends an expression, unknown names do not
  void report(std::string code, std::size_t begin, std::size_t end, std::string message, std::string help) {
    if (!failed_) errors_.push_back({std::move(code), begin, end, std::move(message), std::move(help)});
  }
  void fail(std::size_t begin, std::size_t end, std::string message, std::string help = {}) {
    report("expr-syntax", begin, end, std::move(message), std::move(help));
    failed_ = true;
  }
  void unexpected() {
    if (token_.kind == TokenKind::Bad)
      return fail(token_.begin, token_.end, quoted(token_.text) + " " + token_.problem, token_.help);
    if (token_.kind == TokenKind::Cut)
      return fail(start_, start_ + 3, "`${{` is never closed", "end the expression with `}}`");
    if (token_.kind == TokenKind::End) return fail(token_.begin, token_.end, "a value is missing before `}}`");
    fail(token_.begin, token_.end, quoted(token_.text) + " is not expected here", foreign_help(token_.text));
  }
  bool expect(std::string_view symbol) {
    if (failed_) return false;
    if (token_.is(symbol)) {
      advance();
      return true;
    }
    if (token_.kind != TokenKind::Bad && token_.kind != TokenKind::Cut)
      fail(token_.begin, token_.end, quoted(symbol) + " is missing before " + quoted(token_.text),
           foreign_help(token_.text));
    else
      unexpected();
    return false;
  }

  void advance() {
    last_end_ = token_.end;
    token_ = lexer_.next();
  }
  Node finish(Node node, std::size_t begin) {
    node.begin = begin;
    node.end = std::max(begin, last_end_);
    for (const Node& child : node.children) node.depth = std::max(node.depth, child.depth + 1);
    if (node.depth > kDepthMax)
      fail(begin, node.end, "the expression is nested deeper than " + std::to_string(kDepthMax), "split it");
    return node;
  }

  Node expression() {
    if (++nesting_ > kDepthMax)
      fail(token_.begin, token_.end, "the expression is nested deeper than " + std::to_string(kDepthMax), "split it");
    Node node = failed_ ? Node() : conditional();
    --nesting_;
    return node;
  }

  Node conditional() {
    const std::size_t begin = token_.begin;
    Node condition = binary(0);
    if (failed_ || !token_.is("?")) return condition;
    advance();
    Node node;
    node.kind = NodeKind::Conditional;
    node.children.push_back(std::move(condition));
    node.children.push_back(expression());
    if (expect(":")) node.children.push_back(expression());
    return finish(std::move(node), begin);
  }

  std::optional<Op> operator_of(const Level& level) const {
    if (token_.kind != TokenKind::Symbol) return std::nullopt;
    for (std::size_t i = 0; i < level.count; ++i)
      if (kOps.text(level.ops[i]) == token_.text) return level.ops[i];
    return std::nullopt;
  }

  Node binary(std::size_t level) {
    if (level == kLevels.size()) return unary();
    const std::size_t begin = token_.begin;
    Node left = binary(level + 1);
    while (!failed_) {
      const auto op = operator_of(kLevels[level]);
      if (!op) break;
      advance();
      Node node;
      node.kind = NodeKind::Binary;
      node.op = *op;
      node.children.push_back(std::move(left));
      node.children.push_back(binary(level + 1));
      left = finish(std::move(node), begin);
    }
    return left;
  }

  Node unary() {
    if (!token_.is("!") && !token_.is("-")) return postfix();
    const std::size_t begin = token_.begin;
    Node node;
    node.kind = NodeKind::Unary;
    node.op = token_.is("!") ? Op::Not : Op::Negate;
    advance();
    if (++nesting_ > kDepthMax)
      fail(begin, token_.begin, "the expression is nested deeper than " + std::to_string(kDepthMax), "split it");
    else
      node.children.push_back(unary());
    --nesting_;
    return finish(std::move(node), begin);
  }

  // How many more words the name in `node` may take.
  static std::size_t words_left(const Node& node) {
    if (node.kind != NodeKind::Name) return 0;
    const auto root =
        std::find_if(kRoots.begin(), kRoots.end(), [&](const Root& each) { return each.name == node.path.front(); });
    const std::size_t words = node.path.size() >= 3 && node.path[2] == "outputs" ? 4 : root->words;
    return words - std::min(words, node.path.size());
  }

  Node postfix() {
    const std::size_t begin = token_.begin;
    Node node = primary();
    while (!failed_ && (token_.is(".") || token_.is("["))) {
      Node key = token_.is(".") ? member(node) : subscript();
      if (failed_) break;
      if (words_left(node) > 0 && key.kind == NodeKind::Literal && key.literal.is_string()) {
        node.path.push_back(key.literal.as_string());
        node = finish(std::move(node), begin);
      } else {
        refuse_all_secrets(node);
        Node index;
        index.kind = NodeKind::Index;
        index.children.push_back(std::move(node));
        index.children.push_back(std::move(key));
        node = finish(std::move(index), begin);
      }
    }
    refuse_all_secrets(node);
    return node;
  }

  void refuse_all_secrets(const Node& node) {
    if (node.kind == NodeKind::Name && node.path.size() == 1 && node.path.front() == "secrets")
      report("expr-type", node.begin, node.end, "`secrets` cannot be read as a whole", "name one: `secrets.NAME`");
  }

  Node member(const Node& of) {
    const bool is_id = of.kind == NodeKind::Name && of.path.size() == 1 && of.path.front() == "tasks";
    last_end_ = token_.end;
    token_ = is_id ? lexer_.next_id() : lexer_.next();
    Node key;
    if (token_.kind != TokenKind::Word) {
      fail(token_.begin, token_.end, "a name is missing after `.`", "other keys stand in brackets: `['a key']`, `[0]`");
      return key;
    }
    key.literal = Value(token_.text);
    const std::size_t begin = token_.begin;
    advance();
    return finish(std::move(key), begin);
  }

  Node subscript() {
    advance();
    Node key = expression();
    expect("]");
    return key;
  }

  Node primary() {
    const std::size_t begin = token_.begin;
    if (token_.kind == TokenKind::Literal) {
      Node node;
      node.literal = std::move(token_.value);
      advance();
      return finish(std::move(node), begin);
    }
    if (token_.is("(")) {
      advance();
      Node node = expression();
      expect(")");
      return node;
    }
    if (token_.is("[")) {
      Node node;
      node.kind = NodeKind::List;
      advance();
      node.children = items("]");
      return finish(std::move(node), begin);
    }
    if (token_.kind == TokenKind::Word && foreign_help(token_.text).empty()) return word();
    unexpected();
    return {};
  }

  // Comma-separated, up to and with `close`.
  std::vector<Node> items(std::string_view close) {
    std::vector<Node> nodes;
    while (!failed_ && !token_.is(close)) {
      nodes.push_back(expression());
      if (failed_ || token_.is(close)) break;
      expect(",");
    }
    expect(close);
    return nodes;
  }

  Node word() {
    const Token name = token_;
    advance();
    Node node;
    if (token_.is("(")) return call(name);
    if (name.text == "true" || name.text == "false") {
      node.literal = Value(name.text == "true");
    } else if (name.text != "null") {
      node.kind = NodeKind::Name;
      node.path.emplace_back(name.text);
      if (std::none_of(kRoots.begin(), kRoots.end(), [&](const Root& root) { return root.name == name.text; })) {
        report("unknown-name", name.begin, name.end, quoted(name.text) + " is no name", root_help(name.text));
        node.path.front() = "item";
      }
    }
    return finish(std::move(node), name.begin);
  }

  static std::string root_help(std::string_view word) {
    std::vector<std::string> known{"true", "false", "null"};
    std::string list;
    for (const Root& root : kRoots) {
      known.emplace_back(root.name);
      list += (list.empty() ? "" : " ") + std::string(root.name);
    }
    if (const auto close = nearest(word, known)) return "did you mean " + quoted(*close) + "?";
    return find_function(word) != nullptr
               ? "a function takes its arguments in brackets: `" + std::string(find_function(word)->signature) + "`"
               : "text stands in quotes; names begin with " + list;
  }

  Node call(const Token& name) {
    Node node;
    node.kind = NodeKind::Call;
    node.function = find_function(name.text);
    if (node.function == nullptr) report_unknown_function(name);
    advance();
    node.children = items(")");
    node = finish(std::move(node), name.begin);
    const int count = static_cast<int>(node.children.size());
    if (node.function != nullptr && (count < node.function->arity_min || count > node.function->arity_max))
      report("expr-type", name.begin, node.end,
             quoted(name.text) + " does not take " + std::to_string(count) + (count == 1 ? " argument" : " arguments"),
             "write `" + std::string(node.function->signature) + "`: " + std::string(node.function->doc));
    return node;
  }

  void report_unknown_function(const Token& name) {
    std::vector<std::string> known;
    std::string list;
    for (const Function& function : functions()) {
      known.emplace_back(function.name);
      list += (list.empty() ? "" : " ") + std::string(function.name);
    }
    const auto foreign = std::find_if(kForeignFunctions.begin(), kForeignFunctions.end(),
                                      [&](const Correction& row) { return row.word == name.text; });
    const auto close = foreign != kForeignFunctions.end() ? std::string(foreign->help) : nearest(name.text, known);
    report("unknown-function", name.begin, name.end, quoted(name.text) + " is no function",
           close ? "did you mean " + quoted(*close) + "?" : "the functions are " + list);
  }

  std::string_view text_;
  std::size_t start_;
  Lexer lexer_;
  std::vector<SyntaxError>& errors_;
  Token token_;
  std::size_t last_end_ = 0;
  int nesting_ = 0;
  bool failed_ = false;
};

}  // namespace

ParsedTemplate parse_template(std::string_view text) {
  ParsedTemplate parsed;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t open = std::min(text.find("${{", at), text.size());
    if (open > at) parsed.pieces.push_back({at, open, std::nullopt});
    if (open == text.size()) break;
    Parser parser(text, open + 3, parsed.errors);
    if (auto node = parser.parse()) parsed.pieces.push_back({open, parser.end(), std::move(node)});
    at = parser.end();
  }
  return parsed;
}

}  // namespace slipway::dag
