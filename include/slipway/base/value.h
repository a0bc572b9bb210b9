// A JSON value. Integers stay integers (params, map indexes), objects keep their keys sorted, so that two
// equal values always print alike. No third-party type appears here; the parser behind it is nlohmann-json.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "slipway/base/result.h"

namespace slipway {

class Value {
 public:
  using Array = std::vector<Value>;
  using Object = std::map<std::string, Value, std::less<>>;

  Value() = default;  // null
  Value(std::nullptr_t) {}
  Value(bool b) : data_(b) {}
  Value(int i) : data_(std::int64_t{i}) {}
  Value(std::int64_t i) : data_(i) {}
  Value(std::uint64_t u) : data_(static_cast<std::int64_t>(u)) {}  // u must fit int64
  Value(double d) : data_(d) {}
  Value(const char* s) : data_(std::string(s)) {}
  Value(std::string_view s) : data_(std::string(s)) {}
  Value(std::string s) : data_(std::move(s)) {}
  Value(Array a) : data_(std::move(a)) {}
  Value(Object o) : data_(std::move(o)) {}

  [[nodiscard]] bool is_null() const { return data_.index() == 0; }
  [[nodiscard]] bool is_bool() const { return data_.index() == 1; }
  [[nodiscard]] bool is_int() const { return data_.index() == 2; }
  [[nodiscard]] bool is_double() const { return data_.index() == 3; }
  [[nodiscard]] bool is_number() const { return is_int() || is_double(); }
  [[nodiscard]] bool is_string() const { return data_.index() == 4; }
  [[nodiscard]] bool is_array() const { return data_.index() == 5; }
  [[nodiscard]] bool is_object() const { return data_.index() == 6; }

  // "null", "boolean", "integer", "number", "string", "array" or "object".
  [[nodiscard]] std::string_view type_name() const;

  // Each asserts that the value has that type; as_double also takes an integer.
  [[nodiscard]] bool as_bool() const;
  [[nodiscard]] std::int64_t as_int() const;
  [[nodiscard]] double as_double() const;
  [[nodiscard]] const std::string& as_string() const;
  [[nodiscard]] const Array& as_array() const;
  [[nodiscard]] Array& as_array();
  [[nodiscard]] const Object& as_object() const;
  [[nodiscard]] Object& as_object();

  // The member `key`, or nullptr if this is no object or has no such key.
  [[nodiscard]] const Value* find(std::string_view key) const;
  // The member as text / integer, or the fallback if absent or of another type.
  [[nodiscard]] std::string get_string(std::string_view key, std::string_view fallback = {}) const;
  [[nodiscard]] std::int64_t get_int(std::string_view key, std::int64_t fallback = 0) const;
  // Inserts null where `key` is absent; a null value becomes an object first.
  Value& operator[](std::string_view key);

  // Compact JSON, keys sorted, no spaces. Bytes that are no UTF-8 become U+FFFD; a non-finite number is null.
  [[nodiscard]] std::string dump() const;
  // The same with line breaks and `indent` spaces.
  [[nodiscard]] std::string dump_pretty(int indent = 2) const;

  // 1 == 1.0 holds; otherwise types differ means unequal.
  friend bool operator==(const Value& a, const Value& b);

 private:
  std::variant<std::monostate, bool, std::int64_t, double, std::string, Array, Object> data_;
};

// Limits for text from outside; the defaults suit API bodies.
struct JsonLimits {
  std::size_t bytes_max = 16U << 20U;
  int depth_max = 64;
  bool unique_keys = false;  // a repeated key is an error; otherwise the last wins
};

// Strict RFC 8259: one value, no comments. The error names the byte.
[[nodiscard]] Result<Value> parse_json(std::string_view text, JsonLimits limits = {});

}  // namespace slipway
