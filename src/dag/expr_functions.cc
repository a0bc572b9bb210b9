#include "dag/expr_functions.h"

#include <algorithm>
#include <cmath>

#include "slipway/base/sha256.h"

namespace slipway::dag {
namespace {

using Types = std::span<const StaticValue>;

// --- result types

template <StaticType type>
StaticValue fixed(Types) {
  return {type, {}};
}
StaticValue common_of_all(Types arguments) {
  StaticValue result = arguments.front();
  for (const StaticValue& each : arguments.subspan(1)) result = common(result, each);
  return result;
}
// min and max of several values are one of them; of one list, one of its elements.
StaticValue one_of(Types arguments) { return arguments.size() == 1 ? StaticValue{} : common_of_all(arguments); }
StaticValue rounded(Types arguments) { return {arguments.size() == 1 ? StaticType::Integer : StaticType::Number, {}}; }

// --- bodies

char ascii_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
char ascii_upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; }

template <char (*change)(char)>
Result<Value> each_letter(Arguments arguments) {
  std::string text = arguments[0]->as_string();
  std::transform(text.begin(), text.end(), text.begin(), change);
  return Value(std::move(text));
}

Result<Value> first_not_null(Arguments arguments) { return arguments[0]->is_null() ? *arguments[1] : *arguments[0]; }

Result<Value> length(Arguments arguments) {
  const Value& value = *arguments[0];
  if (value.is_array()) return Value(std::uint64_t{value.as_array().size()});
  if (value.is_object()) return Value(std::uint64_t{value.as_object().size()});
  const std::string& text = value.as_string();
  const auto is_start = [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; };
  return Value(std::int64_t{std::count_if(text.begin(), text.end(), is_start)});
}

Result<Value> contains(Arguments arguments) {
  const Value& in = *arguments[0];
  const Value& what = *arguments[1];
  if (in.is_array()) return Value(std::find(in.as_array().begin(), in.as_array().end(), what) != in.as_array().end());
  if (!what.is_string())
    return expression_error(
        "`contains` looks for " + std::string(what.type_name()) + " in " + std::string(in.type_name()),
        "a string holds strings, an object has strings as keys");
  if (in.is_object()) return Value(in.find(what.as_string()) != nullptr);
  return Value(contains_text(in.as_string(), what.as_string()));
}

Result<Value> starts_with(Arguments arguments) {
  return Value(arguments[0]->as_string().starts_with(arguments[1]->as_string()));
}
Result<Value> ends_with(Arguments arguments) {
  return Value(arguments[0]->as_string().ends_with(arguments[1]->as_string()));
}

Result<Value> trim(Arguments arguments) {
  constexpr const char* kSpace = " \t\r\n\v\f";
  const std::string& text = arguments[0]->as_string();
  const auto first = text.find_first_not_of(kSpace);
  return Value(first == std::string::npos ? std::string()
                                          : text.substr(first, text.find_last_not_of(kSpace) - first + 1));
}

Result<Value> round_number(Arguments arguments) {
  const Value& value = *arguments[0];
  const std::int64_t digits = arguments.size() > 1 ? arguments[1]->as_int() : 0;
  if (digits < 0 || digits > 15) return expression_error("`round` keeps 0 to 15 digits, not " + std::to_string(digits));
  if (value.is_int()) return value;
  const double scale = std::pow(10.0, static_cast<double>(digits));
  const double scaled = value.as_double() * scale;
  if (arguments.size() > 1) return std::isfinite(scaled) ? Value(std::round(scaled) / scale) : value;
  if (!(std::abs(scaled) < 0x1p63)) return expression_error("`round`: " + value.dump() + " does not fit 64 bits");
  return Value(static_cast<std::int64_t>(std::round(scaled)));
}

bool comparable(const Value& a, const Value& b) {
  return (a.is_number() && b.is_number()) || (a.is_string() && b.is_string());
}

// The index of the least (sign 1) or greatest (sign -1) of `items`, the first of equals; null elements do not count. -1
// if none is left.
Result<std::int64_t> extreme(std::span<const Value* const> items, int sign, std::string_view name) {
  std::int64_t best = -1;
  for (std::size_t i = 0; i < items.size(); ++i) {
    const Value& item = *items[i];
    if (item.is_null()) continue;
    const Value& against = best < 0 ? item : *items[static_cast<std::size_t>(best)];
    if (!comparable(item, against))
      return expression_error("`" + std::string(name) + "` cannot order " + std::string(against.type_name()) + " and " +
                                  std::string(item.type_name()),
                              "it takes numbers only, or strings only");
    if (best < 0 || compare(item, against) * sign < 0) best = static_cast<std::int64_t>(i);
  }
  return best;
}

std::vector<const Value*> elements_of(const Value& array) {
  std::vector<const Value*> items;
  for (const Value& item : array.as_array()) items.push_back(&item);
  return items;
}

template <int sign>
Result<Value> extreme_value(Arguments arguments) {
  constexpr std::string_view kName = sign > 0 ? "min" : "max";
  std::vector<const Value*> items(arguments.begin(), arguments.end());
  if (items.size() == 1) {
    if (!items[0]->is_array())
      return expression_error("`" + std::string(kName) + "` of one " + std::string(items[0]->type_name()),
                              "give it a list, or several values");
    items = elements_of(*items[0]);
  }
  if (std::any_of(items.begin(), items.end(), [](const Value* item) { return item->is_null(); }))
    return expression_error("null-value: `" + std::string(kName) + "` met null",
                            "leave nulls out: `" + std::string(kName) + "(compact(list))`");
  SLIPWAY_TRY_ASSIGN(const std::int64_t index, extreme(items, sign, kName));
  return index < 0 ? Value() : *items[static_cast<std::size_t>(index)];
}

template <int sign>
Result<Value> extreme_index(Arguments arguments) {
  SLIPWAY_TRY_ASSIGN(const std::int64_t index,
                     extreme(elements_of(*arguments[0]), sign, sign > 0 ? "argmin" : "argmax"));
  return index < 0 ? Value() : Value(index);
}

Result<Value> range(Arguments arguments) {
  const std::int64_t first = arguments.size() > 1 ? arguments[0]->as_int() : 0;
  const std::int64_t last = arguments.size() > 1 ? arguments[1]->as_int() : arguments[0]->as_int();
  const std::int64_t step = arguments.size() > 2 ? arguments[2]->as_int() : 1;
  if (step == 0) return expression_error("`range` has a step of 0");
  Value::Array items;
  std::size_t bytes = 0;
  for (std::int64_t value = first; step > 0 ? value < last : value > last;) {
    items.emplace_back(value);
    bytes += std::to_string(value).size() + 1;
    if (bytes > kResultBytesMax) return too_large_error();
    if (__builtin_add_overflow(value, step, &value)) break;
  }
  return Value(std::move(items));
}

Result<Value> pluck(Arguments arguments) {
  Value::Array out;
  for (const Value& item : arguments[0]->as_array()) {
    if (!item.is_null() && !item.is_object())
      return expression_error("`pluck` met " + std::string(item.type_name()) + " in its list",
                              "it takes a list of objects");
    const Value* member = item.find(arguments[1]->as_string());
    out.push_back(member == nullptr ? Value() : *member);
  }
  return Value(std::move(out));
}

Result<Value> compact(Arguments arguments) {
  Value::Array out;
  for (const Value& item : arguments[0]->as_array())
    if (!item.is_null()) out.push_back(item);
  return Value(std::move(out));
}

Result<Value> to_json(Arguments arguments) { return Value(arguments[0]->dump()); }

Result<Value> basename(Arguments arguments) {
  std::string_view path = arguments[0]->as_string();
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  const auto slash = path.rfind('/');
  return Value(slash == std::string_view::npos || path.size() == 1 ? path : path.substr(slash + 1));
}

Result<Value> hash(Arguments arguments) {
  return Value(sha256_hex(arguments[0]->is_string() ? arguments[0]->as_string() : arguments[0]->dump()));
}

// --- the table

constexpr TypeSet kTakesSized = kTakesString | kTakesArray | kTakesObject;
constexpr TypeSet kTakesOrdered = kTakesNumber | kTakesString;
constexpr TypeSet kString = kTakesString;
constexpr int kMany = Function::kAnyNumber;
constexpr auto kToString = fixed<StaticType::String>;
constexpr auto kToBoolean = fixed<StaticType::Boolean>;
constexpr auto kToInteger = fixed<StaticType::Integer>;
constexpr auto kToNumber = fixed<StaticType::Number>;
constexpr auto kToArray = fixed<StaticType::Array>;
constexpr auto kToAny = fixed<StaticType::Any>;

// clang-format off
constexpr std::array kFunctions{
    Function{"default", "default(x, y)", 2, 2, {kTakesAll, kTakesAll}, "the type of both", common_of_all,
             "x, or y where x is null", first_not_null},
    Function{"len", "len(x)", 1, 1, {kTakesSized}, "integer", kToInteger,
             "characters of a string, elements of a list, keys of an object", length},
    Function{"contains", "contains(x, y)", 2, 2, {kTakesSized, kTakesAll}, "boolean", kToBoolean,
             "whether the string x holds the string y, the list x the element y, the object x the key y", contains},
    Function{"starts_with", "starts_with(text, start)", 2, 2, {kString, kString}, "boolean", kToBoolean,
             "whether the text begins so", starts_with},
    Function{"ends_with", "ends_with(text, end)", 2, 2, {kString, kString}, "boolean", kToBoolean,
             "whether the text ends so", ends_with},
    Function{"lower", "lower(text)", 1, 1, {kString}, "string", kToString,
             "A-Z as a-z; other letters stay", each_letter<ascii_lower>},
    Function{"upper", "upper(text)", 1, 1, {kString}, "string", kToString,
             "a-z as A-Z; other letters stay", each_letter<ascii_upper>},
    Function{"trim", "trim(text)", 1, 1, {kString}, "string", kToString,
             "the text without white space at its ends", trim},
    Function{"replace", "replace(text, from, to)", 3, 3, {kString, kString, kString}, "string", kToString,
             "every `from` in the text becomes `to`", call_replace},
    Function{"split", "split(text, separator)", 2, 2, {kString, kString}, "array", kToArray,
             "the parts between separators", call_split},
    Function{"join", "join(list, separator)", 2, 2, {kTakesArray, kString}, "string", kToString,
             "the elements as text, with the separator between them", call_join},
    Function{"int", "int(x)", 1, 1, {kTakesNumber | kString}, "integer", kToInteger,
             "a number without its fraction, or text read as a whole number", call_int},
    Function{"number", "number(x)", 1, 1, {kTakesNumber | kString}, "number", kToNumber,
             "text read as a number", call_number},
    Function{"string", "string(x)", 1, 1, {kTakesScalar}, "string", kToString,
             "a boolean or number as text", call_string},
    Function{"round", "round(x, digits)", 1, 2, {kTakesNumber, kTakesInteger}, "integer; number with digits", rounded,
             "the nearest whole number, or number of so many decimals (0-15, may be left out); halves away from zero",
             round_number},
    Function{"min", "min(list) or min(x, y, …)", 1, kMany, {kTakesArray | kTakesOrdered, kTakesOrdered, kTakesOrdered},
             "the type of its values", one_of, "the least number or string; null for an empty list", extreme_value<1>},
    Function{"max", "max(list) or max(x, y, …)", 1, kMany, {kTakesArray | kTakesOrdered, kTakesOrdered, kTakesOrdered},
             "the type of its values", one_of, "the greatest number or string; null for an empty list",
             extreme_value<-1>},
    Function{"range", "range(n), range(from, to) or range(from, to, step)", 1, 3,
             {kTakesInteger, kTakesInteger, kTakesInteger}, "array", kToArray,
             "whole numbers from 0 or `from` up to, without, n or `to`", range},
    Function{"pluck", "pluck(list, key)", 2, 2, {kTakesArray, kString}, "array", kToArray,
             "the member `key` of each object of the list, null where there is none", pluck},
    Function{"compact", "compact(list)", 1, 1, {kTakesArray}, "array", kToArray,
             "the list without its nulls", compact},
    Function{"argmin", "argmin(list)", 1, 1, {kTakesArray}, "integer", kToInteger,
             "the index of the least element, the first of equals; nulls do not count; null if none is left",
             extreme_index<1>},
    Function{"argmax", "argmax(list)", 1, 1, {kTakesArray}, "integer", kToInteger,
             "the index of the greatest element, the first of equals; nulls do not count; null if none is left",
             extreme_index<-1>},
    Function{"json", "json(text)", 1, 1, {kString}, "any", kToAny,
             "the value that the JSON text stands for", call_json},
    Function{"to_json", "to_json(x)", 1, 1, {kTakesAll}, "string", kToString,
             "the value as JSON text, keys sorted", to_json},
    Function{"basename", "basename(path)", 1, 1, {kString}, "string", kToString,
             "what follows the last `/` of a path or URI", basename},
    Function{"hash", "hash(x)", 1, 1, {kTakesAll}, "string", kToString,
             "SHA-256 of a string, or of another value's JSON text, in 64 hexadecimal digits", hash},
    Function{"format_time", "format_time(time, format)", 2, 2, {kString, kString}, "string", kToString,
             "the time by a format such as `%Y-%m-%d`, or by date, time, datetime, compact, week or unix",
             call_format_time},
    Function{"add_time", "add_time(time, duration)", 2, 2, {kString, kString}, "string", kToString,
             "the time so much later, or earlier with `-` in front: `'1d'`, `'-90m'`", call_add_time},
};
// clang-format on

}  // namespace

