#include "slipway/dag/diff.h"

#include "slipway/text/node.h"

namespace slipway::dag {
namespace {

Value::Object fields_of(const SourceText& source) {
  const auto parsed = text::parse_yaml(source);
  const Value value = parsed.value ? text::to_value(*parsed.value) : Value();
  return value.is_object() ? value.as_object() : Value::Object{};
}

Value::Object take_tasks(Value::Object& fields) {
  const auto found = fields.find("tasks");
  if (found == fields.end()) return {};
  Value::Object tasks = found->second.is_object() ? found->second.as_object() : Value::Object{};
  fields.erase(found);
  return tasks;
}

// Goes into maps that both have; anything else is one value.
void compare_fields(const Value::Object& before, const Value::Object& after, const std::string& prefix,
                    std::vector<FieldChange>& changed) {
  for (const auto& [name, value] : before) {
    const std::string path = prefix + name;
    const auto other = after.find(name);
    if (other == after.end()) {
      changed.push_back({path, value, std::nullopt});
    } else if (value.is_object() && other->second.is_object()) {
      compare_fields(value.as_object(), other->second.as_object(), path + ".", changed);
    } else if (!(value == other->second)) {
      changed.push_back({path, value, other->second});
    }
  }
  for (const auto& [name, value] : after)
    if (before.count(name) == 0) changed.push_back({prefix + name, std::nullopt, value});
}

}  // namespace

Difference compare(const SourceText& before, const SourceText& after) {
  Value::Object old_fields = fields_of(before), new_fields = fields_of(after);
  const Value::Object old_tasks = take_tasks(old_fields), new_tasks = take_tasks(new_fields);
  Difference difference;
  compare_fields(old_fields, new_fields, "", difference.changed);
  for (const auto& [id, task] : old_tasks) {
    const auto other = new_tasks.find(id);
    if (other == new_tasks.end()) {
      difference.removed.push_back(id);
    } else {
      const auto fields = [](const Value& value) { return value.is_object() ? value.as_object() : Value::Object{}; };
      compare_fields(fields(task), fields(other->second), "tasks." + id + ".", difference.changed);
    }
  }
  for (const auto& [id, task] : new_tasks)
    if (old_tasks.count(id) == 0) difference.added.push_back(id);
  return difference;
}

}  // namespace slipway::dag
