#include "text/scalar.h"

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>

namespace slipway::text {
namespace {

bool is_one_of(std::string_view text, std::initializer_list<std::string_view> words) {
  for (const auto word : words)
    if (text == word) return true;
  return false;
}

std::size_t count_digits(std::string_view text) {
  const auto end = text.find_first_not_of("0123456789");
  return end == std::string_view::npos ? text.size() : end;
}

// [-+]?[0-9]+ | 0o[0-7]+ | 0x[0-9a-fA-F]+, as far as it fits.
bool read_integer(std::string_view text, std::int64_t& out) {
  int base = 10;
  if (text.starts_with("0o") || text.starts_with("0x")) {
    base = text[1] == 'o' ? 8 : 16;
    text.remove_prefix(2);
    if (text.empty() || text.front() == '-') return false;
  } else if (text.starts_with('+')) {
    text.remove_prefix(1);
    if (text.starts_with('-')) return false;
  }
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out, base);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

// [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)? | [-+]?\.inf | \.nan
bool read_number(std::string_view text, double& out) {
  const std::string_view whole = text;
  if (is_one_of(text, {".nan", ".NaN", ".NAN"})) {
    out = std::numeric_limits<double>::quiet_NaN();
    return true;
  }
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  if (is_one_of(text, {".inf", ".Inf", ".INF"})) {
    out = whole.front() == '-' ? -HUGE_VAL : HUGE_VAL;
    return true;
  }
  const std::size_t before = count_digits(text);
  text.remove_prefix(before);
  std::size_t after = 0;
  if (text.starts_with('.')) {
    after = count_digits(text.substr(1));
    text.remove_prefix(1 + after);
  }
  if (before + after == 0) return false;
  if (text.starts_with('e') || text.starts_with('E')) {
    text.remove_prefix(1);
    if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
    const std::size_t exponent = count_digits(text);
    if (exponent == 0) return false;
    text.remove_prefix(exponent);
  }
  if (!text.empty()) return false;
  const std::string_view digits = whole.front() == '+' ? whole.substr(1) : whole;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), out);
  if (error == std::errc::result_out_of_range) out = std::strtod(std::string(digits).c_str(), nullptr);
  return true;
}

}  // namespace

void resolve_plain(Node& node) {
  const std::string_view text = node.scalar;
  if (is_one_of(text, {"", "~", "null", "Null", "NULL"})) {
    node.kind = NodeKind::Null;
  } else if (is_one_of(text, {"true", "True", "TRUE", "false", "False", "FALSE"})) {
    node.kind = NodeKind::Boolean;
    node.boolean = text.front() == 't' || text.front() == 'T';
  } else if (read_integer(text, node.integer)) {
    node.kind = NodeKind::Integer;
    node.number = static_cast<double>(node.integer);
  } else if (read_number(text, node.number)) {
    node.kind = NodeKind::Number;
  } else {
    node.kind = NodeKind::Text;
  }
}

}  // namespace slipway::text
