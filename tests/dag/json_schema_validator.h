// The part of JSON Schema draft-07 that our schema uses. A keyword it does not know fails the test that asks.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <regex>
#include <string>

#include "slipway/base/value.h"

namespace slipway::dag::test {

class JsonSchemaValidator {
 public:
  explicit JsonSchemaValidator(Value root) : root_(std::move(root)) {}

  [[nodiscard]] bool accepts(const Value& value) { return accepts(root_, value); }

 private:
  bool accepts(const Value& schema, const Value& value) {
    if (schema.is_bool()) return schema.as_bool();
    // Draft-07: $ref hides its siblings.
    if (const Value* reference = schema.find("$ref")) return accepts(target(reference->as_string()), value);
    return std::all_of(schema.as_object().begin(), schema.as_object().end(),
                       [&](const auto& member) { return keyword(member.first, member.second, schema, value); });
  }

  const Value& target(std::string path) {
    const Value* at = &root_;
    path.erase(0, 2);
    for (std::size_t end = 0; !path.empty(); path.erase(0, end == std::string::npos ? end : end + 1)) {
      end = path.find('/');
      at = at->find(path.substr(0, end));
      SLIPWAY_ASSERT(at != nullptr);
    }
    return *at;
  }

  bool keyword(const std::string& word, const Value& rule, const Value& schema, const Value& value) {
    if (word == "description" || word == "x-status" || word == "title" || word == "$schema" || word == "definitions")
      return true;
    if (word == "type") return has_type(rule, value);
    if (word == "enum") return contains(rule, value);
    if (word == "pattern") return !value.is_string() || matches(rule.as_string(), value.as_string());
    if (word == "minimum") return !value.is_number() || value.as_double() >= rule.as_double();
    if (word == "maximum") return !value.is_number() || value.as_double() <= rule.as_double();
    if (word == "anyOf") return any_of(rule, value);
    if (word == "items") return all_items(rule, value);
    if (word == "required") return has_all(rule, value);
    if (word == "properties") return properties(rule, value);
    if (word == "additionalProperties") return additional(rule, schema, value);
    if (word == "propertyNames") return names(rule, value);
    ADD_FAILURE() << "the validator does not know `" << word << "`";
    return false;
  }

  static bool is_whole(const Value& value) {
    return value.is_int() || (value.is_double() && std::trunc(value.as_double()) == value.as_double());
  }
  static bool has_one_type(const std::string& type, const Value& value) {
    if (type == "integer") return is_whole(value);
    if (type == "number") return value.is_number();
    return value.type_name() == type;
  }
  static bool has_type(const Value& rule, const Value& value) {
    if (rule.is_string()) return has_one_type(rule.as_string(), value);
    const auto& types = rule.as_array();
    return std::any_of(types.begin(), types.end(),
                       [&](const Value& type) { return has_one_type(type.as_string(), value); });
  }
  static bool contains(const Value& rule, const Value& value) {
    return std::find(rule.as_array().begin(), rule.as_array().end(), value) != rule.as_array().end();
  }
  bool matches(const std::string& pattern, const std::string& text) {
    const auto compiled = patterns_.try_emplace(pattern, pattern).first;
    return std::regex_search(text, compiled->second);
  }
  bool any_of(const Value& rule, const Value& value) {
    return std::any_of(rule.as_array().begin(), rule.as_array().end(),
                       [&](const Value& option) { return accepts(option, value); });
  }
  bool all_items(const Value& rule, const Value& value) {
    return !value.is_array() || std::all_of(value.as_array().begin(), value.as_array().end(),
                                            [&](const Value& item) { return accepts(rule, item); });
  }
  static bool has_all(const Value& rule, const Value& value) {
    return !value.is_object() || std::all_of(rule.as_array().begin(), rule.as_array().end(), [&](const Value& name) {
      return value.find(name.as_string()) != nullptr;
    });
  }
  bool properties(const Value& rule, const Value& value) {
    if (!value.is_object()) return true;
    return std::all_of(value.as_object().begin(), value.as_object().end(), [&](const auto& member) {
      const Value* property = rule.find(member.first);
      return property == nullptr || accepts(*property, member.second);
    });
  }
  bool additional(const Value& rule, const Value& schema, const Value& value) {
    if (!value.is_object()) return true;
    const Value* properties = schema.find("properties");
    return std::all_of(value.as_object().begin(), value.as_object().end(), [&](const auto& member) {
      const bool known = properties != nullptr && properties->find(member.first) != nullptr;
      return known || accepts(rule, member.second);
    });
  }
  bool names(const Value& rule, const Value& value) {
    return !value.is_object() || std::all_of(value.as_object().begin(), value.as_object().end(),
                                             [&](const auto& member) { return accepts(rule, Value(member.first)); });
  }

  Value root_;
  std::map<std::string, std::regex> patterns_;
};

}  // namespace slipway::dag::test
