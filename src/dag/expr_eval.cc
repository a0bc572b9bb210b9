#include <algorithm>
#include <cmath>
#include <set>

#include "dag/expr_ast.h"
#include "dag/expr_functions.h"
#include "dag/quoted.h"
#include "slipway/dag/expr.h"

namespace slipway::dag {
namespace {

constexpr std::size_t kStepsMax = 10'000;
constexpr std::size_t kStepsPerElement = 8;
// Text is cheap to walk over, yet not free.
constexpr std::size_t kBytesPerStep = 256;

// A value made here, or one that stands in the scope: lists of thousands of elements are not copied to be looked at.
class Operand {
 public:
  Operand(Value made) : made_(std::move(made)) {}
  explicit Operand(const Value* borrowed) : borrowed_(borrowed) {}
  [[nodiscard]] const Value& get() const { return borrowed_ != nullptr ? *borrowed_ : made_; }
  [[nodiscard]] const Value* borrowed() const { return borrowed_; }

 private:
  Value made_;
  const Value* borrowed_ = nullptr;
};

using Secrets = std::map<std::string, Secret>;

class Evaluator {
 public:
  Evaluator(std::string_view text, const Value& names, const Secrets* secrets)
      : text_(text), names_(names), secrets_(secrets) {}

  [[nodiscard]] bool read_secret() const { return read_secret_; }

  // The value of a whole expression. What went wrong with a secret is told without the text of the error, which may
  // quote it.
  Result<Operand> value_of(const Node& node) {
    auto operand = eval(node);
    if (operand || !read_secret_) return operand;
    return Error{operand.error().code, quoted(source(node)) + " has no value for the secret it reads", {}};
  }

  [[nodiscard]] Error null_error(const Node& node) const {
    return expression_error("null-value: " + quoted(source(node)) + " is null",
                            "give it a value for that case: " + quoted("default(" + source(node) + ", …)"));
  }
  [[nodiscard]] std::string source(const Node& node) const {
    return std::string(text_.substr(node.begin, node.end - node.begin));
  }

 private:
  Result<Operand> eval(const Node& node) {
    SLIPWAY_TRY(spend(1));
    switch (node.kind) {
      case NodeKind::Literal: return Operand(&node.literal);
      case NodeKind::Name: return name(node);
      case NodeKind::List: return list(node);
      case NodeKind::Index: return index(node);
      case NodeKind::Call: return call(node);
      case NodeKind::Unary: return unary(node);
      case NodeKind::Binary: return binary(node);
      case NodeKind::Conditional: return conditional(node);
    }
    return Error{ErrorCode::Internal, "a node of no kind", {}};
  }

  Result<void> spend(std::size_t steps) {
    if (steps > steps_left_)
      return Error{ErrorCode::TooLarge, "the expression takes more than " + std::to_string(kStepsMax) + " steps",
                   "do this in a task"};
    steps_left_ -= steps;
    return {};
  }
  // Looking at a value costs a step an element; the first look at a list of the scope pays for eight.
  Result<void> look_at(const Operand& operand) {
    const Value& value = operand.get();
    if (value.is_string()) return spend(value.as_string().size() / kBytesPerStep);
    if (!value.is_array() && !value.is_object()) return {};
    const bool first_look = operand.borrowed() == nullptr || seen_.insert(operand.borrowed()).second;
    const std::size_t elements = count_elements(value, first_look ? SIZE_MAX / 16 : steps_left_ + 1);
    if (first_look) steps_left_ += kStepsPerElement * elements;
    return spend(elements);
  }
  static Result<Operand> made(Value value) {
    if (weight_bytes(value, kResultBytesMax) > kResultBytesMax) return too_large_error();
    return Operand(std::move(value));
  }

  Result<Operand> name(const Node& node) {
    if (node.path.front() == "secrets") return secret(node);
    const Value* at = &names_;
    for (const std::string& word : node.path) {
      if (at->is_null()) break;
      if (at->is_array())
        return expression_error(quoted(source(node)) + ": the tasks gave a list, which has no member " + quoted(word),
                                "take that of each element: `pluck(list, '" + word + "')`");
      if (!at->is_object())
        return expression_error(quoted(source(node)) + ": " + std::string(at->type_name()) + " has no member " +
                                quoted(word));
      const Value* member = at->find(word);
      at = member == nullptr ? &kNull : member;
    }
    return Operand(at);
  }

