#include "dag/field_table.h"
#include "dag/scalar_rules.h"
#include "slipway/dag/parse.h"

#include <cmath>

namespace slipway::dag {
namespace {

using Object = Value::Object;
using Array = Value::Array;

Value typed(std::string_view type) { return Object{{"type", type}}; }

Value with_pattern(ScalarType type) { return Object{{"type", "string"}, {"pattern", pattern_of(type)}}; }

Value number(std::string_view type, const Shape& shape) {
  const auto bound = [](double value) {
    return std::trunc(value) == value ? Value(static_cast<std::int64_t>(value)) : Value(value);
  };
  Value schema = typed(type);
  if (!std::isinf(shape.minimum)) schema["minimum"] = bound(shape.minimum);
  if (!std::isinf(shape.maximum)) schema["maximum"] = bound(shape.maximum);
  return schema;
}

Value scalar_schema(const Shape& shape) {
  switch (shape.scalar) {
    case ScalarType::Prose:
    case ScalarType::Text:
    case ScalarType::Template: return typed("string");
    case ScalarType::Value: return Object{{"type", Array{"string", "number", "boolean"}}};
    case ScalarType::Boolean: return typed("boolean");
    case ScalarType::Integer: return number("integer", shape);
    case ScalarType::Number: return number("number", shape);
    case ScalarType::Quantity:
      return Object{{"type", Array{"string", "number"}}, {"pattern", pattern_of(shape.scalar)}, {"minimum", 0}};
    case ScalarType::Duration:
    case ScalarType::Factor:
    case ScalarType::Id:
    case ScalarType::Name: return with_pattern(shape.scalar);
    case ScalarType::Word: return Object{{"enum", Array(shape.words.begin(), shape.words.end())}};
    case ScalarType::Any:
    case ScalarType::Json: return true;
    case ScalarType::Object: return typed("object");
  }
  return true;
}

Value field_schema(const Field& field);

Value body_schema(const Field& field, ScalarType keys) {
  Value schema = typed("object");
  if (field.any_key != nullptr) {
    schema["additionalProperties"] = field_schema(*field.any_key);
    if (keys != ScalarType::Text) schema["propertyNames"] = Object{{"pattern", pattern_of(keys)}};
    return schema;
  }
  schema["additionalProperties"] = false;
  schema["properties"] = Object{};
  for (const auto& child : field.children) schema["properties"][child->key] = field_schema(*child);
  return schema;
}

// Tasks and parameters stand in several places: they are definitions.
std::string_view definition_of(const Field& field) {
  if (field.body->path == "tasks.*") return "task";
  return field.body->path == "params.*" ? "param" : "";
}

Value shape_schema(const Field& field, const Shape& shape);

Value any_of(Array options) {
  if (options.size() == 1) return std::move(options.front());
  return Object{{"anyOf", std::move(options)}};
}

Value shape_schema(const Field& field, const Shape& shape) {
  if (shape.form == Shape::Form::List) {
    Array items;
    for (const Shape& item : shape.items) items.push_back(shape_schema(field, item));
    return Object{{"type", "array"}, {"items", any_of(std::move(items))}};
  }
  if (shape.form == Shape::Form::Scalar) return scalar_schema(shape);
  const auto definition = definition_of(field);
  if (!definition.empty()) return Object{{"$ref", "#/definitions/" + std::string(definition)}};
  return body_schema(*field.body, shape.scalar);
}

// Null stands for "not written", and removes a default.
Value field_schema(const Field& field) {
  Array options;
  for (const Shape& shape : field.shapes) options.push_back(shape_schema(field, shape));
  const bool required = field.path == "dag" || field.path == "tasks";
  const bool anything = options.size() == 1 && options.front().is_bool();
  if (anything) options.front() = Object{};
  if (!required && !anything) options.push_back(typed("null"));
  Value schema = any_of(std::move(options));
  schema["description"] = field.doc;
  if (field.status != FieldStatus::Supported) schema["x-status"] = kFieldStatuses.text(field.status);
  return schema;
}

}  // namespace

Value json_schema() {
  const Field& root = language();
  Value schema = body_schema(root, ScalarType::Text);
  schema["$schema"] = "http://json-schema.org/draft-07/schema#";
  schema["title"] = "slipway DAG";
  schema["required"] = Array{"dag", "tasks"};
  schema["definitions"] = Object{{"param", body_schema(*root.child("params")->any_key, ScalarType::Text)},
                                 {"task", body_schema(*root.child("tasks")->any_key, ScalarType::Text)}};
  return schema;
}

}  // namespace slipway::dag
