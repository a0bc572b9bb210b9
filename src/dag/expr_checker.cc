#include <algorithm>

#include "dag/expr_ast.h"
#include "dag/expr_functions.h"
#include "dag/quoted.h"
#include "slipway/dag/expr.h"

namespace slipway::dag {
namespace {

bool is(const StaticValue& value, TypeSet types) {
  return value.type == StaticType::Any || (set_of(value.type) & types) != 0;
}

bool is_shell_safe(const StaticValue& value) {
  if ((set_of(value.type) & (kTakesBoolean | kTakesNumber)) != 0) return true;
  return value.type == StaticType::String && !value.members.empty() &&
         std::all_of(value.members.begin(), value.members.end(), is_safe_word);
}

std::string_view code_of(ErrorCode code) {
  if (code == ErrorCode::NotFound) return "unknown-name";
  return code == ErrorCode::Forbidden ? "forbidden-name" : "unreachable-name";
}

class Checker {
 public:
  Checker(const Template& text, const NameResolver& names, Diagnostics& diagnostics, TemplateInfo& info)
      : text_(text), names_(names), diagnostics_(diagnostics), info_(info) {}

  StaticValue check(const Node& node) {
    switch (node.kind) {
      case NodeKind::Literal: return literal(node);
      case NodeKind::Name: return name(node);
      case NodeKind::List:
        for (const Node& item : node.children) check(item);
        return {StaticType::Array, {}};
      case NodeKind::Index: return index(node);
      case NodeKind::Call: return call(node);
      case NodeKind::Unary: return unary(node);
      case NodeKind::Binary: return binary(node);
      case NodeKind::Conditional: return conditional(node);
    }
    return {};
  }

  void error(std::string_view code, const Node& node, std::string message, std::string help = {}) {
    diagnostics_.error(std::string(code), locate(text_, node.begin, node.end), std::move(message), std::move(help));
  }

 private:
  [[nodiscard]] std::string source(const Node& node) const {
    return text_.text.substr(node.begin, node.end - node.begin);
  }

  // Whether `value` may stand where `types` are taken; says so if not.
  bool take(const Node& node, const StaticValue& value, TypeSet types, const std::string& where,
            std::string help = {}) {
    if (is(value, types)) return true;
    if (value.type == StaticType::Null)
      error("null-value", node, where + " is null, it takes " + to_text(types), std::move(help));
    else
      error("expr-type", node,
            where + " is " + std::string(kStaticTypes.text(value.type)) + ", it takes " + to_text(types),
            std::move(help));
    return false;
  }

  static StaticValue literal(const Node& node) {
    StaticValue value{type_of(node.literal), {}};
    if (node.literal.is_string()) value.members.push_back(node.literal.as_string());
    return value;
  }

  StaticValue name(const Node& node) {
    info_.names.insert(node.path);
    const auto known = names_(node.path);
    if (!known) {
      error(code_of(known.error().code), node, known.error().message, known.error().help);
      return {};
    }
    info_.secret = info_.secret || known->secret || node.path.front() == "secrets";
    return {known->type, known->enum_values};
  }

  StaticValue index(const Node& node) {
    const Node& of = node.children[0];
    const Node& key = node.children[1];
    const StaticValue value = check(of);
    const StaticValue with = check(key);
    const bool by_name = key.kind == NodeKind::Literal && key.literal.is_string();
    if (value.type == StaticType::Array && by_name)
      error("expr-type", node,
            quoted(source(of)) + " is a list, which has no member " + quoted(key.literal.as_string()),
            "take that of each element: `pluck(" + source(of) + ", '" + key.literal.as_string() + "')`");
    else if (take(of, value, kTakesArray | kTakesObject | kTakesNull, "what is indexed") &&
             value.type != StaticType::Any)
      take(key, with, value.type == StaticType::Array ? kTakesInteger : kTakesString,
           "the index of " + std::string(kStaticTypes.text(value.type)));
    else
      take(key, with, kTakesInteger | kTakesString, "an index");
    return {};
  }

  StaticValue call(const Node& node) {
    const Function& function = *node.function;
    std::vector<StaticValue> arguments;
    for (std::size_t i = 0; i < node.children.size(); ++i) {
      arguments.push_back(check(node.children[i]));
      take(node.children[i], arguments.back(), function.takes_at(i),
           "argument " + std::to_string(i + 1) + " of " + quoted(function.name),
           quoted(function.signature) + ": " + std::string(function.doc));
    }
    return function.result_type(arguments);
  }

  StaticValue unary(const Node& node) {
    const StaticValue value = check(node.children[0]);
    const bool negates = node.op == Op::Negate;
    take(node.children[0], value, negates ? kTakesNumber : kTakesBoolean,
         "the operand of " + quoted(kOps.text(node.op)));
    if (!negates) return {StaticType::Boolean, {}};
    return {value.type == StaticType::Integer ? StaticType::Integer : StaticType::Number, {}};
  }