  Result<Operand> secret(const Node& node) {
    if (secrets_ == nullptr)
      return Error{ErrorCode::Forbidden, quoted(source(node)) + " stands where no secret may be",
                   "give it to the task through `env:` or `secrets:`"};
    const auto found = node.path.size() > 1 ? secrets_->find(node.path[1]) : secrets_->end();
    if (found == secrets_->end())
      return Error{ErrorCode::NotFound, quoted(source(node)) + " is not set", "set it with `slipway secret set`"};
    read_secret_ = true;
    return made(Value(found->second.reveal()));
  }

  Result<Operand> list(const Node& node) {
    Value::Array items;
    std::size_t bytes = 0;
    for (const Node& child : node.children) {
      SLIPWAY_TRY_ASSIGN(const Operand item, eval(child));
      bytes += weight_bytes(item.get(), kResultBytesMax);
      if (bytes > kResultBytesMax) return too_large_error();
      items.push_back(item.get());
    }
    return Operand(Value(std::move(items)));
  }

  // A missing member or element is null, as is one of null.
  Result<Operand> index(const Node& node) {
    SLIPWAY_TRY_ASSIGN(const Operand of, eval(node.children[0]));
    SLIPWAY_TRY_ASSIGN(const Operand key, eval(node.children[1]));
    const Value& value = of.get();
    if (value.is_null()) return Operand(&kNull);
    const Value* found = nullptr;
    if (value.is_object() && key.get().is_string()) {
      found = value.find(key.get().as_string());
    } else if (value.is_array() && key.get().is_int()) {
      const auto size = static_cast<std::int64_t>(value.as_array().size());
      const std::int64_t at = key.get().as_int() < 0 ? key.get().as_int() + size : key.get().as_int();
      if (at >= 0 && at < size) found = &value.as_array()[static_cast<std::size_t>(at)];
    } else {
      return expression_error(quoted(source(node)) + ": " + std::string(value.type_name()) + " cannot be indexed by " +
                                  std::string(key.get().type_name()),
                              value.is_array() ? "take a member of each element: `pluck(list, 'key')`" : "");
    }
    if (found == nullptr) return Operand(&kNull);
    return of.borrowed() != nullptr ? Operand(found) : Operand(Value(*found));
  }

  Result<Operand> call(const Node& node) {
    const Function& function = *node.function;
    std::vector<Operand> operands;
    operands.reserve(node.children.size());
    for (std::size_t i = 0; i < node.children.size(); ++i) {
      SLIPWAY_TRY_ASSIGN(Operand operand, eval(node.children[i]));
      SLIPWAY_TRY(check_argument(node, i, operand.get()));
      SLIPWAY_TRY(look_at(operand));
      operands.push_back(std::move(operand));
    }
    std::vector<const Value*> arguments;
    for (const Operand& operand : operands) arguments.push_back(&operand.get());
    SLIPWAY_TRY_ASSIGN(Value value, function.body(arguments));
    return made(std::move(value));
  }

  Result<void> check_argument(const Node& node, std::size_t index, const Value& value) const {
    const TypeSet takes = node.function->takes_at(index);
    if ((set_of(type_of(value)) & takes) != 0) return {};
    if (value.is_null()) return null_error(node.children[index]);
    return expression_error("argument " + std::to_string(index + 1) + " of " + quoted(node.function->name) + " is " +
                                std::string(value.type_name()) + ", it takes " + to_text(takes),
                            quoted(node.function->signature) + ": " + std::string(node.function->doc));
  }

  Error operand_error(const Node& node, const Value& value, TypeSet takes, Op op) const {
    if (value.is_null()) return null_error(node);
    return expression_error(quoted(source(node)) + " is " + std::string(value.type_name()) + ", " +
                            quoted(kOps.text(op)) + " takes " + to_text(takes));
  }

  Result<bool> boolean(const Node& node, Op op) {
    SLIPWAY_TRY_ASSIGN(const Operand operand, eval(node));
    if (!operand.get().is_bool()) return operand_error(node, operand.get(), kTakesBoolean, op);
    return operand.get().as_bool();
  }

  Result<Operand> unary(const Node& node) {
    const Node& child = node.children[0];
    if (node.op == Op::Not) {
      SLIPWAY_TRY_ASSIGN(const bool value, boolean(child, Op::Not));
      return Operand(Value(!value));
    }
    SLIPWAY_TRY_ASSIGN(const Operand operand, eval(child));
    const Value& value = operand.get();
    if (!value.is_number()) return operand_error(child, value, kTakesNumber, Op::Negate);
    if (value.is_double()) return Operand(Value(-value.as_double()));
    return integer(node, Op::Subtract, 0, value.as_int());
  }

