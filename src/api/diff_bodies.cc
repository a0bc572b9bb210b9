// Bodies that compare: versions of a DAG, and runs.
#include <set>

#include "api/bodies.h"
#include "slipway/base/text_diff.h"
#include "slipway/dag/diff.h"

namespace slipway::api {
namespace {

Value list_of(const std::vector<std::string>& items) {
  Value::Array array(items.begin(), items.end());
  return Value(std::move(array));
}

Value differing(const std::string& path, const Value& before, const Value& after) {
  return Value::Object{{"field", path}, {"before", before}, {"after", after}};
}

// Seconds from start to end; null while either is missing.
Value took(std::optional<Instant> from, std::optional<Instant> to) {
  if (!from || !to) return {};
  return std::chrono::duration<double>(*to - *from).count();
}

void add_if_differs(Value::Array& list, const std::string& path, const Value& before, const Value& after) {
  if (!(before == after)) list.push_back(differing(path, before, after));
}

void add_members(Value::Array& list, const std::string& prefix, const Value& before, const Value& after) {
  std::set<std::string> names;
  for (const Value* value : {&before, &after})
    if (value->is_object())
      for (const auto& [name, member] : value->as_object()) names.insert(name);
  const auto member = [](const Value& value, const std::string& name) {
    const Value* found = value.find(name);
    return found == nullptr ? Value() : *found;
  };
  for (const auto& name : names) add_if_differs(list, prefix + name, member(before, name), member(after, name));
}

Value task_differences(const run::TaskInstance* before, const run::TaskInstance* after) {
  Value::Array list;
  const auto word = [](const run::TaskInstance* task) {
    return task == nullptr ? Value() : Value(run::kTaskStates.text(task->state));
  };
  add_if_differs(list, "state", word(before), word(after));
  if (before == nullptr || after == nullptr) return list;
  add_if_differs(list, "attempts", before->attempts, after->attempts);
  add_if_differs(list, "reason", before->reason, after->reason);
  add_members(list, "outputs.", before->outputs, after->outputs);
  return list;
}

Value seconds_of(const run::TaskInstance* task) {
  return task == nullptr ? Value() : took(task->started_at, task->ended_at);
}

}  // namespace

Value versions_body(const std::vector<store::DagVersion>& versions, const store::DagRow& row) {
  Value::Array list;
  for (const auto& version : versions) {
    Value value;
    value["id"] = version.id.str();
    value["dag"] = version.dag.str();
    value["file"] = version.file;
    value["first_seen"] = to_rfc3339(version.first_seen);
    value["current"] = version.id == row.version;
    list.push_back(std::move(value));
  }
  Value body;
  body["versions"] = std::move(list);
  return body;
}

Value difference_value(const SourceText& before, const SourceText& after) {
  const dag::Difference difference = dag::compare(before, after);
  Value::Array changed;
  for (const auto& change : difference.changed)
    changed.push_back(differing(change.path, change.before.value_or(Value()), change.after.value_or(Value())));
  Value body;
  body["added"] = list_of(difference.added);
  body["removed"] = list_of(difference.removed);
  body["changed"] = std::move(changed);
  body["text"] = unified_diff(before.text, after.text, {before.name, after.name});
  return body;
}

Value version_diff_body(const store::DagVersion& before, const store::DagVersion& after) {
  const auto name = [](const store::DagVersion& version) {
    return version.file + "@" + version.id.str().substr(0, 12);
  };
  Value body = difference_value({name(before), before.text}, {name(after), after.text});
  body["from"] = before.id.str();
  body["to"] = after.id.str();
  return body;
}

// Durations are told of every task, what differs only where it does.
Value run_diff_body(const run::Run& before, const run::Run& after) {
  Value::Array run;
  add_if_differs(run, "dag", before.header.dag.str(), after.header.dag.str());
  add_if_differs(run, "version", before.header.version.str(), after.header.version.str());
  add_if_differs(run, "state", run::kRunStates.text(before.state), run::kRunStates.text(after.state));
  add_if_differs(run, "logical_date", to_rfc3339(before.header.logical_date), to_rfc3339(after.header.logical_date));
  add_members(run, "params.", before.header.params, after.header.params);
  std::set<TaskKey> keys;
  for (const auto* side : {&before, &after})
    for (const auto& [key, instance] : side->tasks) keys.insert(key);
  const auto find = [](const run::Run& side, const TaskKey& key) {
    const auto found = side.tasks.find(key);
    return found == side.tasks.end() ? nullptr : &found->second;
  };
  Value::Array tasks;
  for (const TaskKey& key : keys) {
    const auto* a = find(before, key);
    const auto* b = find(after, key);
    tasks.push_back(Value::Object{{"task", key.task.str()},
                                  {"map_index", key.map_index},
                                  {"seconds", Value::Array{seconds_of(a), seconds_of(b)}},
                                  {"differences", task_differences(a, b)}});
  }
  Value body;
  body["runs"] = Value::Array{before.header.id.str(), after.header.id.str()};
  body["seconds"] = Value::Array{took(before.started_at, before.ended_at), took(after.started_at, after.ended_at)};
  body["differences"] = std::move(run);
  body["tasks"] = std::move(tasks);
  return body;
}

}  // namespace slipway::api
