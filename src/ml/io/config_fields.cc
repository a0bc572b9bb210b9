#include "ml/io/config_fields.h"

#include <fmt/format.h>

namespace slipway::ml {

const Value* ConfigFields::find(std::string_view key) const {
  const Value* value = config_->find(key);
  return value != nullptr && !value->is_null() ? value : nullptr;
}

bool ConfigFields::has(std::string_view key) const { return find(key) != nullptr; }

Error ConfigFields::missing(std::string_view key) {
  return {ErrorCode::Corrupt, fmt::format("`{}` is missing", key),
          "take the config.json that was published with the weights, unchanged"};
}

Error ConfigFields::wrong(std::string_view key, const Value& value, std::string_view wanted) {
  return {ErrorCode::Corrupt, fmt::format("`{}` is {}, which is no {}", key, value.dump().substr(0, 60), wanted),
          "take the config.json that was published with the weights, unchanged"};
}

Result<std::int64_t> ConfigFields::integer(std::string_view key) const {
  const Value* value = find(key);
  if (value == nullptr) return missing(key);
  if (!value->is_int()) return wrong(key, *value, "integer");
  return value->as_int();
}

Result<std::int64_t> ConfigFields::integer(std::string_view key, std::int64_t fallback) const {
  if (!has(key)) return fallback;
  return integer(key);
}

Result<double> ConfigFields::number(std::string_view key) const {
  const Value* value = find(key);
  if (value == nullptr) return missing(key);
  if (!value->is_number()) return wrong(key, *value, "number");
  return value->as_double();
}

Result<double> ConfigFields::number(std::string_view key, double fallback) const {
  if (!has(key)) return fallback;
  return number(key);
}

Result<bool> ConfigFields::boolean(std::string_view key, bool fallback) const {
  const Value* value = find(key);
  if (value == nullptr) return fallback;
  if (!value->is_bool()) return wrong(key, *value, "boolean");
  return value->as_bool();
}

Result<std::string> ConfigFields::text(std::string_view key, std::string_view fallback) const {
  const Value* value = find(key);
  if (value == nullptr) return std::string(fallback);
  if (!value->is_string()) return wrong(key, *value, "text");
  return value->as_string();
}

}  // namespace slipway::ml