  Result<Operand> binary(const Node& node) {
    if (node.op == Op::Or || node.op == Op::And) {
      SLIPWAY_TRY_ASSIGN(const bool left, boolean(node.children[0], node.op));
      if (left == (node.op == Op::Or)) return Operand(Value(left));
      SLIPWAY_TRY_ASSIGN(const bool right, boolean(node.children[1], node.op));
      return Operand(Value(right));
    }
    SLIPWAY_TRY_ASSIGN(const Operand left, eval(node.children[0]));
    SLIPWAY_TRY_ASSIGN(const Operand right, eval(node.children[1]));
    if (node.op == Op::Equal || node.op == Op::NotEqual) return equality(node, left, right);
    if (node.op == Op::Add && left.get().is_string() && right.get().is_string()) {
      SLIPWAY_TRY(look_at(left));
      SLIPWAY_TRY(look_at(right));
      return made(Value(left.get().as_string() + right.get().as_string()));
    }
    const bool orders =
        node.op == Op::Less || node.op == Op::LessEqual || node.op == Op::Greater || node.op == Op::GreaterEqual;
    if (orders && left.get().is_string() && right.get().is_string()) return order(node, left.get(), right.get());
    const bool texts = orders || node.op == Op::Add;
    for (std::size_t i = 0; i < 2; ++i) {
      const Value& value = i == 0 ? left.get() : right.get();
      if (!value.is_number() && !(texts && value.is_string()))
        return operand_error(node.children[i], value, texts ? kTakesNumber | kTakesString : kTakesNumber, node.op);
    }
    if (left.get().is_string() || right.get().is_string()) return unlike(node, left.get(), right.get());
    return orders ? order(node, left.get(), right.get()) : arithmetic(node, left.get(), right.get());
  }

  Error unlike(const Node& node, const Value& left, const Value& right) const {
    return expression_error(quoted(source(node)) + " has " + std::string(left.type_name()) + " on its left and " +
                                std::string(right.type_name()) + " on its right",
                            "make them alike: `string(x)`, `number(x)` or `int(x)`");
  }

  Result<Operand> equality(const Node& node, const Operand& left, const Operand& right) {
    SLIPWAY_TRY(look_at(left));
    SLIPWAY_TRY(look_at(right));
    const Value& a = left.get();
    const Value& b = right.get();
    const bool alike = a.is_null() || b.is_null() || type_of(a) == type_of(b) || (a.is_number() && b.is_number());
    if (!alike) return unlike(node, a, b);
    return Operand(Value((a == b) == (node.op == Op::Equal)));
  }

  static Result<Operand> order(const Node& node, const Value& left, const Value& right) {
    const int sign = compare(left, right);
    switch (node.op) {
      case Op::Less: return Operand(Value(sign < 0));
      case Op::LessEqual: return Operand(Value(sign <= 0));
      case Op::Greater: return Operand(Value(sign > 0));
      default: return Operand(Value(sign >= 0));
    }
  }

  Result<Operand> arithmetic(const Node& node, const Value& left, const Value& right) const {
    if (left.is_int() && right.is_int()) return integer(node, node.op, left.as_int(), right.as_int());
    if (node.op == Op::Remainder)
      return expression_error(quoted(source(node)) + ": `%` takes integers", "cut the fraction first: `int(x)`");
    const double a = left.as_double();
    const double b = right.as_double();
    if (node.op == Op::Divide && b == 0) return expression_error(quoted(source(node)) + " divides by zero");
    const double result = node.op == Op::Add        ? a + b
                          : node.op == Op::Subtract ? a - b
                          : node.op == Op::Multiply ? a * b
                                                    : a / b;
    if (!std::isfinite(result)) return expression_error(quoted(source(node)) + " is too large a number");
    return Operand(Value(result));
  }

