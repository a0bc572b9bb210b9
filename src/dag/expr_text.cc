// Functions on text, and between text and other values.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>

#include "dag/expr_functions.h"
#include "dag/quoted.h"

namespace slipway::dag {
namespace {

const char* find_in(std::string_view text, std::string_view part) {
  // memmem is linear in the worst case, which std::string_view::find is not.
  return static_cast<const char*>(memmem(text.data(), text.size(), part.data(), part.size()));
}

// Calls `take` with every stretch between separators.
template <class Take>
void each_part(std::string_view text, std::string_view separator, Take take) {
  for (const char* hit = find_in(text, separator); hit != nullptr; hit = find_in(text, separator)) {
    const auto length = static_cast<std::size_t>(hit - text.data());
    take(text.substr(0, length));
    text.remove_prefix(length + separator.size());
  }
  take(text);
}

}  // namespace

Error expression_error(std::string message, std::string help) {
  return {ErrorCode::InvalidArgument, std::move(message), std::move(help)};
}
Error too_large_error() {
  return {ErrorCode::TooLarge, "the result is larger than " + std::to_string(kResultBytesMax >> 10U) + " KiB",
          "pass large data as a file or an artifact"};
}

bool is_safe_word(std::string_view text) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
  };
  return !text.empty() && plain(text.front()) &&
         std::all_of(text.begin(), text.end(), [&](char c) { return plain(c) || c == '/' || c == '-'; });
}

bool contains_text(std::string_view text, std::string_view part) {
  return part.empty() || find_in(text, part) != nullptr;
}

std::optional<std::string> scalar_text(const Value& value) {
  if (value.is_string()) return value.as_string();
  if (value.is_null() || value.is_array() || value.is_object()) return std::nullopt;
  return value.dump();
}

Result<Value> call_replace(Arguments arguments) {
  const std::string& text = arguments[0]->as_string();
  const std::string& from = arguments[1]->as_string();
  const std::string& to = arguments[2]->as_string();
  if (from.empty()) return expression_error("`replace` has no text to look for: argument 2 is empty");
  std::string out;
  bool first = true;
  bool fits = true;
  each_part(text, from, [&](std::string_view part) {
    fits = fits && out.size() + part.size() + to.size() <= kResultBytesMax + to.size();
    if (!fits) return;
    if (!first) out += to;
    out += part;
    first = false;
  });
  if (!fits) return too_large_error();
  return Value(std::move(out));
}

Result<Value> call_split(Arguments arguments) {
  const std::string& separator = arguments[1]->as_string();
  if (separator.empty()) return expression_error("`split` has no separator: argument 2 is empty");
  if (arguments[0]->as_string().size() > kResultBytesMax) return too_large_error();
  Value::Array parts;
  each_part(arguments[0]->as_string(), separator, [&](std::string_view part) { parts.emplace_back(part); });
  return Value(std::move(parts));
}

Result<Value> call_join(Arguments arguments) {
  const std::string& separator = arguments[1]->as_string();
  std::string out;
  bool first = true;
  for (const Value& item : arguments[0]->as_array()) {
    const auto text = scalar_text(item);
    if (item.is_null())
      return expression_error("null-value: `join` met null in its list", "leave them out: `join(compact(list), …)`");
    if (!text)
      return expression_error("`join` met " + std::string(item.type_name()) + " in its list",
                              "make text of it with `to_json`");
    if (!first) out += separator;
    out += *text;
    first = false;
    if (out.size() > kResultBytesMax) return too_large_error();
  }
  return Value(std::move(out));
}

Result<Value> call_string(Arguments arguments) { return Value(*scalar_text(*arguments[0])); }

Result<Value> call_int(Arguments arguments) {
  const Value& value = *arguments[0];
  if (value.is_int()) return value;
  if (value.is_double()) {
    const double whole = std::trunc(value.as_double());
    if (!(std::abs(whole) < 0x1p63)) return expression_error("`int`: " + value.dump() + " does not fit 64 bits");
    return Value(static_cast<std::int64_t>(whole));
  }
  const std::string& text = value.as_string();
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size())
    return expression_error("`int`: " + quoted(text) + " is no whole number", "`int(number(text))` cuts a fraction");
  return Value(number);
}

Result<Value> call_number(Arguments arguments) {
  const Value& value = *arguments[0];
  if (value.is_number()) return value;
  const std::string& text = value.as_string();
  if (const auto whole = call_int(arguments)) return *whole;
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(number))
    return expression_error("`number`: " + quoted(text) + " is no number");
  return Value(number);
}

Result<Value> call_json(Arguments arguments) {
  auto value = parse_json(arguments[0]->as_string(), {kResultBytesMax, 64});
  if (!value) return expression_error("`json`: " + value.error().message);
  return value;
}

}  // namespace slipway::dag
