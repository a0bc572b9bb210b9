#include "steps/python.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>

#include "steps/utf8.h"

namespace slipway::steps {
namespace {

// pandas' STR_NA_VALUES.
constexpr std::array<std::string_view, 19> kMissing = {
    "",     "#N/A", "#N/A N/A", "#NA",  "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN",
    "<NA>", "N/A",  "NA",       "NULL", "NaN",     "None",     "n/a",  "nan",  "null"};

std::string_view without_blanks(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") + 1 - begin);
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return out;
}

std::optional<std::int64_t> whole_number(std::string_view field) {
  std::string_view text = without_blanks(field);
  if (text.starts_with('+') && text.substr(1).find_first_of("+-") != 0) text.remove_prefix(1);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

std::optional<double> real_number(std::string_view field) {
  std::string_view text = without_blanks(field);
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  const std::string word = lower(text);
  double value = 0;
  if (word == "inf" || word == "infinity") {
    value = std::numeric_limits<double>::infinity();
  } else {
    // from_chars also knows "nan" and a sign, which are not numbers here.
    if (text.empty() || text.find_first_not_of("0123456789.eE+-") != std::string_view::npos || text[0] == '-' ||
        text[0] == '+')
      return std::nullopt;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (end != text.data() + text.size() || error == std::errc::invalid_argument) return std::nullopt;
    if (error == std::errc::result_out_of_range) value = text.find("e-") != std::string_view::npos ? 0.0 : HUGE_VAL;
  }
  return negative ? -value : value;
}

std::optional<bool> truth(std::string_view field) {
  if (field == "True" || field == "TRUE" || field == "true") return true;
  if (field == "False" || field == "FALSE" || field == "false") return false;
  return std::nullopt;
}

using Column = std::vector<std::optional<std::string>>;

// The fields that are there by `parse` and `print`; nullopt if one of them does not parse.
template <class Parse, class Print>
std::optional<Column> converted(const std::vector<std::string>& fields, Parse parse, Print print) {
  Column column;
  bool any = false;
  for (const std::string& field : fields) {
    if (is_missing(field)) {
      column.emplace_back(std::nullopt);
      continue;
    }
    const auto value = parse(field);
    if (!value) return std::nullopt;
    column.emplace_back(print(*value));
    any = true;
  }
  return any ? std::optional(std::move(column)) : std::nullopt;
}

}  // namespace

std::string json_string(std::string_view text) {
  std::string out = "\"";
  while (!text.empty()) {
    const char32_t c = take_code_point(text);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += static_cast<char>(c);
    } else if (c >= 0x20 && c < 0x7F) {
      out += static_cast<char>(c);
    } else if (const auto at = std::u32string_view(U"\n\r\t\b\f").find(c); at != std::u32string_view::npos) {
      out += '\\';
      out += "nrtbf"[at];
    } else if (c < 0x10000) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      const unsigned rest = static_cast<unsigned>(c) - 0x10000;
      out += fmt::format("\\u{:04x}\\u{:04x}", 0xD800 + (rest >> 10U), 0xDC00 + (rest & 0x3FFU));
    }
  }
  return out + "\"";
}

std::string float_repr(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  char buffer[40];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific).ptr;
  const std::string_view shortest(buffer, static_cast<std::size_t>(end - buffer));
  const std::size_t e = shortest.find('e');
  int exponent = 0;
  const std::size_t digits = e + (shortest[e + 1] == '+' ? 2 : 1);
  std::from_chars(shortest.data() + digits, shortest.data() + shortest.size(), exponent);
  if (exponent < -4 || exponent >= 16) return std::string(shortest);  // both write at least two digits of it
  const auto fixed_end = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::fixed).ptr;
  std::string fixed(buffer, fixed_end);
  return fixed.find('.') == std::string::npos ? fixed + ".0" : fixed;
}

bool is_missing(std::string_view field) { return std::find(kMissing.begin(), kMissing.end(), field) != kMissing.end(); }

std::vector<std::optional<std::string>> typed_column(const std::vector<std::string>& fields) {
  const bool gaps =
      std::any_of(fields.begin(), fields.end(), [](const std::string& field) { return is_missing(field); });
  const auto print_whole = [&](std::int64_t value) {
    return gaps ? float_repr(static_cast<double>(value)) : std::to_string(value);
  };
  if (auto column = converted(fields, whole_number, print_whole)) return *column;
  const bool only_digits = std::all_of(fields.begin(), fields.end(), [](const std::string& field) {
    return is_missing(field) || without_blanks(field).find_first_not_of("0123456789+-") == std::string_view::npos;
  });
  if (!only_digits)
    if (auto column = converted(fields, real_number, float_repr)) return *column;
  if (auto column = converted(fields, truth, [](bool value) { return std::string(value ? "True" : "False"); }))
    return *column;
  const auto as_is = [](const std::string& field) { return std::optional(field); };
  return converted(fields, as_is, [](const std::string& field) { return field; })
      .value_or(Column(fields.size(), std::nullopt));
}

}  // namespace slipway::steps
