#include "slipway/base/value.h"

#include <cmath>
#include <nlohmann/json.hpp>

namespace slipway {
namespace {

using Json = nlohmann::json;

// Builds Values from the parser's events, so that depth and size are bounded while reading.
class Builder final : public Json::json_sax_t {
 public:
  explicit Builder(const JsonLimits& limits) : depth_max_(limits.depth_max), unique_keys_(limits.unique_keys) {}

  bool null() override { return add(Value()); }
  bool boolean(bool b) override { return add(Value(b)); }
  bool number_integer(number_integer_t i) override { return add(Value(std::int64_t{i})); }
  bool number_unsigned(number_unsigned_t u) override {
    return u > static_cast<number_unsigned_t>(INT64_MAX) ? add(Value(static_cast<double>(u)))
                                                         : add(Value(std::uint64_t{u}));
  }
  bool number_float(number_float_t d, const string_t& text) override {
    return std::isfinite(d) ? add(Value(d)) : fail("number " + text + " is out of range");
  }
  bool string(string_t& s) override { return add(Value(std::move(s))); }
  bool binary(binary_t&) override { return fail("binary data"); }
  bool start_object(std::size_t) override { return open(Value(Value::Object{})); }
  bool start_array(std::size_t) override { return open(Value(Value::Array{})); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t& k) override {
    if (unique_keys_ && open_.back().find(k) != nullptr) return fail("key `" + k + "` is repeated");
    keys_.back() = std::move(k);
    return true;
  }
  bool parse_error(std::size_t position, const std::string& token, const Json::exception&) override {
    return fail("at byte " + std::to_string(position) + (token.empty() ? "" : " near `" + token.substr(0, 40) + "`"));
  }

  [[nodiscard]] const std::string& problem() const { return problem_; }
  [[nodiscard]] Value take() { return std::move(root_); }

 private:
  bool add(Value value) {
    if (open_.empty()) {
      root_ = std::move(value);
    } else if (open_.back().is_array()) {
      open_.back().as_array().push_back(std::move(value));
    } else {
      open_.back().as_object().insert_or_assign(keys_.back(), std::move(value));
    }
    return true;
  }
  bool open(Value value) {
    if (static_cast<int>(open_.size()) >= depth_max_) return fail("nested deeper than " + std::to_string(depth_max_));
    open_.push_back(std::move(value));
    keys_.emplace_back();
    return true;
  }
  bool close() {
    Value done = std::move(open_.back());
    open_.pop_back();
    keys_.pop_back();
    return add(std::move(done));
  }
  bool fail(std::string problem) {
    if (problem_.empty()) problem_ = std::move(problem);
    return false;
  }

  int depth_max_;
  bool unique_keys_;
  Value root_;
  std::vector<Value> open_;
  std::vector<std::string> keys_;
  std::string problem_;
};

Json to_json(const Value& value) {
  if (value.is_bool()) return value.as_bool();
  if (value.is_int()) return value.as_int();
  if (value.is_double()) return value.as_double();
  if (value.is_string()) return value.as_string();
  if (value.is_array()) {
    Json array = Json::array();
    for (const Value& item : value.as_array()) array.push_back(to_json(item));
    return array;
  }
  if (value.is_object()) {
    Json object = Json::object();
    for (const auto& [key, member] : value.as_object()) object[key] = to_json(member);
    return object;
  }
  return nullptr;
}

}  // namespace

std::string_view Value::type_name() const {
  static constexpr std::string_view kNames[] = {"null", "boolean", "integer", "number", "string", "array", "object"};
  return kNames[data_.index()];
}

bool Value::as_bool() const {
  SLIPWAY_ASSERT(is_bool());
  return std::get<bool>(data_);
}
std::int64_t Value::as_int() const {
  SLIPWAY_ASSERT(is_int());
  return std::get<std::int64_t>(data_);
}
double Value::as_double() const {
  SLIPWAY_ASSERT(is_number());
  return is_int() ? static_cast<double>(std::get<std::int64_t>(data_)) : std::get<double>(data_);
}
const std::string& Value::as_string() const {
  SLIPWAY_ASSERT(is_string());
  return std::get<std::string>(data_);
}
const Value::Array& Value::as_array() const {
  SLIPWAY_ASSERT(is_array());
  return std::get<Array>(data_);
}
Value::Array& Value::as_array() {
  SLIPWAY_ASSERT(is_array());
  return std::get<Array>(data_);
}
const Value::Object& Value::as_object() const {
  SLIPWAY_ASSERT(is_object());
  return std::get<Object>(data_);
}
Value::Object& Value::as_object() {
  SLIPWAY_ASSERT(is_object());
  return std::get<Object>(data_);
}

const Value* Value::find(std::string_view key) const {
  if (!is_object()) return nullptr;
  const auto& object = as_object();
  const auto it = object.find(key);
  return it == object.end() ? nullptr : &it->second;
}
std::string Value::get_string(std::string_view key, std::string_view fallback) const {
  const Value* member = find(key);
  return member != nullptr && member->is_string() ? member->as_string() : std::string(fallback);
}
std::int64_t Value::get_int(std::string_view key, std::int64_t fallback) const {
  const Value* member = find(key);
  return member != nullptr && member->is_int() ? member->as_int() : fallback;
}
Value& Value::operator[](std::string_view key) {
  if (is_null()) data_ = Object{};
  auto& object = as_object();
  const auto it = object.find(key);
  return it != object.end() ? it->second : object.emplace(std::string(key), Value()).first->second;
}

std::string Value::dump() const { return to_json(*this).dump(-1, ' ', false, Json::error_handler_t::replace); }
std::string Value::dump_pretty(int indent) const {
  return to_json(*this).dump(indent, ' ', false, Json::error_handler_t::replace);
}

bool operator==(const Value& a, const Value& b) {
  if (a.is_number() && b.is_number() && a.data_.index() != b.data_.index()) return a.as_double() == b.as_double();
  return a.data_ == b.data_;
}

Result<Value> parse_json(std::string_view text, JsonLimits limits) {
  if (text.size() > limits.bytes_max)
    return Error{ErrorCode::TooLarge,
                 "JSON of " + std::to_string(text.size()) + " bytes, the limit is " + std::to_string(limits.bytes_max),
                 {}};
  Builder builder(limits);
  if (!Json::sax_parse(text, &builder) || !builder.problem().empty())
    return Error{ErrorCode::InvalidArgument, "not valid JSON " + builder.problem(), {}};
  return builder.take();
}

}  // namespace slipway