std::span<const Function> functions() { return kFunctions; }

const Function* find_function(std::string_view name) {
  const auto row =
      std::find_if(kFunctions.begin(), kFunctions.end(), [name](const Function& each) { return each.name == name; });
  return row == kFunctions.end() ? nullptr : &*row;
}

std::vector<FunctionDoc> expression_functions() {
  std::vector<FunctionDoc> docs;
  for (const Function& function : kFunctions) docs.push_back({function.signature, function.result, function.doc});
  return docs;
}

StaticType type_of(const Value& value) { return *kStaticTypes.parse(value.type_name()); }

std::string to_text(TypeSet types) {
  if (types == kTakesAll) return "a value";
  std::string text;
  for (const auto& row : kStaticTypes.rows()) {
    const bool in_number = row.value == StaticType::Integer && (types & kTakesNumber) == kTakesNumber;
    if ((types & set_of(row.value)) != 0 && !in_number) text += (text.empty() ? "" : " or ") + std::string(row.text);
  }
  return text;
}

StaticValue common(const StaticValue& a, const StaticValue& b) {
  if (a.type == StaticType::Null) return b;
  if (b.type == StaticType::Null) return a;
  if (a.type == b.type) {
    StaticValue both{a.type, {}};
    if (a.members.empty() || b.members.empty()) return both;
    both.members = a.members;
    both.members.insert(both.members.end(), b.members.begin(), b.members.end());
    return both;
  }
  const bool numeric = ((set_of(a.type) | set_of(b.type)) & ~kTakesNumber) == 0;
  return {numeric ? StaticType::Number : StaticType::Any, {}};
}

