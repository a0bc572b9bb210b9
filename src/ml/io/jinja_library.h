// What Jinja expressions compute with: values, operators, filters, tests, functions and methods, as Python has them.
// Tuples are lists here, and letters beyond ASCII have no case.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "slipway/base/value.h"

namespace slipway::ml::jinja {

// A value, or the undefined thing that an unknown name or member is.
struct Item {
  explicit Item(Value v) : value(std::move(v)) {}
  [[nodiscard]] static Item undefined(std::string name) {
    Item item{Value()};
    item.defined = false;
    item.name = std::move(name);
    return item;
  }

  Value value;
  bool defined = true;
  std::string name;  // of an undefined one, for errors
};

[[nodiscard]] bool truthy(const Item& item);
// str(): True, None, 1.5, and repr() inside lists; nothing for an undefined one.
[[nodiscard]] std::string to_text(const Item& item);

// What a loop runs over: elements, keys, characters; nothing for an undefined one.
[[nodiscard]] Result<Value::Array> elements(const Item& item);
[[nodiscard]] Result<Item> subscript(const Item& subject, const Value& key);
[[nodiscard]] Result<Item> slice(const Item& subject, const Value& begin, const Value& end, const Value& step);
[[nodiscard]] Result<bool> contains(const Item& container, const Item& item);
[[nodiscard]] Result<Item> compare(std::string_view op, const Item& left, const Item& right);     // < <= > >=
[[nodiscard]] Result<Item> arithmetic(std::string_view op, const Item& left, const Item& right);  // + - * / // %

using Arguments = std::vector<Item>;
[[nodiscard]] Result<Item> apply_filter(std::string_view name, Item subject, const Arguments& arguments);
[[nodiscard]] Result<Item> apply_test(std::string_view name, const Item& subject, const Arguments& arguments);
// `names` gives the keyword of each argument, empty for a positional one.
[[nodiscard]] Result<Item> call_function(std::string_view name, const Arguments& arguments,
                                         const std::vector<std::string>& names);
[[nodiscard]] Result<Item> call_method(std::string_view name, const Item& subject, const Arguments& arguments);

}  // namespace slipway::ml::jinja