  Result<Operand> integer(const Node& node, Op op, std::int64_t a, std::int64_t b) const {
    std::int64_t result = 0;
    bool overflow = false;
    if (op == Op::Add) overflow = __builtin_add_overflow(a, b, &result);
    if (op == Op::Subtract) overflow = __builtin_sub_overflow(a, b, &result);
    if (op == Op::Multiply) overflow = __builtin_mul_overflow(a, b, &result);
    if (op == Op::Divide || op == Op::Remainder) {
      if (b == 0) return expression_error(quoted(source(node)) + " divides by zero");
      // The least integer has no negative, and the machine's division traps on it.
      if (b == -1)
        overflow = op == Op::Divide && __builtin_sub_overflow(std::int64_t{0}, a, &result);
      else if (op == Op::Remainder)
        result = a % b;
      else if (a % b == 0)
        result = a / b;
      else
        return Operand(Value(static_cast<double>(a) / static_cast<double>(b)));
    }
    if (overflow)
      return expression_error(quoted(source(node)) + " does not fit 64 bits",
                              "use fractions for large numbers: `1.0 * x`");
    return Operand(Value(result));
  }

  Result<Operand> conditional(const Node& node) {
    SLIPWAY_TRY_ASSIGN(const Operand condition, eval(node.children[0]));
    if (condition.get().is_null()) return null_error(node.children[0]);
    if (!condition.get().is_bool())
      return expression_error("the condition " + quoted(source(node.children[0])) + " is " +
                              std::string(condition.get().type_name()) + ", it takes boolean");
    return eval(node.children[condition.get().as_bool() ? 1 : 2]);
  }

  inline static const Value kNull;

  std::string_view text_;
  const Value& names_;
  const Secrets* secrets_;
  std::set<const Value*> seen_;
  std::size_t steps_left_ = kStepsMax;
  bool read_secret_ = false;
};

bool is_safe_in_shell(const Value& value) {
  if (value.is_bool() || value.is_number()) return true;
  return value.is_string() && is_safe_word(value.as_string());
}

Result<Rendered> render_pieces(const Template& text, const ParsedTemplate& parsed, const Value& names,
                               const Secrets* secrets, TextUse use) {
  Rendered out;
  for (const Piece& piece : parsed.pieces) {
    if (!piece.expression) {
      out.text += text.text.substr(piece.begin, piece.end - piece.begin);
      continue;
    }
    Evaluator evaluator(text.text, names, secrets);
    SLIPWAY_TRY_ASSIGN(const Operand operand, evaluator.value_of(*piece.expression));
    const auto value = scalar_text(operand.get());
    if (operand.get().is_null()) return evaluator.null_error(*piece.expression);
    if (!value)
      return expression_error(quoted(evaluator.source(*piece.expression)) + " is " +
                                  std::string(operand.get().type_name()) + " and has no text",
                              "make text of it: `to_json(x)` or `join(x, ' ')`");
    if (use == TextUse::Shell && (evaluator.read_secret() || !is_safe_in_shell(operand.get())))
      return expression_error(
          "expr-in-shell: the value of " + quoted(evaluator.source(*piece.expression)) + " may not stand in shell text",
          "pass it through `env:` and write \"$NAME\"");
    out.text += *value;
    out.secret = out.secret || evaluator.read_secret();
    if (out.text.size() > kResultBytesMax) return too_large_error();
  }
  return out;
}

Result<ParsedTemplate> parse_checked(const Template& text) {
  ParsedTemplate parsed = parse_template(text.text);
  if (!parsed.errors.empty()) return expression_error(parsed.errors.front().message, parsed.errors.front().help);
  return parsed;
}

}  // namespace

Result<Rendered> render(const Template& text, const Scope& scope, TextUse use) {
  if (!text.has_expression()) return Rendered{text.text, false};
  SLIPWAY_TRY_ASSIGN(const ParsedTemplate parsed, parse_checked(text));
  return render_pieces(text, parsed, scope.names, scope.secrets, use);
}

Result<Value> evaluate(const Template& text, const Scope& scope) {
  if (!text.has_expression()) return Value(text.text);
  SLIPWAY_TRY_ASSIGN(const ParsedTemplate parsed, parse_checked(text));
  if (parsed.is_one_expression()) {
    SLIPWAY_TRY_ASSIGN(const Operand operand,
                       Evaluator(text.text, scope.names, nullptr).value_of(*parsed.pieces.front().expression));
    if (weight_bytes(operand.get(), kResultBytesMax) > kResultBytesMax) return too_large_error();
    return operand.get();
  }
  SLIPWAY_TRY_ASSIGN(Rendered rendered, render_pieces(text, parsed, scope.names, nullptr, TextUse::Plain));
  return Value(std::move(rendered.text));
}

}  // namespace slipway::dag
