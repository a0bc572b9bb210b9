#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "ml/io/jinja.h"
#include "ml/io/jinja_library.h"

namespace slipway::ml::jinja {
namespace {

constexpr std::size_t kOutputBytesMax = 64U << 20U;
constexpr std::int64_t kNodesMax = 2'000'000;  // run; far beyond any conversation

class Evaluator {
 public:
  explicit Evaluator(const Value& variables) {
    scopes_.emplace_back();
    for (const auto& [name, value] : variables.as_object()) scopes_.back().emplace(name, Item(value));
  }

  // How a block ended: at its end, or by break or continue.
  enum class Flow : std::uint8_t { Normal, Break, Continue };

  Result<Flow> run(const Block& block) {
    for (const Node& node : block) {
      SLIPWAY_TRY_ASSIGN(const Flow flow, run(node));
      if (flow != Flow::Normal) return flow;
      if (out_.size() > kOutputBytesMax || ++nodes_run_ > kNodesMax)
        return Error{ErrorCode::TooLarge, "the template does not come to an end", {}};
    }
    return Flow::Normal;
  }

  [[nodiscard]] std::string take() { return std::move(out_); }

 private:
  Result<Flow> run(const Node& node) {
    switch (node.kind) {
      case Node::Kind::Text: out_ += node.text; return Flow::Normal;
      case Node::Kind::Output: {
        SLIPWAY_TRY_ASSIGN(const Item item, eval(*node.expression));
        out_ += to_text(item);
        return Flow::Normal;
      }
      case Node::Kind::If: {
        SLIPWAY_TRY_ASSIGN(const Item condition, eval(*node.expression));
        return run(truthy(condition) ? node.body : node.otherwise);
      }
      case Node::Kind::For: return run_for(node);
      case Node::Kind::Set: return run_set(node);
      case Node::Kind::Break: return Flow::Break;
      case Node::Kind::Continue: return Flow::Continue;
    }
    return Flow::Normal;
  }

  Result<Flow> run_set(const Node& node) {
    SLIPWAY_TRY_ASSIGN(Item item, eval(*node.expression));
    if (node.member.empty()) {
      scopes_.back().insert_or_assign(node.text, std::move(item));
      return Flow::Normal;
    }
    Item* space = find(node.text);
    if (space == nullptr || !space->defined || !space->value.is_object())
      return Error{ErrorCode::InvalidArgument, fmt::format("`{}` is no namespace", node.text), {}};
    space->value[node.member] = std::move(item.value);
    return Flow::Normal;
  }

  Result<Flow> run_for(const Node& node) {
    SLIPWAY_TRY_ASSIGN(const Item iterable, eval(*node.expression));
    SLIPWAY_TRY_ASSIGN(Value::Array items, elements(iterable));
    scopes_.emplace_back();
    auto flow = run_items(node, items);
    scopes_.pop_back();
    return flow;
  }

  Result<Flow> run_items(const Node& node, Value::Array& items) {
    if (node.filter != nullptr) {
      Value::Array kept;
      for (Value& item : items) {
        SLIPWAY_TRY(bind(node.names, item));
        SLIPWAY_TRY_ASSIGN(const Item keep, eval(*node.filter));
        if (truthy(keep)) kept.push_back(std::move(item));
      }
      items = std::move(kept);
    }
    if (items.empty()) return run(node.otherwise);
    const auto count = static_cast<std::int64_t>(items.size());
    for (std::int64_t i = 0; i < count; ++i) {
      scopes_.back().clear();  // what one round sets, the next does not see
      SLIPWAY_TRY(bind(node.names, items[static_cast<std::size_t>(i)]));
      Value::Object loop{
          {"index", i + 1},  {"index0", i},           {"first", i == 0},           {"last", i + 1 == count},
          {"length", count}, {"revindex", count - i}, {"revindex0", count - i - 1}};
      if (i > 0) loop.emplace("previtem", items[static_cast<std::size_t>(i - 1)]);
      if (i + 1 < count) loop.emplace("nextitem", items[static_cast<std::size_t>(i + 1)]);
      scopes_.back().insert_or_assign("loop", Item(Value(std::move(loop))));
      SLIPWAY_TRY_ASSIGN(const Flow flow, run(node.body));
      if (flow == Flow::Break) break;
    }
    return Flow::Normal;
  }

  Result<void> bind(const std::vector<std::string>& names, const Value& item) {
    if (names.size() == 1) {
      scopes_.back().insert_or_assign(names[0], Item(item));
      return {};
    }
    if (!item.is_array() || item.as_array().size() != names.size())
      return Error{ErrorCode::InvalidArgument,
                   fmt::format("cannot unpack {} into {} names", item.type_name(), names.size()),
                   {}};
    for (std::size_t i = 0; i < names.size(); ++i) scopes_.back().insert_or_assign(names[i], Item(item.as_array()[i]));
    return {};
  }

  Item* find(const std::string& name) {
    for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope)
      if (const auto it = scope->find(name); it != scope->end()) return &it->second;
    return nullptr;
  }

