// Typed access to the fields of a config.json, with errors that name the field and the cure.
#pragma once

#include <cstdint>
#include <string_view>

#include "slipway/base/value.h"

namespace slipway::ml {

class ConfigFields {
 public:
  explicit ConfigFields(const Value& config) : config_(&config) {}

  // Absent and null are the same.
  [[nodiscard]] bool has(std::string_view key) const;
  [[nodiscard]] const Value* find(std::string_view key) const;

  [[nodiscard]] Result<std::int64_t> integer(std::string_view key) const;
  [[nodiscard]] Result<std::int64_t> integer(std::string_view key, std::int64_t fallback) const;
  [[nodiscard]] Result<double> number(std::string_view key) const;
  [[nodiscard]] Result<double> number(std::string_view key, double fallback) const;
  [[nodiscard]] Result<bool> boolean(std::string_view key, bool fallback) const;
  [[nodiscard]] Result<std::string> text(std::string_view key, std::string_view fallback) const;

  [[nodiscard]] static Error missing(std::string_view key);
  [[nodiscard]] static Error wrong(std::string_view key, const Value& value, std::string_view wanted);

 private:
  const Value* config_;
};

}  // namespace slipway::ml