int compare(const Value& a, const Value& b) {
  if (a.is_string()) return a.as_string().compare(b.as_string());
  if (a.is_int() && b.is_int()) return (a.as_int() > b.as_int()) - (a.as_int() < b.as_int());
  return (a.as_double() > b.as_double()) - (a.as_double() < b.as_double());
}

std::size_t weight_bytes(const Value& value, std::size_t limit) {
  if (value.is_string()) return value.as_string().size() + 2;
  std::size_t bytes = value.is_array() || value.is_object() ? 2 : 5;
  if (value.is_array())
    for (const Value& item : value.as_array())
      if (bytes <= limit) bytes += weight_bytes(item, limit - bytes) + 1;
  if (value.is_object())
    for (const auto& [key, member] : value.as_object())
      if (bytes <= limit) bytes += key.size() + 4 + weight_bytes(member, limit - std::min(limit, bytes));
  return bytes;
}

std::size_t count_elements(const Value& value, std::size_t limit) {
  std::size_t count = 0;
  const auto add = [&](const Value& inner) {
    if (count < limit) count += 1 + count_elements(inner, limit - count - 1);
  };
  if (value.is_array()) std::for_each(value.as_array().begin(), value.as_array().end(), add);
  if (value.is_object())
    for (const auto& [key, member] : value.as_object()) add(member);
  return count;
}

}  // namespace slipway::dag
