#include "serve/fields.h"

#include <cmath>

namespace slipway::serve {
namespace {

constexpr double kWholeMax = 1e9;

}  // namespace

Problem read_number(const Value& value, double& out) {
  if (!value.is_number()) return "must be a number";
  out = value.as_double();
  return std::nullopt;
}

Problem read_whole(const Value& value, int& out) {
  double number = 0;
  if (auto problem = read_number(value, number)) return "must be a whole number";
  if (number != std::floor(number) || std::abs(number) > kWholeMax) return "must be a whole number";
  out = static_cast<int>(number);
  return std::nullopt;
}

Problem read_flag(const Value& value, bool& out) {
  if (!value.is_bool()) return "must be true or false";
  out = value.as_bool();
  return std::nullopt;
}

Problem read_text(const Value& value, std::string& out) {
  if (!value.is_string()) return "must be text";
  out = value.as_string();
  return std::nullopt;
}

Problem read_stop(const Value& value, std::vector<std::string>& out) {
  constexpr std::size_t kStopsMax = 32;
  if (value.is_string()) {
    out = {value.as_string()};
    return std::nullopt;
  }
  if (!value.is_array() || value.as_array().size() > kStopsMax) return "must be text or a list of at most 32 texts";
  for (const auto& item : value.as_array()) {
    if (!item.is_string()) return "must be text or a list of texts";
    out.push_back(item.as_string());
  }
  return std::nullopt;
}

Problem read_ids(const Value& value, std::vector<std::int32_t>& out) {
  if (!value.is_array()) return "must be a list of token ids";
  for (const auto& item : value.as_array()) {
    int id = 0;
    if (read_whole(item, id)) return "must be a list of token ids";
    out.push_back(id);
  }
  return std::nullopt;
}

Problem read_seed(const Value& value, std::optional<std::uint64_t>& out) {
  if (!value.is_int()) return "must be a whole number";
  out = static_cast<std::uint64_t>(value.as_int());
  return std::nullopt;
}

}  // namespace slipway::serve
