#include "dag/field_table.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "slipway/base/assert.h"

namespace slipway::dag {
namespace {

template <class E, std::size_t N>
std::vector<std::string> words_of(const EnumTable<E, N>& table) {
  std::vector<std::string> words;
  for (const auto& row : table.rows()) words.emplace_back(row.text);
  return words;
}

// The words of a `one of <name>`, which come from an enum's own table.
std::vector<std::string> vocabulary(std::string_view name) {
  if (name == "run_result") return words_of(kRunResultRules);
  if (name == "priority_class") return words_of(kPriorityClasses);
  if (name == "instance_failure") return words_of(kInstanceFailures);
  if (name == "missed") return words_of(kMissed);
  if (name == "overlap") return words_of(kOverlaps);
  if (name == "type") return words_of(kValueTypes);
  SLIPWAY_ASSERT(name == "trigger_rule");
  auto words = words_of(kTriggerRules);
  std::erase(words, kTriggerRules.text(TriggerRule::AllDoneSetupSuccess));
  return words;
}

bool take(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

std::string_view take_until(std::string_view& text, std::string_view separator) {
  const auto end = text.find(separator);
  const auto front = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + separator.size());
  return front;
}

std::string join(const std::vector<std::string>& words) {
  std::string out;
  for (const auto& word : words) out += (out.empty() ? "" : ", ") + word;
  return out;
}

// "1..65535", "0..": the bounds of a number.
void read_range(std::string_view text, Shape& shape) {
  const auto read = [](std::string_view number, double& out) {
    if (number.empty()) return;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), out);
    SLIPWAY_ASSERT(error == std::errc() && end == number.data() + number.size());
  };
  const auto low = take_until(text, "..");
  read(low, shape.minimum);
  read(text, shape.maximum);
}

Shape parse_scalar(std::string_view text) {
  Shape shape;
  if (take(text, "one of ")) {
    shape.scalar = ScalarType::Word;
    if (take(text, "<")) {
      shape.words = vocabulary(text.substr(0, text.size() - 1));
    } else {
      while (!text.empty()) shape.words.emplace_back(take_until(text, ", "));
    }
    return shape;
  }
  const auto type = kScalarTypes.parse(take_until(text, " "));
  SLIPWAY_ASSERT(type.has_value());
  shape.scalar = *type;
  if (!text.empty()) read_range(text, shape);
  return shape;
}

// type  = form *(" or " form)
// form  = "list of " type | "map" | "map by " ("id" | "name" | "text") | "task" | "param" | scalar
// `list of` binds all that follows. `task` and `param` are maps whose keys another field describes.
std::vector<Shape> parse_type(std::string_view text, std::string& body) {
  std::vector<Shape> shapes;
  while (!text.empty()) {
    Shape& shape = shapes.emplace_back();
    if (take(text, "list of ")) {
      shape.form = Shape::Form::List;
      shape.items = parse_type(text, body);
      break;
    }
    std::string_view form = take_until(text, " or ");
    if (form == "task" || form == "param") body = form;
    if (form == "task" || form == "param" || take(form, "map")) {
      shape.form = Shape::Form::Map;
      shape.scalar = take(form, " by id")     ? ScalarType::Id
                     : take(form, " by name") ? ScalarType::Name
                                              : ScalarType::Text;
    } else {
      shape = parse_scalar(form);
    }
  }
  return shapes;
}

// The type column as people read it: `one of <missed>` with its words.
std::string shown_type(std::string_view text) {
  std::string out(text);
  const auto open = out.find('<');
  if (open != std::string::npos) {
    const auto close = out.find('>', open);
    out.replace(open, close - open + 1, join(vocabulary(out.substr(open + 1, close - open - 1))));
  }
  if (out == "prose") out = "text";
  return out;
}

Field* find(Field& root, std::string_view path) {
  Field* field = &root;
  while (!path.empty()) {
    const auto key = take_until(path, ".");
    const auto found = std::find_if(field->children.begin(), field->children.end(),
                                    [&](const auto& child) { return child->key == key; });
    SLIPWAY_ASSERT(found != field->children.end());
    field = found->get();
  }
  return field;
}

void add_row(Field& root, std::string_view prefix, const FieldRow& row) {
  const std::string path = std::string(prefix) + std::string(row.path);
  const auto dot = path.rfind('.');
  Field& parent = dot == std::string::npos ? root : *find(root, path.substr(0, dot));
  Field& field = *parent.children.emplace_back(std::make_unique<Field>());
  field.path = path;
  field.key = path.substr(dot == std::string::npos ? 0 : dot + 1);
  field.type = shown_type(row.type);
  field.fallback = row.fallback;
  field.doc = row.doc;
  field.kinds = row.kinds;
  field.status = row.status;
  field.body = &field;
  field.shapes = parse_type(row.type, field.body_name);
  if (field.key == "*") parent.any_key = &field;
}

std::unique_ptr<const Field> build() {
  auto root = std::make_unique<Field>();
  root->body = root.get();
  root->shapes.emplace_back().form = Shape::Form::Map;
  for (const FieldSection& section : field_sections())
    for (const FieldRow& row : section.rows) add_row(*root, section.prefix, row);
  for (const Field* field : flatten(*root)) {
    if (field->body_name.empty()) continue;
    find(*root, field->path)->body = find(*root, field->body_name == "task" ? "tasks.*" : "params.*");
  }
  return root;
}

void append_children(const Field& field, std::vector<const Field*>& out) {
  for (const auto& child : field.children) {
    out.push_back(child.get());
    append_children(*child, out);
  }
}

}  // namespace

const Field* Field::child(std::string_view name) const {
  for (const auto& field : body->children)
    if (field->key == name && field->key != "*") return field.get();
  return body->any_key;
}

std::vector<std::string> Field::known_keys() const {
  std::vector<std::string> keys;
  for (const auto& field : body->children)
    if (field->key != "*") keys.push_back(field->key);
  return keys;
}

const Field& language() {
  static const std::unique_ptr<const Field> kRoot = build();
  return *kRoot;
}

std::vector<const Field*> flatten(const Field& field) {
  std::vector<const Field*> fields;
  append_children(field, fields);
  return fields;
}

std::string applies_to(const Field& field) {
  if (field.kinds == 0) return "dag";
  std::string out;
  for (const auto& kind : kTaskKinds.rows())
    if ((field.kinds & kind_bit(kind.value)) != 0) out += (out.empty() ? "" : ", ") + std::string(kind.text);
  const bool every = field.kinds == 0xff;
  return every ? "every task" : out;
}

}  // namespace slipway::dag