  StaticValue binary(const Node& node) {
    const StaticValue left = check(node.children[0]);
    const StaticValue right = check(node.children[1]);
    switch (node.op) {
      case Op::Or:
      case Op::And:
        sides(node, left, right, kTakesBoolean, "compare first: `x != ''`, `len(list) > 0`");
        return {StaticType::Boolean, {}};
      case Op::Equal:
      case Op::NotEqual: equality(node, left, right); return {StaticType::Boolean, {}};
      case Op::Less:
      case Op::LessEqual:
      case Op::Greater:
      case Op::GreaterEqual:
        if (sides(node, left, right, kTakesNumber | kTakesString)) alike(node, left, right, "compares");
        return {StaticType::Boolean, {}};
      case Op::Add: return sum(node, left, right);
      case Op::Subtract:
      case Op::Multiply:
      case Op::Divide:
      case Op::Remainder: return arithmetic(node, left, right);
      case Op::Not:
      case Op::Negate: break;
    }
    return {};
  }

  bool sides(const Node& node, const StaticValue& left, const StaticValue& right, TypeSet types,
             const std::string& help = {}) {
    const bool left_fits = take(node.children[0], left, types, "the left side of " + quoted(kOps.text(node.op)), help);
    return take(node.children[1], right, types, "the right side of " + quoted(kOps.text(node.op)), help) && left_fits;
  }

  bool alike(const Node& node, const StaticValue& left, const StaticValue& right, const std::string& verb) {
    const TypeSet both = set_of(left.type) | set_of(right.type);
    if ((both & set_of(StaticType::Any)) != 0 || left.type == right.type || (both & ~kTakesNumber) == 0) return true;
    error("expr-type", node,
          quoted(kOps.text(node.op)) + " " + verb + " " + std::string(kStaticTypes.text(left.type)) + " and " +
              std::string(kStaticTypes.text(right.type)),
          "make them alike: `string(x)`, `number(x)` or `int(x)`");
    return false;
  }

  void equality(const Node& node, const StaticValue& left, const StaticValue& right) {
    if (left.type == StaticType::Null || right.type == StaticType::Null || !alike(node, left, right, "compares"))
      return;
    if (left.members.empty() || right.members.empty()) return;
    const auto in_left = [&](const std::string& member) {
      return std::find(left.members.begin(), left.members.end(), member) != left.members.end();
    };
    if (std::any_of(right.members.begin(), right.members.end(), in_left)) return;
    const bool literal_right = node.children[1].kind == NodeKind::Literal;
    const auto close =
        literal_right ? nearest(right.members[0], left.members) : nearest(left.members[0], right.members);
    error("expr-type", node, "the two sides of " + quoted(kOps.text(node.op)) + " can never be equal",
          close ? "did you mean '" + *close + "'?" : "");
  }

  StaticValue sum(const Node& node, const StaticValue& left, const StaticValue& right) {
    if (sides(node, left, right, kTakesNumber | kTakesString)) alike(node, left, right, "joins");
    if (left.type == StaticType::String || right.type == StaticType::String) return {StaticType::String, {}};
    if (left.type == StaticType::Any && right.type == StaticType::Any) return {};
    return numeric(left, right);
  }

  StaticValue arithmetic(const Node& node, const StaticValue& left, const StaticValue& right) {
    sides(node, left, right, node.op == Op::Remainder ? kTakesInteger : kTakesNumber);
    if (node.op == Op::Remainder) return {StaticType::Integer, {}};
    return node.op == Op::Divide ? StaticValue{StaticType::Number, {}} : numeric(left, right);
  }

  static StaticValue numeric(const StaticValue& left, const StaticValue& right) {
    const bool whole = left.type == StaticType::Integer && right.type == StaticType::Integer;
    return {whole ? StaticType::Integer : StaticType::Number, {}};
  }

  StaticValue conditional(const Node& node) {
    take(node.children[0], check(node.children[0]), kTakesBoolean, "the condition of `?`",
         "compare first: `x != ''`, `len(list) > 0`");
    const StaticValue then = check(node.children[1]);
    return common(then, check(node.children[2]));
  }

  const Template& text_;
  const NameResolver& names_;
  Diagnostics& diagnostics_;
  TemplateInfo& info_;
};

}  // namespace

TemplateInfo check_template(const Template& text, const NameResolver& names, Diagnostics& diagnostics) {
  TemplateInfo info;
  const ParsedTemplate parsed = parse_template(text.text);
  for (const SyntaxError& error : parsed.errors)
    diagnostics.error(error.code, locate(text, error.begin, error.end), error.message, error.help);
  const bool whole = parsed.is_one_expression();
  if (!parsed.errors.empty() && parsed.pieces.empty()) info.type = StaticType::Any;
  Checker checker(text, names, diagnostics, info);
  bool any = false;
  for (const Piece& piece : parsed.pieces) {
    if (!piece.expression) continue;
    any = true;
    const bool secret_before = std::exchange(info.secret, false);
    const StaticValue value = checker.check(*piece.expression);
    if (!is_shell_safe(value) || info.secret) info.shell_unsafe.push_back(locate(text, piece.begin, piece.end));
    info.secret = info.secret || secret_before;
    if (whole)
      info.type = value.type;
    else if (value.type == StaticType::Null)
      checker.error("null-value", *piece.expression, "null stands inside a text", "use default(x, 'text')");
    else if (!is(value, kTakesScalar))
      checker.error("expr-type", *piece.expression,
                    std::string(kStaticTypes.text(value.type)) + " stands inside a text",
                    "make text of it: `to_json(x)` or `join(x, ' ')`");
  }
  info.shell_safe = info.shell_unsafe.empty();
  info.constant = any && info.names.empty() && parsed.errors.empty();
  return info;
}

}  // namespace slipway::dag
