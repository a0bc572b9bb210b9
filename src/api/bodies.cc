#include "api/bodies.h"

#include <algorithm>

namespace slipway::api {
namespace {

template <class T, class Shape>
Value array_of(const std::vector<T>& items, Shape shape) {
  Value array{Value::Array{}};
  for (const auto& item : items) array.as_array().push_back(shape(item));
  return array;
}

Value texts(const std::vector<std::string>& items) {
  return array_of(items, [](const std::string& text) { return Value(text); });
}

Value when(std::optional<Instant> value) { return value ? Value(to_rfc3339(*value)) : Value(); }
Value integer(std::optional<int> value) { return value ? Value(*value) : Value(); }
Value text_or_null(std::string_view text) { return text.empty() ? Value() : Value(text); }
Value failure_class(run::FailureClass failure) { return text_or_null(run::kFailureClasses.text(failure)); }

std::string kind_word(dag::ScheduleKind kind) {
  switch (kind) {
    case dag::ScheduleKind::Cron: return "cron";
    case dag::ScheduleKind::Every: return "every";
    case dag::ScheduleKind::Once: return "once";
    case dag::ScheduleKind::Continuous: return "continuous";
    case dag::ScheduleKind::Datasets: return "datasets";
  }
  return {};
}

Value expression_of(const dag::Schedule& schedule) {
  if (schedule.kind == dag::ScheduleKind::Cron) return schedule.cron.text;
  if (schedule.kind == dag::ScheduleKind::Every) return to_text(schedule.every);
  if (schedule.kind == dag::ScheduleKind::Datasets) {
    std::string all;
    for (const std::string& uri : schedule.datasets) all += (all.empty() ? "" : ", ") + uri;
    return all;
  }
  return {};
}

Value dag_task_value(const dag::Task& task) {
  Value value;
  value["id"] = task.id.str();
  value["kind"] = dag::kTaskKinds.text(task.kind);
  value["needs"] = array_of(task.needs, [](const TaskId& id) { return Value(id.str()); });
  value["trigger_rule"] = dag::kTriggerRules.text(task.trigger_rule);
  value["role"] = dag::kTaskRoles.text(task.role);
  value["mapped"] = task.for_each.has_value();
  value["description"] = task.description;
  return value;
}

Value group_value(const dag::Dag& dag, const dag::Group& group) {
  Value value;
  value["id"] = group.id;
  value["tasks"] =
      array_of(group.tasks, [&](int task) { return Value(dag.tasks[static_cast<std::size_t>(task)].id.str()); });
  value["max_parallel"] = group.max_parallel > 0 ? Value(group.max_parallel) : Value();
  return value;
}

Value param_value(const dag::Param& param) {
  Value value;
  value["name"] = param.name;
  value["required"] = param.required;
  value["schema"] = param.schema;
  return value;
}

}  // namespace

Value run_value(const store::RunSummary& run) {
  Value value;
  value["id"] = run.header.id.str();
  value["dag"] = run.header.dag.str();
  value["state"] = run::kRunStates.text(run.state);
  value["trigger"] = run::kTriggerKinds.text(run.header.trigger);
  value["logical_date"] = to_rfc3339(run.header.logical_date);
  value["queued_at"] = to_rfc3339(run.header.created_at);
  value["started_at"] = when(run.started_at);
  value["ended_at"] = when(run.ended_at);
  value["failures"] = texts(run.failures);
  value["version"] = run.header.version.str();
  value["resumed_from"] = text_or_null(run.header.resumed_from.str());
  if (run.header.parent)
    value["parent"] = Value::Object{{"run", run.header.parent->run.str()}, {"task", run.header.parent->key.str()}};
  return value;
}

Value task_value(const run::TaskInstance& instance) {
  Value value;
  value["task"] = instance.key.task.str();
  value["map_index"] = instance.key.map_index;
  value["state"] = run::kTaskStates.text(instance.state);
  value["class"] = failure_class(instance.failure);
  value["attempt"] = instance.attempts;
  value["scheduled_at"] = when(instance.scheduled_at);
  value["queued_at"] = when(instance.queued_at);
  value["started_at"] = when(instance.started_at);
  value["ended_at"] = when(instance.ended_at);
  value["exit_code"] = integer(instance.exit_code);
  value["reason"] = instance.reason;
  value["generation"] = instance.generation;
  value["marked"] = instance.marked;
  value["outputs"] = instance.outputs;
  value["item"] = instance.item;
  if (instance.cached) value["cached"] = instance.cached->str();
  if (instance.waiting) {
    Value waiting = instance.waiting->what;
    waiting["since"] = to_rfc3339(instance.waiting->since);
    waiting["due"] = when(instance.waiting->due);
    waiting["deadline"] = when(instance.waiting->deadline);
    value["waiting"] = std::move(waiting);
  }
  return value;
}

Value attempt_value(const run::Attempt& attempt) {
  Value value;
  value["attempt"] = attempt.id.number;
  value["generation"] = attempt.generation;
  value["state"] = run::kAttemptStates.text(attempt.state);
  value["executor"] = attempt.executor;
  value["identity"] = attempt.identity;
  value["queued_at"] = to_rfc3339(attempt.intent_at);
  value["started_at"] = when(attempt.started_at);
  value["ended_at"] = when(attempt.ended_at);
  value["deadline"] = when(attempt.deadline);
  value["exit_code"] = integer(attempt.exit_code);
  value["class"] = failure_class(attempt.failure);
  value["reason"] = attempt.reason;
  value["rendered"] = attempt.rendered;
  return value;
}

Value changes_value(const std::vector<engine::Change>& changes) {
  return array_of(changes, [](const engine::Change& change) {
    Value value;
    value["run"] = change.run.str();
    value["task"] = change.key.task.str();
    value["map_index"] = change.key.map_index;
    value["state"] = run::kTaskStates.text(change.from);
    value["action"] = engine::kActions.text(change.action);
    return value;
  });
}

namespace {

// The first group that names a task.
std::map<TaskId, std::string> group_of_tasks(const dag::Dag& dag) {
  std::map<TaskId, std::string> groups;
  for (const dag::Group& group : dag.groups)
    for (const int task : group.tasks) groups.emplace(dag.tasks[static_cast<std::size_t>(task)].id, group.id);
  return groups;
}

}  // namespace

Value run_body(const run::Run& run, const dag::Dag* dag) {
  std::vector<const run::TaskInstance*> order;
  for (const auto& [key, instance] : run.tasks) order.push_back(&instance);
  if (dag != nullptr)
    std::stable_sort(order.begin(), order.end(), [&](const auto* a, const auto* b) {
      return dag->index_of(a->key.task) < dag->index_of(b->key.task);
    });
  Value body;
  body["run"] = run_value({run.header, run.state, run.started_at, run.ended_at, run.failures});
  body["run"]["params"] = run.header.params;
  if (!run.backfill.empty()) body["run"]["backfill"] = run.backfill;
  body["run"]["last_event"] = run.last_seq;
  const auto groups = dag == nullptr ? std::map<TaskId, std::string>() : group_of_tasks(*dag);
  body["tasks"] = array_of(order, [&](const run::TaskInstance* instance) {
    Value value = task_value(*instance);
    if (const auto group = groups.find(instance->key.task); group != groups.end()) value["group"] = group->second;
    return value;
  });
  return body;
}

Value runs_body(const std::vector<store::RunSummary>& runs, int limit) {
  const bool full = !runs.empty() && static_cast<int>(runs.size()) == limit;
  Value body;
  body["runs"] = array_of(runs, run_value);
  body["next"] = full ? Value(runs.back().header.id.str()) : Value();
  return body;
}

Value event_value(const run::Event& event) {
  Value value;
  value["seq"] = event.seq;
  value["at"] = to_rfc3339(event.at);
  value["event"] = run::to_value(event.body);
  return value;
}

Value events_body(const std::vector<run::Event>& events, std::uint64_t after) {
  Value body;
  body["events"] = array_of(events, event_value);
  body["next"] = events.empty() ? after : events.back().seq;
  return body;
}

Value log_body(const exec::LogChunk& chunk, const AttemptId& attempt, bool over) {
  Value body;
  body["attempt"] = attempt.number;
  body["lines"] = array_of(chunk.lines, [](const exec::LogLine& line) {
    Value value;
    value["time"] = line.time;
    value["stream"] = line.is_stderr ? "stderr" : "stdout";
    value["partial"] = line.partial;
    value["text"] = line.text;
    return value;
  });
  body["next"] = chunk.next;
  body["over"] = over;
  return body;
}

Value backfill_value(const run::Backfill& backfill) {
  Value value;
  value["id"] = backfill.id;
  value["dag"] = backfill.dag.str();
  value["schedule"] = backfill.schedule;
  value["from"] = to_rfc3339(backfill.first);
  value["to"] = to_rfc3339(backfill.last);
  value["reverse"] = backfill.reverse;
  value["max_active"] = backfill.max_active;
  value["reprocess"] = run::kReprocess.text(backfill.reprocess);
  value["params"] = backfill.params;
  value["created_at"] = to_rfc3339(backfill.created_at);
  value["ended_at"] = when(backfill.ended_at);
  value["state"] = run::kBackfillStates.text(backfill.state);
  value["reason"] = text_or_null(backfill.reason);
  value["next"] = when(backfill.next);
  value["ticks"] = backfill.ticks;
  value["done"] = backfill.created + backfill.cleared + backfill.left - backfill.open();
  value["created"] = backfill.created;
  value["cleared"] = backfill.cleared;
  value["left"] = backfill.left;
  value["running"] = backfill.open();
  value["succeeded"] = backfill.succeeded;
  value["failed"] = backfill.failed;
  value["cancelled"] = backfill.cancelled;
  return value;
}

Value backfills_body(const std::vector<run::Backfill>& backfills, int limit) {
  const bool full = !backfills.empty() && static_cast<int>(backfills.size()) == limit;
  Value body;
  body["backfills"] = array_of(backfills, backfill_value);
  body["next"] = full ? Value(backfills.back().id) : Value();
  return body;
}

Value ticks_body(const std::vector<engine::TickChange>& ticks) {
  Value body;
  body["ticks"] = array_of(ticks, [](const engine::TickChange& change) {
    Value value;
    value["tick"] = to_rfc3339(change.tick);
    value["action"] = engine::kTickActions.text(change.action);
    value["run"] = text_or_null(change.run.str());
    value["state"] = change.state ? Value(run::kRunStates.text(*change.state)) : Value();
    return value;
  });
  return body;
}

Value dag_value(const store::DagRow& row) {
  Value value;
  value["id"] = row.id.str();
  value["file"] = row.file;
  value["version"] = text_or_null(row.version.str());
  value["paused"] = row.paused;
  value["present"] = row.present;
  value["error"] = text_or_null(row.error);
  return value;
}

Value dag_line(const store::DagRow& row, const dag::Dag* dag, Instant now) {
  Value value = dag_value(row);
  if (dag == nullptr) return value;
  value["description"] = dag->description;
  value["owner"] = dag->owner;
  value["tags"] = texts(dag->tags);
  std::optional<Instant> next;
  for (const dag::Schedule& schedule : dag->schedules) {
    const auto tick = row.paused || !row.present ? std::nullopt : dag::next_tick(schedule, now);
    if (tick && (!next || *tick < *next)) next = tick;
  }
  value["next"] = next ? Value(to_rfc3339(*next)) : Value();
  return value;
}

Value dag_body(const store::DagRow& row, const dag::Dag* dag, Instant now) {
  Value value = dag_line(row, dag, now);
  if (dag != nullptr) {
    value["params"] = array_of(dag->params, param_value);
    value["tasks"] = array_of(dag->tasks, dag_task_value);
    value["groups"] = array_of(dag->groups, [&](const dag::Group& group) { return group_value(*dag, group); });
    value["schedules"] =
        array_of(dag->schedules, [&](const dag::Schedule& s) { return schedule_value(row, s, now, 1); });
  }
  Value body;
  body["dag"] = std::move(value);
  return body;
}

Value schedule_value(const store::DagRow& row, const dag::Schedule& schedule, Instant now, int count) {
  Value value;
  value["dag"] = row.id.str();
  value["name"] = schedule.name;
  value["kind"] = kind_word(schedule.kind);
  value["expression"] = expression_of(schedule);
  value["timezone"] = schedule.zone.name();
  value["paused"] = row.paused;
  Value next{Value::Array{}};
  for (Instant from = now; !row.paused && static_cast<int>(next.as_array().size()) < count;) {
    const auto tick = dag::next_tick(schedule, from);
    if (!tick) break;
    next.as_array().emplace_back(to_rfc3339(*tick));
    from = *tick;
  }
  value["next"] = std::move(next);
  return value;
}

Value service_value(const store::Service& service) {
  Value value;
  value["name"] = service.name.str();
  value["dag"] = service.dag.str();
  value["run"] = service.revision.run.str();
  value["task"] = service.revision.key.str();
  value["attempt"] = service.revision.number;
  value["revision"] = service.revision.str();
  value["url"] = service.url;
  value["logical_date"] = to_rfc3339(service.logical_date);
  value["deployed_at"] = to_rfc3339(service.deployed_at);
  return value;
}

}  // namespace slipway::api
