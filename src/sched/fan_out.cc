#include "sched/fan_out.h"

#include "slipway/dag/expr.h"
#include "slipway/sched/scope.h"

namespace slipway::sched {
namespace {

Error unusable(const std::string& why) { return {ErrorCode::InvalidArgument, "`for_each` " + why, {}}; }

void collect_texts(const Value& value, std::vector<dag::Template>& texts) {
  if (value.is_string()) texts.push_back({value.as_string(), {}});
  if (value.is_array())
    for (const Value& element : value.as_array()) collect_texts(element, texts);
  if (value.is_object())
    for (const auto& [name, member] : value.as_object()) collect_texts(member, texts);
}

// Strings inside a list as written; one that is a whole expression keeps the type of its value.
Result<Value> render_element(const Value& value, const dag::Scope& scope) {
  if (value.is_string() && value.as_string().find("${{") != std::string::npos)
    return dag::evaluate({value.as_string(), {}}, scope);
  if (value.is_array()) {
    Value::Array array;
    for (const Value& element : value.as_array()) {
      SLIPWAY_TRY_ASSIGN(Value rendered, render_element(element, scope));
      array.push_back(std::move(rendered));
    }
    return Value(std::move(array));
  }
  if (!value.is_object()) return value;
  Value::Object object;
  for (const auto& [name, member] : value.as_object()) {
    SLIPWAY_TRY_ASSIGN(object[name], render_element(member, scope));
  }
  return Value(std::move(object));
}

}  // namespace

Result<Value::Array> elements_of(const run::Snapshot& snapshot, const run::ActiveRun& run,
                                 const dag::ForEach& fan_out) {
  std::vector<dag::Template> texts;
  if (fan_out.list)
    texts.push_back(*fan_out.list);
  else
    collect_texts(fan_out.items, texts);
  std::vector<const dag::Template*> pointers;
  for (const dag::Template& text : texts) pointers.push_back(&text);
  const dag::Scope scope{names_for(snapshot, run, pointers), nullptr};
  auto list = fan_out.list ? dag::evaluate(*fan_out.list, scope) : render_element(fan_out.items, scope);
  if (!list) return unusable("cannot be evaluated: " + list.error().message);
  if (!list->is_array()) return unusable("gives " + std::string(list->type_name()) + ", not a list");
  const std::size_t count = list->as_array().size();
  if (count > dag::kInstancesMax)
    return unusable("gives " + std::to_string(count) + " elements, and a fan-out takes at most " +
                    std::to_string(dag::kInstancesMax) + ": give each instance several of them");
  return std::move(list->as_array());
}

}  // namespace slipway::sched
