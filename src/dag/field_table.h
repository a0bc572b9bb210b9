// The language as data: one row per field. The parser's structure checks, the JSON Schema, `dag explain` and the table
// of docs/dag-format.md all derive from these rows.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "slipway/base/enum_table.h"
#include "slipway/dag/dag.h"

namespace slipway::dag {

// Supported: this version acts on it. Kubernetes: checked and kept for that executor; the local one runs the command
// without it. Planned: checked, and refused at activation.
enum class FieldStatus : unsigned char { Supported, Kubernetes };
inline constexpr EnumTable<FieldStatus, 2> kFieldStatuses{{{
    {FieldStatus::Supported, "supported", "this version acts on it"},
    {FieldStatus::Kubernetes, "kubernetes", "for the kubernetes executor; the local one runs the command without it"},
}}};

// A set of task kinds, bit i for the kind i; 0 for fields that do not belong to a task.
using KindSet = std::uint16_t;
[[nodiscard]] constexpr KindSet kind_bit(TaskKind kind) {
  return static_cast<KindSet>(1U << static_cast<unsigned>(kind));
}

struct FieldRow {
  std::string_view path;  // below the section's prefix; `*` is any key
  std::string_view type;  // see parse_type
  std::string_view fallback;
  KindSet kinds;
  FieldStatus status;
  std::string_view doc;
};

// Rows whose paths share a prefix: "tasks.*." or "".
struct FieldSection {
  std::string_view prefix;
  std::span<const FieldRow> rows;
};
[[nodiscard]] std::span<const FieldSection> field_sections();

// What one scalar may be. Prose and Text hold no expressions, Template and Value may.
enum class ScalarType : unsigned char {
  Prose,
  Text,
  Template,
  Value,
  Boolean,
  Integer,
  Number,
  Duration,
  Quantity,
  Factor,
  Id,
  Name,
  Word,
  Any,
  Json,
  Object,
};
inline constexpr EnumTable<ScalarType, 16> kScalarTypes{{{
    {ScalarType::Prose, "prose", "text"},
    {ScalarType::Text, "text", "text"},
    {ScalarType::Template, "template", "text"},
    {ScalarType::Value, "value", "text, a number or a boolean"},
    {ScalarType::Boolean, "boolean", "true or false"},
    {ScalarType::Integer, "integer", "a whole number"},
    {ScalarType::Number, "number", "a number"},
    {ScalarType::Duration, "duration", "a duration such as 30s, 10m or 1h30m"},
    {ScalarType::Quantity, "quantity", "a quantity such as 2, 500m or 32Gi"},
    {ScalarType::Factor, "factor", "a factor such as x1.5"},
    {ScalarType::Id, "id", "an id"},
    {ScalarType::Name, "name", "a name"},
    {ScalarType::Word, "one of", "one of a few words"},
    {ScalarType::Any, "any", "any value"},
    {ScalarType::Json, "json", "any value"},
    {ScalarType::Object, "object", "a map of any values"},
}}};

// One way to write a field: a scalar, a list, or a map whose keys the field's children name.
struct Shape {
  enum class Form : unsigned char { Scalar, List, Map };
  Form form = Form::Scalar;
  ScalarType scalar = ScalarType::Text;  // of a map: the type of its keys (Id, Name or Text)
  double minimum = -std::numeric_limits<double>::infinity();
  double maximum = std::numeric_limits<double>::infinity();
  std::vector<std::string> words;  // type Word
  std::vector<Shape> items;        // of a list: the ways to write an item
};

// A row, with its place in the tree. `tasks.*` is a field, too; its children apply to each task.
struct Field {
  std::string path;
  std::string key;  // the last segment of the path
  std::string type, fallback, doc;
  KindSet kinds = 0;
  FieldStatus status = FieldStatus::Supported;
  std::vector<Shape> shapes;
  std::string body_name;        // "task" or "param" where `body` is a field elsewhere
  const Field* body = nullptr;  // whose children apply; the field itself unless the type is `task` or `param`
  std::vector<std::unique_ptr<Field>> children;  // in table order
  const Field* any_key = nullptr;                // the child `*`

  // The field of the key `key` in a map of this field, or nullptr.
  [[nodiscard]] const Field* child(std::string_view key) const;
  // The names of `body`'s children.
  [[nodiscard]] std::vector<std::string> known_keys() const;
};

// The root, whose children are the top-level fields. Made once, immutable.
[[nodiscard]] const Field& language();
// Every field below `field` in table order, itself left out.
[[nodiscard]] std::vector<const Field*> flatten(const Field& field);

// "dag", "every task", or the kinds by name.
[[nodiscard]] std::string applies_to(const Field& field);

}  // namespace slipway::dag
