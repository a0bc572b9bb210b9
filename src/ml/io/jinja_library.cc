#include "ml/io/jinja_library.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "ml/io/unicode.h"

namespace slipway::ml::jinja {
namespace {

constexpr std::size_t kElementsMax = 16U << 20U;  // of a text or list, before it grows
constexpr std::string_view kBlanks = " \t\n\r\f\v";

Error wrong(std::string_view what, const Item& item) {
  const std::string subject =
      item.defined ? std::string(item.value.type_name()) : fmt::format("undefined `{}`", item.name);
  return {ErrorCode::InvalidArgument, fmt::format("{} of {}", what, subject), {}};
}

std::vector<std::string> code_points(std::string_view text) {
  std::vector<std::string> out;
  for (std::size_t at = 0; at < text.size();) {
    const std::uint32_t size = code_point_at(text, at).size;
    out.emplace_back(text.substr(at, size));
    at += size;
  }
  return out;
}

// str.isspace: White_Space and the four separators of ASCII.
bool is_blank(char32_t c) { return is_space(c) || (c >= 0x1C && c <= 0x1F); }

// str.strip(characters): without characters, blanks.
std::string strip(std::string_view text, std::string_view characters, bool left, bool right) {
  const std::vector<std::string> points = code_points(text);
  const auto goes = [&](const std::string& point) {
    return characters.empty() ? is_blank(code_point_at(point, 0).value)
                              : characters.find(point) != std::string_view::npos;
  };
  std::size_t begin = 0;
  std::size_t end = points.size();
  while (left && begin < end && goes(points[begin])) ++begin;
  while (right && end > begin && goes(points[end - 1])) --end;
  std::string out;
  for (std::size_t i = begin; i < end; ++i) out += points[i];
  return out;
}

std::string ascii_case(std::string text, bool upper) {
  for (char& c : text) {
    if (upper && c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
    if (!upper && c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return text;
}

std::string capitalized(std::string text, bool every_word) {
  text = ascii_case(std::move(text), false);
  bool start = true;
  for (char& c : text) {
    const bool letter = c >= 'a' && c <= 'z';
    if (letter && start) c = static_cast<char>(c - 32);
    start = every_word && !letter && static_cast<unsigned char>(c) < 0x80;
  }
  return text;
}

std::string replaced(std::string_view text, std::string_view from, std::string_view to) {
  std::string out;
  std::size_t done = 0;
  for (std::size_t hit; !from.empty() && (hit = text.find(from, done)) != std::string_view::npos;
       done = hit + from.size())
    out.append(text.substr(done, hit - done)).append(to);
  return out.append(text.substr(done));
}

std::string quoted(const Value& value) {
  if (!value.is_string()) return to_text(Item(value));
  const bool single = value.as_string().find('\'') == std::string::npos;
  const std::string escaped = replaced(replaced(value.as_string(), "\\", "\\\\"), "\n", "\\n");
  return single ? "'" + escaped + "'" : "\"" + escaped + "\"";
}

// json.dumps: ", " and ": ", insertion order is not kept (keys are sorted), no escaping of what is no ASCII.
std::string json_text(const Value& value) {
  std::string out;
  if (value.is_array()) {
    for (const Value& item : value.as_array()) out += (out.empty() ? "" : ", ") + json_text(item);
    return "[" + out + "]";
  }
  if (value.is_object()) {
    for (const auto& [key, item] : value.as_object())
      out += (out.empty() ? "" : ", ") + Value(key).dump() + ": " + json_text(item);
    return "{" + out + "}";
  }
  return value.dump();
}

Value::Array split(const std::string& text, const std::string& by) {
  Value::Array parts;
  if (by.empty()) {
    for (std::size_t at = 0; (at = text.find_first_not_of(kBlanks, at)) != std::string::npos;) {
      const std::size_t end = std::min(text.find_first_of(kBlanks, at), text.size());
      parts.emplace_back(text.substr(at, end - at));
      at = end;
    }
    return parts;
  }
  std::size_t done = 0;
  for (std::size_t hit; (hit = text.find(by, done)) != std::string::npos; done = hit + by.size())
    parts.emplace_back(text.substr(done, hit - done));
  parts.emplace_back(text.substr(done));
  return parts;
}

Value::Array pairs_of(const Value& object) {
  Value::Array pairs;
  for (const auto& [key, value] : object.as_object()) pairs.emplace_back(Value::Array{Value(key), value});
  return pairs;
}

std::string argument_text(const Arguments& arguments, std::size_t index, std::string_view fallback) {
  return index < arguments.size() && arguments[index].value.is_string() ? arguments[index].value.as_string()
                                                                        : std::string(fallback);
}

Result<Item> string_method(std::string_view name, const std::string& text, const Arguments& arguments) {
  if (name == "strip") return Item(strip(text, argument_text(arguments, 0, ""), true, true));
  if (name == "lstrip") return Item(strip(text, argument_text(arguments, 0, ""), true, false));
  if (name == "rstrip") return Item(strip(text, argument_text(arguments, 0, ""), false, true));
  if (name == "upper" || name == "lower") return Item(ascii_case(text, name == "upper"));
  if (name == "title" || name == "capitalize") return Item(capitalized(text, name == "title"));
  if (name == "startswith") return Item(Value(text.starts_with(argument_text(arguments, 0, ""))));
  if (name == "endswith") return Item(Value(text.ends_with(argument_text(arguments, 0, ""))));
  if (name == "replace") return Item(replaced(text, argument_text(arguments, 0, ""), argument_text(arguments, 1, "")));
  if (name == "split") return Item(split(text, argument_text(arguments, 0, "")));
  return Error{ErrorCode::Unsupported, fmt::format("the method `{}` of a string is not in the subset", name), {}};
}

Result<Item> object_method(std::string_view name, const Value& object, const Arguments& arguments) {
  if (name == "items") return Item(pairs_of(object));
  if (name == "get" && !arguments.empty()) {
    const Value* found = object.find(argument_text(arguments, 0, ""));
    return Item(found != nullptr ? *found : arguments.size() > 1 ? arguments[1].value : Value());
  }
  if (name == "keys" || name == "values") {
    Value::Array list;
    for (const auto& [key, value] : object.as_object()) list.push_back(name == "keys" ? Value(key) : value);
    return Item(std::move(list));
  }
  return Error{ErrorCode::Unsupported, fmt::format("the method `{}` of an object is not in the subset", name), {}};
}

Result<Item> whole_arithmetic(std::string_view op, std::int64_t a, std::int64_t b) {
  std::int64_t result = 0;
  bool overflow = false;
  if (op == "+") overflow = __builtin_add_overflow(a, b, &result);
  if (op == "-") overflow = __builtin_sub_overflow(a, b, &result);
  if (op == "*") overflow = __builtin_mul_overflow(a, b, &result);
  if (op == "//" || op == "%") {
    if (b == 0 || (b == -1 && a == INT64_MIN)) return Error{ErrorCode::InvalidArgument, "division by zero", {}};
    const std::int64_t remainder = a % b;
    const bool down = remainder != 0 && (remainder < 0) != (b < 0);  // Python rounds down
    result = op == "//" ? a / b - (down ? 1 : 0) : remainder + (down ? b : 0);
  }
  if (overflow) return Error{ErrorCode::InvalidArgument, "a number is too large", {}};
  return Item(Value(result));
}

}  // namespace

bool truthy(const Item& item) {
  const Value& v = item.value;
  if (!item.defined || v.is_null()) return false;
  if (v.is_bool()) return v.as_bool();
  if (v.is_number()) return v.as_double() != 0;
  if (v.is_string()) return !v.as_string().empty();
  return v.is_array() ? !v.as_array().empty() : !v.as_object().empty();
}

std::string to_text(const Item& item) {
  const Value& v = item.value;
  if (!item.defined) return {};
  if (v.is_null()) return "None";
  if (v.is_bool()) return v.as_bool() ? "True" : "False";
  if (v.is_string()) return v.as_string();
  if (v.is_number()) return v.dump();
  std::string out;
  if (v.is_array()) {
    for (const Value& one : v.as_array()) out += (out.empty() ? "" : ", ") + quoted(one);
    return "[" + out + "]";
  }
  for (const auto& [key, one] : v.as_object())
    out += (out.empty() ? "" : ", ") + quoted(Value(key)) + ": " + quoted(one);
  return "{" + out + "}";
}

Result<Value::Array> elements(const Item& item) {
  if (!item.defined) return Value::Array{};
  if (item.value.is_array()) return item.value.as_array();
  Value::Array list;
  if (item.value.is_object()) {
    for (const auto& [key, value] : item.value.as_object()) list.emplace_back(key);
    return list;
  }
  if (!item.value.is_string()) return wrong("cannot loop over the elements", item);
  for (std::string& character : code_points(item.value.as_string())) list.emplace_back(std::move(character));
  return list;
}

Result<Item> subscript(const Item& subject, const Value& key) {
  if (!subject.defined) return wrong("cannot take a member", subject);
  const Value& v = subject.value;
  if (v.is_object() && key.is_string()) {
    const Value* found = v.find(key.as_string());
    return found != nullptr ? Item(*found) : Item::undefined(key.as_string());
  }
  if (key.is_int() && (v.is_array() || v.is_string())) {
    SLIPWAY_TRY_ASSIGN(const Value::Array items, elements(subject));
    const auto count = static_cast<std::int64_t>(items.size());
    const std::int64_t at = key.as_int() < 0 ? key.as_int() + count : key.as_int();
    return at >= 0 && at < count ? Item(items[static_cast<std::size_t>(at)]) : Item::undefined(key.dump());
  }
  return Item::undefined(to_text(Item(key)));
}

Result<Item> slice(const Item& subject, const Value& begin, const Value& end, const Value& step) {
  const bool text = subject.value.is_string();
  if (!subject.defined || (!text && !subject.value.is_array())) return wrong("cannot take a slice", subject);
  SLIPWAY_TRY_ASSIGN(const Value::Array items, elements(subject));
  const auto count = static_cast<std::int64_t>(items.size());
  const std::int64_t by = step.is_int() ? step.as_int() : 1;
  if (by == 0) return Error{ErrorCode::InvalidArgument, "a slice with step 0", {}};
  const auto bound = [&](const Value& value, std::int64_t fallback) {
    if (!value.is_int()) return fallback;
    const std::int64_t at = value.as_int() < 0 ? value.as_int() + count : value.as_int();
    return std::clamp(at, by > 0 ? std::int64_t{0} : std::int64_t{-1}, by > 0 ? count : count - 1);
  };
  const std::int64_t last = bound(end, by > 0 ? count : -1);
  Value::Array out;
  for (std::int64_t at = bound(begin, by > 0 ? 0 : count - 1); by > 0 ? at < last : at > last; at += by)
    out.push_back(items[static_cast<std::size_t>(at)]);
  if (!text) return Item(std::move(out));
  std::string joined;
  for (const Value& one : out) joined += one.as_string();
  return Item(std::move(joined));
}

Result<bool> contains(const Item& container, const Item& item) {
  const Value& v = container.value;
  if (!container.defined) return false;
  if (v.is_array()) return std::find(v.as_array().begin(), v.as_array().end(), item.value) != v.as_array().end();
  if (!item.value.is_string()) return wrong("cannot look for an element", container);
  if (v.is_string()) return v.as_string().find(item.value.as_string()) != std::string::npos;
  if (v.is_object()) return v.find(item.value.as_string()) != nullptr;
  return wrong("cannot look for an element", container);
}

Result<Item> compare(std::string_view op, const Item& left, const Item& right) {
  const bool numbers = left.value.is_number() && right.value.is_number();
  const bool texts = left.value.is_string() && right.value.is_string();
  if (!numbers && !texts) return wrong(fmt::format("cannot compare by {}", op), left);
  const int order =
      numbers ? (left.value.as_double() > right.value.as_double()) - (left.value.as_double() < right.value.as_double())
              : left.value.as_string().compare(right.value.as_string());
  if (op == "<") return Item(Value(order < 0));
  if (op == "<=") return Item(Value(order <= 0));
  return Item(Value(op == ">" ? order > 0 : order >= 0));
}

Result<Item> arithmetic(std::string_view op, const Item& left, const Item& right) {
  const Value& a = left.value;
  const Value& b = right.value;
  const std::size_t size = a.is_string() ? a.as_string().size() : a.is_array() ? a.as_array().size() : 0;
  if (size > kElementsMax) return Error{ErrorCode::TooLarge, "a value grows without end", {}};
  if (op == "+" && a.is_string() && b.is_string()) return Item(a.as_string() + b.as_string());
  if (op == "+" && a.is_array() && b.is_array()) {
    Value::Array both = a.as_array();
    both.insert(both.end(), b.as_array().begin(), b.as_array().end());
    return Item(std::move(both));
  }
  if (a.is_int() && b.is_int() && op != "/") return whole_arithmetic(op, a.as_int(), b.as_int());
  if (!a.is_number() || !b.is_number())
    return wrong(fmt::format("cannot compute {}", op), a.is_number() ? right : left);
  const double x = a.as_double();
  const double y = b.as_double();
  if (op == "+") return Item(Value(x + y));
  if (op == "-") return Item(Value(x - y));
  if (op == "*") return Item(Value(x * y));
  if (y == 0) return Error{ErrorCode::InvalidArgument, "division by zero", {}};
  if (op == "/") return Item(Value(x / y));
  return Item(Value(op == "//" ? std::floor(x / y) : x - y * std::floor(x / y)));
}

Result<Item> apply_filter(std::string_view name, Item subject, const Arguments& arguments) {
  if (name == "default" || name == "d") {
    const bool also_falsy = arguments.size() > 1 && truthy(arguments[1]);
    const bool use = !subject.defined || (also_falsy && !truthy(subject));
    return use ? (arguments.empty() ? Item(Value("")) : arguments[0]) : subject;
  }
  if (name == "safe") return subject;
  if (name == "string") return Item(to_text(subject));
  if (name == "tojson") {
    if (!subject.defined) return wrong("cannot make JSON", subject);
    const bool pretty = !arguments.empty() && arguments[0].value.is_int();
    return Item(pretty ? subject.value.dump_pretty(
                             static_cast<int>(std::clamp<std::int64_t>(arguments[0].value.as_int(), 0, 16)))
                       : json_text(subject.value));
  }
  if (name == "int") {
    if (subject.value.is_number()) return Item(Value(static_cast<std::int64_t>(subject.value.as_double())));
    const auto number = parse_json(to_text(subject));
    return Item(number && number->is_int() ? *number : Value(0));
  }
  if (name == "items") return call_method(name, subject, arguments);
  if (name == "trim") return Item(strip(to_text(subject), argument_text(arguments, 0, ""), true, true));
  if (name == "upper" || name == "lower" || name == "replace" || name == "title" || name == "capitalize")
    return string_method(name, to_text(subject), arguments);
  SLIPWAY_TRY_ASSIGN(Value::Array items, elements(subject));
  if (name == "length" || name == "count") return Item(Value(std::uint64_t{items.size()}));
  if (name == "first") return items.empty() ? Item::undefined("first") : Item(items.front());
  if (name == "last") return items.empty() ? Item::undefined("last") : Item(items.back());
  if (name == "list") return Item(std::move(items));
  SLIPWAY_ASSERT(name == "join");
  std::string out;
  const std::string separator = argument_text(arguments, 0, "");
  for (std::size_t i = 0; i < items.size(); ++i) out += (i == 0 ? "" : separator) + to_text(Item(items[i]));
  return Item(std::move(out));
}

Result<Item> apply_test(std::string_view name, const Item& subject, const Arguments& arguments) {
  const Value& v = subject.value;
  const auto answer = [](bool yes) { return Item(Value(yes)); };
  if (name == "defined") return answer(subject.defined);
  if (name == "undefined") return answer(!subject.defined);
  if (!subject.defined) return answer(false);
  if (name == "none") return answer(v.is_null());
  if (name == "string") return answer(v.is_string());
  if (name == "mapping") return answer(v.is_object());
  if (name == "iterable" || name == "sequence") return answer(v.is_array() || v.is_string() || v.is_object());
  if (name == "number") return answer(v.is_number());
  if (name == "integer") return answer(v.is_int());
  if (name == "boolean") return answer(v.is_bool());
  if (name == "true" || name == "false") return answer(v.is_bool() && v.as_bool() == (name == "true"));
  if (arguments.empty())
    return Error{ErrorCode::InvalidArgument, fmt::format("the test `{}` needs an argument", name), {}};
  if (name == "in") {
    SLIPWAY_TRY_ASSIGN(const bool found, contains(arguments[0], subject));
    return answer(found);
  }
  return answer((v == arguments[0].value) == (name != "ne"));
}

Result<Item> call_function(std::string_view name, const Arguments& arguments, const std::vector<std::string>& names) {
  if (name == "raise_exception")
    return Error{ErrorCode::InvalidArgument, argument_text(arguments, 0, "the template refuses"), {}};
  if (name == "namespace" || name == "dict") {
    Value::Object object;
    for (std::size_t i = 0; i < arguments.size(); ++i)
      if (!names[i].empty()) object.insert_or_assign(names[i], arguments[i].value);
    return Item(Value(std::move(object)));
  }
  if (name == "range") {
    for (const Item& one : arguments)
      if (!one.value.is_int()) return wrong("cannot take the range", one);
    const std::int64_t begin = arguments.size() > 1 ? arguments[0].value.as_int() : 0;
    const std::int64_t end = arguments.empty() ? 0 : arguments[arguments.size() > 1 ? 1 : 0].value.as_int();
    const std::int64_t step = arguments.size() > 2 ? arguments[2].value.as_int() : 1;
    if (step == 0 || std::abs(static_cast<double>(end) - static_cast<double>(begin)) > 1e6)
      return Error{ErrorCode::InvalidArgument, "a range without end", {}};
    Value::Array list;
    for (std::int64_t i = begin; step > 0 ? i < end : i > end; i += step) list.emplace_back(i);
    return Item(std::move(list));
  }
  return Error{ErrorCode::Unsupported, fmt::format("the function `{}` is not in the subset", name), {}};
}

Result<Item> call_method(std::string_view name, const Item& subject, const Arguments& arguments) {
  if (subject.defined && subject.value.is_string()) return string_method(name, subject.value.as_string(), arguments);
  if (subject.defined && subject.value.is_object()) return object_method(name, subject.value, arguments);
  return wrong(fmt::format("cannot call `{}`", name), subject);
}

}  // namespace slipway::ml::jinja
