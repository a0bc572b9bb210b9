// The function table of the expression language: one row a function. Parser, checker, evaluator and docs read nothing
// else.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "slipway/base/result.h"
#include "slipway/base/value.h"
#include "slipway/dag/expr.h"

namespace slipway::dag {

// What no value made by an expression exceeds, counted as its JSON text about is.
inline constexpr std::size_t kResultBytesMax = 128U << 10U;

// A set of types an argument may have; Any passes every check until the value is there.
using TypeSet = unsigned;
constexpr TypeSet set_of(StaticType type) { return 1U << static_cast<unsigned>(type); }
inline constexpr TypeSet kTakesNull = set_of(StaticType::Null);
inline constexpr TypeSet kTakesBoolean = set_of(StaticType::Boolean);
inline constexpr TypeSet kTakesInteger = set_of(StaticType::Integer);
inline constexpr TypeSet kTakesNumber = kTakesInteger | set_of(StaticType::Number);
inline constexpr TypeSet kTakesString = set_of(StaticType::String);
inline constexpr TypeSet kTakesArray = set_of(StaticType::Array);
inline constexpr TypeSet kTakesObject = set_of(StaticType::Object);
inline constexpr TypeSet kTakesScalar = kTakesBoolean | kTakesNumber | kTakesString;
inline constexpr TypeSet kTakesAll = kTakesNull | kTakesScalar | kTakesArray | kTakesObject;

// "string", "integer or string", "a value"
[[nodiscard]] std::string to_text(TypeSet types);
[[nodiscard]] StaticType type_of(const Value& value);

// What checking knows of a value.
struct StaticValue {
  StaticType type = StaticType::Any;
  std::vector<std::string> members;  // a string that is one of these; empty if any
};

// The type that holds both: equal types stay, integer and number give number, null gives way, all else is Any.
[[nodiscard]] StaticValue common(const StaticValue& a, const StaticValue& b);

using Arguments = std::span<const Value* const>;

struct Function {
  static constexpr int kAnyNumber = 1 << 20;

  std::string_view name;
  std::string_view signature;
  int arity_min;
  int arity_max;
  std::array<TypeSet, 3> takes;  // by position; the last one repeats
  std::string_view result;       // for the docs
  StaticValue (*result_type)(std::span<const StaticValue> arguments);
  std::string_view doc;
  Result<Value> (*body)(Arguments arguments);  // arguments have passed `takes`

  [[nodiscard]] TypeSet takes_at(std::size_t index) const {
    return takes[index < takes.size() ? index : takes.size() - 1];
  }
};

[[nodiscard]] std::span<const Function> functions();
[[nodiscard]] const Function* find_function(std::string_view name);

// Bodies that need more than a line or two; expr_text.cc, expr_time.cc.
Result<Value> call_replace(Arguments arguments);
Result<Value> call_split(Arguments arguments);
Result<Value> call_join(Arguments arguments);
Result<Value> call_string(Arguments arguments);
Result<Value> call_int(Arguments arguments);
Result<Value> call_number(Arguments arguments);
Result<Value> call_json(Arguments arguments);
Result<Value> call_format_time(Arguments arguments);
Result<Value> call_add_time(Arguments arguments);

// The text of a value inside a text; nothing for null, arrays and objects, which have none.
[[nodiscard]] std::optional<std::string> scalar_text(const Value& value);
// [A-Za-z0-9_.][A-Za-z0-9_./-]*: no shell gives any of these a meaning, and no command takes it for an option.
[[nodiscard]] bool is_safe_word(std::string_view text);
// Whether `text` holds `part`, in linear time whatever they are.
[[nodiscard]] bool contains_text(std::string_view text, std::string_view part);

// Orders two numbers or two strings; asserts that they are.
[[nodiscard]] int compare(const Value& a, const Value& b);

// About the length of the value's JSON text, counted no further than `limit`.
[[nodiscard]] std::size_t weight_bytes(const Value& value, std::size_t limit);
// Values inside arrays and objects, counted no further than `limit`.
[[nodiscard]] std::size_t count_elements(const Value& value, std::size_t limit);

[[nodiscard]] Error expression_error(std::string message, std::string help = {});
[[nodiscard]] Error too_large_error();

}  // namespace slipway::dag
