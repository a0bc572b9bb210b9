#include "dag/scalar_rules.h"

#include <algorithm>
#include <array>
#include <regex>

#include "slipway/base/time.h"

namespace slipway::dag {
namespace {

constexpr std::array<std::string_view, 13> kSuffixes{"",  "m",  "k",  "M",  "G",  "T", "P",
                                                     "E", "Ki", "Mi", "Gi", "Ti", "Pi"};

// What the suffixes stand for, in the same order.
constexpr std::array<double, 13> kUnits{1,    1e-3,   1e3,    1e6,    1e9,    1e12,  1e15,
                                        1e18, 0x1p10, 0x1p20, 0x1p30, 0x1p40, 0x1p50};

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_alpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

std::size_t count_digits(std::string_view text) {
  return static_cast<std::size_t>(std::find_if_not(text.begin(), text.end(), is_digit) - text.begin());
}

// Removes [0-9]{1,18}(\.[0-9]{1,9})? from the front.
bool take_decimal(std::string_view& text) {
  const std::size_t whole = count_digits(text);
  if (whole == 0 || whole > 18) return false;
  text.remove_prefix(whole);
  if (!text.starts_with('.')) return true;
  const std::size_t fraction = count_digits(text.substr(1));
  if (fraction == 0 || fraction > 9) return false;
  text.remove_prefix(1 + fraction);
  return true;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

std::string without_spaces(std::string_view text) {
  std::string out(text);
  std::erase(out, ' ');
  return out;
}

}  // namespace

std::string_view pattern_of(ScalarType type) {
  switch (type) {
    case ScalarType::Duration:
      return "^(?=.)([0-9]{1,12}(\\.[0-9]{1,9})?d)?([0-9]{1,12}(\\.[0-9]{1,9})?h)?([0-9]{1,12}(\\.[0-9]{1,9})?m)?"
             "([0-9]{1,12}(\\.[0-9]{1,9})?s)?([0-9]{1,12}(\\.[0-9]{1,9})?ms)?([0-9]{1,12}(\\.[0-9]{1,9})?us)?$";
    case ScalarType::Quantity: return "^[0-9]{1,18}(\\.[0-9]{1,9})?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi)?$";
    case ScalarType::Factor: return "^x[0-9]{1,18}(\\.[0-9]{1,9})?$";
    case ScalarType::Id: return "^[a-z0-9]([-a-z0-9._]{0,98}[a-z0-9])?$";
    case ScalarType::Name: return "^[A-Za-z_][A-Za-z0-9_]{0,99}$";
    case ScalarType::Prose:
    case ScalarType::Text:
    case ScalarType::Template:
    case ScalarType::Value:
    case ScalarType::Boolean:
    case ScalarType::Integer:
    case ScalarType::Number:
    case ScalarType::Word:
    case ScalarType::Any:
    case ScalarType::Json:
    case ScalarType::Object: return {};
  }
  return {};
}

bool is_name(std::string_view text) {
  const auto in_name = [](char c) { return is_alpha(c) || is_digit(c) || c == '_'; };
  return !text.empty() && text.size() <= 100 && !is_digit(text.front()) &&
         std::all_of(text.begin(), text.end(), in_name);
}

bool is_quantity(std::string_view text) {
  return take_decimal(text) && std::find(kSuffixes.begin(), kSuffixes.end(), text) != kSuffixes.end();
}

std::optional<double> quantity_of(std::string_view text) {
  std::string_view rest = text;
  const auto* const suffix = take_decimal(rest) ? std::find(kSuffixes.begin(), kSuffixes.end(), rest) : kSuffixes.end();
  if (suffix == kSuffixes.end()) return std::nullopt;
  return std::stod(std::string(text.substr(0, text.size() - rest.size()))) *
         kUnits[static_cast<std::size_t>(suffix - kSuffixes.begin())];
}

bool is_factor(std::string_view text) {
  if (!text.starts_with('x')) return false;
  text.remove_prefix(1);
  return take_decimal(text) && text.empty();
}

// Grammar of distribution/reference, without its rarely used forms. The first component is a host if it has a dot or
// port or is localhost.
bool is_image(std::string_view text) {
  static const std::regex kImage(
      "^((localhost|[A-Za-z0-9-]+(\\.[A-Za-z0-9-]+)+|[A-Za-z0-9.-]+(?=:[0-9]+/))(:[0-9]{1,5})?/)?"
      "[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*)*"
      "(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[0-9a-f]{64})?$");
  return text.size() <= 500 && std::regex_match(text.begin(), text.end(), kImage);
}

std::string meant_duration(std::string_view text) {
  const std::string packed = lower(without_spaces(text));
  std::string out;
  for (std::string_view rest = packed; !rest.empty();) {
    const std::string_view before = rest;
    if (!take_decimal(rest)) return {};
    out += before.substr(0, before.size() - rest.size());
    const auto word =
        rest.substr(0, static_cast<std::size_t>(std::find_if_not(rest.begin(), rest.end(), is_alpha) - rest.begin()));
    rest.remove_prefix(word.size());
    if (word.starts_with("ms") || word.starts_with("milli")) {
      out += "ms";
    } else if (word.empty()) {
      out += 's';
    } else {
      out += word.front();
    }
  }
  return out != text && parse_duration(out) ? out : std::string();
}

std::string meant_quantity(std::string_view text) {
  const std::string packed = without_spaces(text);
  std::string_view rest = packed;
  if (!take_decimal(rest)) return {};
  const std::string number = packed.substr(0, packed.size() - rest.size());
  std::string suffix = lower(rest);
  if (suffix.size() > 1 && suffix.back() == 'b') suffix.pop_back();
  for (const auto known : kSuffixes)
    if (!known.empty() && lower(known) == suffix && number + std::string(known) != text)
      return number + std::string(known);
  return {};
}

}  // namespace slipway::dag