  Result<Item> eval(const Expression& e) {
    switch (e.kind) {
      case ExpressionKind::Literal: return Item(e.value);
      case ExpressionKind::Name: {
        const Item* item = find(e.text);
        return item != nullptr ? *item : Item::undefined(e.text);
      }
      case ExpressionKind::Unary: return eval_unary(e);
      case ExpressionKind::Binary: return eval_binary(e);
      case ExpressionKind::Choice: return eval_choice(e);
      case ExpressionKind::Call: return eval_call(e);
      case ExpressionKind::List:
      case ExpressionKind::Dict: return eval_collection(e);
      case ExpressionKind::Member:
      case ExpressionKind::Subscript:
      case ExpressionKind::Slice:
      case ExpressionKind::Filter:
      case ExpressionKind::Test: break;
    }
    SLIPWAY_TRY_ASSIGN(Item subject, eval(*e.operands[0]));
    if (e.kind == ExpressionKind::Member) return subscript(subject, Value(e.text));
    SLIPWAY_TRY_ASSIGN(const std::vector<Item> arguments, eval_arguments(e));
    if (e.kind == ExpressionKind::Subscript) return subscript(subject, arguments[0].value);
    if (e.kind == ExpressionKind::Slice)
      return slice(subject, arguments[0].value, arguments[1].value, arguments[2].value);
    if (e.kind == ExpressionKind::Filter) return apply_filter(e.text, std::move(subject), arguments);
    return apply_test(e.text, subject, arguments);
  }

  // The operands after the first; one that is absent (a bound of a slice) is null.
  Result<std::vector<Item>> eval_arguments(const Expression& e) {
    std::vector<Item> items;
    for (std::size_t i = 1; i < e.operands.size(); ++i) {
      if (e.operands[i] == nullptr) {
        items.push_back(Item::undefined(""));
        continue;
      }
      SLIPWAY_TRY_ASSIGN(Item item, eval(*e.operands[i]));
      items.push_back(std::move(item));
    }
    return items;
  }

  Result<Item> eval_unary(const Expression& e) {
    SLIPWAY_TRY_ASSIGN(const Item item, eval(*e.operands[0]));
    if (e.text == "not") return Item(Value(!truthy(item)));
    return arithmetic(e.text, Item(Value(0)), item);
  }

  Result<Item> eval_binary(const Expression& e) {
    SLIPWAY_TRY_ASSIGN(Item left, eval(*e.operands[0]));
    if (e.text == "and" && !truthy(left)) return left;
    if (e.text == "or" && truthy(left)) return left;
    SLIPWAY_TRY_ASSIGN(Item right, eval(*e.operands[1]));
    if (e.text == "and" || e.text == "or") return right;
    if (e.text == "~") return arithmetic("+", Item(to_text(left)), Item(to_text(right)));
    if (e.text == "in" || e.text == "not in") {
      SLIPWAY_TRY_ASSIGN(const bool found, contains(right, left));
      return Item(Value(found == (e.text == "in")));
    }
    if (e.text == "==" || e.text == "!=") {
      const bool equal = left.defined == right.defined && left.value == right.value;
      return Item(Value(equal == (e.text == "==")));
    }
    if (e.text.find_first_of("<>") != std::string::npos) return compare(e.text, left, right);
    return arithmetic(e.text, left, right);
  }

  Result<Item> eval_choice(const Expression& e) {
    SLIPWAY_TRY_ASSIGN(const Item condition, eval(*e.operands[1]));
    if (truthy(condition)) return eval(*e.operands[0]);
    return e.operands[2] != nullptr ? eval(*e.operands[2]) : Item::undefined("");
  }

  Result<Item> eval_collection(const Expression& e) {
    Value::Array items;
    for (const ExpressionPtr& operand : e.operands) {
      SLIPWAY_TRY_ASSIGN(Item item, eval(*operand));
      items.push_back(std::move(item.value));
    }
    if (e.kind == ExpressionKind::List) return Item(Value(std::move(items)));
    Value::Object object;
    for (std::size_t i = 0; i + 1 < items.size(); i += 2)
      object.insert_or_assign(to_text(Item(items[i])), items[i + 1]);
    return Item(Value(std::move(object)));
  }

  Result<Item> eval_call(const Expression& e) {
    SLIPWAY_TRY_ASSIGN(const std::vector<Item> arguments, eval_arguments(e));
    const Expression& callee = *e.operands[0];
    if (callee.kind == ExpressionKind::Member) {
      SLIPWAY_TRY_ASSIGN(const Item subject, eval(*callee.operands[0]));
      return call_method(callee.text, subject, arguments);
    }
    if (callee.kind != ExpressionKind::Name)
      return Error{ErrorCode::InvalidArgument, "only functions and methods can be called", {}};
    return call_function(callee.text, arguments, e.names);
  }

  std::vector<std::map<std::string, Item>> scopes_;
  std::string out_;
  std::int64_t nodes_run_ = 0;
};

}  // namespace

Result<std::string> render(const Block& block, const Value& variables) {
  Evaluator evaluator(variables);
  SLIPWAY_TRY(evaluator.run(block));
  return evaluator.take();
}

}  // namespace slipway::ml::jinja
