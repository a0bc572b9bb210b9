#include "store/run_rows.h"

#include <algorithm>
#include <array>
#include <string>

#include "store/prune_rows.h"

namespace slipway::store {
namespace {

using run::Attempt;
using run::Event;
using run::kAttemptStates;
using run::kFailureClasses;
using run::kRunStates;
using run::kTaskStates;
using run::kTriggerKinds;
using run::Run;
using run::TaskInstance;

constexpr std::string_view kInsertRun = R"(
  INSERT INTO run (id, dag, version, trigger_kind, schedule, logical_date, interval_start, interval_end, params,
                   created_at, idempotency_key, parent, state, started_at, ended_at, failures, cancel_cause, last_seq,
                   previous, cancel_now, late, resumed_from, backfill, marked, mark_reason)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?))";

constexpr std::string_view kUpdateRun = R"(
  UPDATE run SET state = ?2, started_at = ?3, ended_at = ?4, failures = ?5, cancel_cause = ?6, last_seq = ?7,
                 cancel_now = ?8, late = ?9, backfill = ?10, marked = ?11, mark_reason = ?12, version = ?13, params = ?14
  WHERE id = ?1)";

constexpr std::string_view kSaveInstance = R"(
  INSERT INTO task_instance (run, task, map_index, state, generation, attempts, retries_used, infra_used, failure,
                             reason, exit_code, outputs, scheduled_at, queued_at, started_at, ended_at, retry_at,
                             launch_since, item, clearing, marked, waiting, cached)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT (run, task, map_index) DO UPDATE SET
    state = excluded.state, generation = excluded.generation, attempts = excluded.attempts,
    retries_used = excluded.retries_used, infra_used = excluded.infra_used, failure = excluded.failure,
    reason = excluded.reason, exit_code = excluded.exit_code, outputs = excluded.outputs,
    scheduled_at = excluded.scheduled_at, queued_at = excluded.queued_at, started_at = excluded.started_at,
    ended_at = excluded.ended_at, retry_at = excluded.retry_at, launch_since = excluded.launch_since,
    item = excluded.item, clearing = excluded.clearing, marked = excluded.marked,
    waiting = excluded.waiting, cached = excluded.cached)";

constexpr std::string_view kSaveAttempt = R"(
  INSERT INTO attempt (run, task, map_index, number, generation, state, executor, identity, rendered, intent_at,
                       started_at, ended_at, deadline, stop_at, exit_code, failure, reason, stop_cause)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT (run, task, map_index, number) DO UPDATE SET
    state = excluded.state, identity = excluded.identity, started_at = excluded.started_at,
    ended_at = excluded.ended_at, deadline = excluded.deadline, stop_at = excluded.stop_at,
    exit_code = excluded.exit_code, failure = excluded.failure, reason = excluded.reason, stop_cause = excluded.stop_cause)";

constexpr std::string_view kInsertEvent = "INSERT INTO event (run, seq, at, kind, body) VALUES (?, ?, ?, ?, ?)";

constexpr std::string_view kEventsAfter = R"(
  SELECT run, seq, at, body FROM event WHERE run = ? AND seq > ? ORDER BY seq LIMIT ?)";

constexpr std::string_view kInstancesOfRun = R"(
  SELECT task, map_index, state, generation, attempts, retries_used, infra_used, failure, reason, exit_code, outputs,
         item, scheduled_at, queued_at, started_at, ended_at, retry_at, launch_since, clearing, marked, waiting, cached
  FROM task_instance WHERE run = ? ORDER BY task, map_index)";

constexpr std::string_view kAttemptsOfRun = R"(
  SELECT task, map_index, number, generation, state, executor, identity, rendered, intent_at, started_at, ended_at,
         deadline, stop_at, exit_code, failure, reason, stop_cause
  FROM attempt WHERE run = ? ORDER BY task, map_index, number)";

constexpr std::string_view kPreviousOutputs = R"(
  SELECT task_instance.outputs FROM run JOIN task_instance ON task_instance.run = run.id
  WHERE run.dag = ? AND run.id < ? AND task_instance.task = ? AND task_instance.map_index = ?
    AND task_instance.state = 'success'
  ORDER BY run.id DESC LIMIT 1)";

constexpr std::string_view kRunByKey = R"(
  SELECT id FROM run WHERE dag = ? AND idempotency_key = ? AND idempotency_key <> '')";

constexpr std::string_view kRunBefore = R"(
  SELECT id FROM run WHERE dag = ? AND schedule = ? AND logical_date < ? AND trigger_kind IN ('schedule', 'backfill')
  ORDER BY logical_date DESC LIMIT 1)";

constexpr std::string_view kOpenRuns = R"(
  SELECT id FROM run WHERE state IN ('queued', 'running', 'cancelling') ORDER BY id)";

constexpr std::string_view kRunsAfter = R"(
  SELECT id FROM run WHERE id > ? AND id NOT IN (SELECT run FROM pruning) ORDER BY id LIMIT ?)";

constexpr std::string_view kEventsOfRun = "SELECT COUNT(*), MAX(seq) FROM event WHERE run = ?";

constexpr std::string_view kSelectRun = R"(
  SELECT id, dag, version, trigger_kind, schedule, logical_date, interval_start, interval_end, params, created_at,
         idempotency_key, parent, state, started_at, ended_at, failures, cancel_cause, last_seq, previous, cancel_now, late,
         resumed_from, backfill, marked, mark_reason
  FROM run )";
// Bounds of the primary key make both the keyset cursor and the prefix; each form has an index in that order.
constexpr std::string_view kPage = "id >= ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3";

// A text after every id that starts with `prefix` and before all others; ids are ASCII.
std::string end_of_prefix(const std::string& prefix) { return prefix + "\x7f"; }

Value to_json(const std::vector<std::string>& texts) {
  Value::Array array(texts.begin(), texts.end());
  return Value(std::move(array));
}

std::vector<std::string> texts_from(Row& row) {
  std::vector<std::string> texts;
  const Value value = row.json();
  if (!value.is_array()) {
    row.complain("no array");
    return texts;
  }
  for (const Value& text : value.as_array()) {
    if (!text.is_string()) row.complain("no array of texts");
    texts.push_back(text.is_string() ? text.as_string() : "");
  }
  return texts;
}

TaskKey key_from(Row& row) {
  auto task = row.id<TaskId>();
  return TaskKey{std::move(task), static_cast<int>(row.integer())};
}

std::string_view marked_word(const Run& run) { return run.marked ? kRunStates.text(*run.marked) : std::string_view(); }

// What is kept as JSON, by its reader of the run layer.
template <class T>
T from_json(Row& row, Result<T> (*read)(const Value&)) {
  auto value = read(row.json());
  if (!value) row.complain(value.error().message);
  return value ? *std::move(value) : T{};
}
std::optional<run::ParentTask> parent_from(Row& row) { return from_json(row, run::parent_from_value); }
std::optional<run::WaitState> waiting_from(Row& row) { return from_json(row, run::waiting_from_value); }

std::optional<AttemptId> maybe_attempt_from(Row& row) {
  const std::string text = row.text();
  if (text.empty()) return std::nullopt;
  auto id = AttemptId::parse(text);
  if (!id) row.complain("`" + text + "` names no attempt");
  return id;
}

// Initialisers in braces run in order, which is the order of kSelectRun.
Run run_from(Row& row) {
  Run run;
  run.header = run::RunHeader{.id = row.id<RunId>(),
                              .dag = row.id<DagId>(),
                              .version = row.id<VersionId>(),
                              .trigger = row.word(kTriggerKinds),
                              .schedule = row.text(),
                              .logical_date = row.instant(),
                              .interval_start = row.instant(),
                              .interval_end = row.instant(),
                              .params = row.json(),
                              .created_at = row.instant(),
                              .idempotency_key = row.text(),
                              .parent = parent_from(row)};
  run.state = row.word(kRunStates);
  run.started_at = row.maybe_instant();
  run.ended_at = row.maybe_instant();
  run.failures = texts_from(row);
  run.cancel_cause = row.word(kFailureClasses);
  run.last_seq = static_cast<std::uint64_t>(row.integer());
  run.header.previous = row.id<RunId>();
  run.cancel_now = row.integer() != 0;
  run.late = row.integer() != 0;
  run.header.resumed_from = row.id<RunId>();
  run.backfill = row.text();
  if (const std::string marked = row.text(); !marked.empty()) {
    run.marked = kRunStates.parse(marked);
    if (!run.marked) row.complain("`" + marked + "` is no state of a run");
  }
  run.mark_reason = row.text();
  return run;
}

TaskInstance instance_from(Row& row) {
  return TaskInstance{.key = key_from(row),
                      .state = row.word(kTaskStates),
                      .generation = static_cast<int>(row.integer()),
                      .attempts = static_cast<int>(row.integer()),
                      .retries_used = static_cast<int>(row.integer()),
                      .infra_used = static_cast<int>(row.integer()),
                      .failure = row.word(kFailureClasses),
                      .reason = row.text(),
                      .exit_code = row.maybe_integer(),
                      .outputs = row.json(),
                      .item = row.json(),
                      .scheduled_at = row.maybe_instant(),
                      .queued_at = row.maybe_instant(),
                      .started_at = row.maybe_instant(),
                      .ended_at = row.maybe_instant(),
                      .retry_at = row.maybe_instant(),
                      .launch_since = row.maybe_instant(),
                      .clearing = row.integer() != 0,
                      .marked = row.integer() != 0,
                      .waiting = waiting_from(row),
                      .cached = maybe_attempt_from(row)};
}

Attempt attempt_from(Row& row, const RunId& run) {
  auto key = key_from(row);
  return Attempt{.id = AttemptId{run, std::move(key), static_cast<int>(row.integer())},
                 .generation = static_cast<int>(row.integer()),
                 .state = row.word(kAttemptStates),
                 .executor = row.text(),
                 .identity = row.text(),
                 .rendered = row.json(),
                 .intent_at = row.instant(),
                 .started_at = row.maybe_instant(),
                 .ended_at = row.maybe_instant(),
                 .deadline = row.maybe_instant(),
                 .stop_at = row.maybe_instant(),
                 .exit_code = row.maybe_integer(),
                 .failure = row.word(kFailureClasses),
                 .reason = row.text(),
                 .stop_cause = row.word(kFailureClasses)};
}

Event event_from(Row& row) {
  Event event{.run = row.id<RunId>(),
              .seq = static_cast<std::uint64_t>(row.integer()),
              .at = row.instant(),
              .body = run::RunReopened{}};
  auto body = run::event_from_value(row.json());
  if (body) {
    event.body = *std::move(body);
  } else {
    row.complain("event " + std::to_string(event.seq) + " of run " + event.run.str() + ": " + body.error().message);
  }
  return event;
}

Result<std::vector<RunId>> ids_of(Query& query) {
  std::vector<RunId> ids;
  SLIPWAY_TRY(query.each([&](Row& row) { ids.push_back(row.id<RunId>()); }));
  return ids;
}

}  // namespace

Result<void> insert_run(Connection& connection, const Run& run) {
  const auto& header = run.header;
  return connection.query(kInsertRun)
      .bind(header.id, header.dag, header.version, kTriggerKinds.text(header.trigger), header.schedule,
            header.logical_date, header.interval_start, header.interval_end, header.params, header.created_at,
            header.idempotency_key, run::to_value(header.parent), kRunStates.text(run.state), run.started_at,
            run.ended_at, to_json(run.failures), kFailureClasses.text(run.cancel_cause), run.last_seq, header.previous,
            run.cancel_now, run.late, header.resumed_from, run.backfill, marked_word(run), run.mark_reason)
      .run();
}

Result<void> update_run(Connection& connection, const Run& run) {
  return connection.query(kUpdateRun)
      .bind(run.header.id, kRunStates.text(run.state), run.started_at, run.ended_at, to_json(run.failures),
            kFailureClasses.text(run.cancel_cause), run.last_seq, run.cancel_now, run.late, run.backfill,
            marked_word(run), run.mark_reason, run.header.version, run.header.params)
      .run();
}

Result<void> save_instance(Connection& connection, const RunId& run, const TaskInstance& instance) {
  return connection.query(kSaveInstance)
      .bind(run, instance.key.task, instance.key.map_index, kTaskStates.text(instance.state), instance.generation,
            instance.attempts, instance.retries_used, instance.infra_used, kFailureClasses.text(instance.failure),
            instance.reason, instance.exit_code, instance.outputs, instance.scheduled_at, instance.queued_at,
            instance.started_at, instance.ended_at, instance.retry_at, instance.launch_since, instance.item,
            instance.clearing, instance.marked, run::to_value(instance.waiting),
            instance.cached ? instance.cached->str() : std::string())
      .run();
}

Result<void> save_attempt(Connection& connection, const Attempt& attempt) {
  const auto& id = attempt.id;
  return connection.query(kSaveAttempt)
      .bind(id.run, id.key.task, id.key.map_index, id.number, attempt.generation, kAttemptStates.text(attempt.state),
            attempt.executor, attempt.identity, attempt.rendered, attempt.intent_at, attempt.started_at,
            attempt.ended_at, attempt.deadline, attempt.stop_at, attempt.exit_code,
            kFailureClasses.text(attempt.failure), attempt.reason, kFailureClasses.text(attempt.stop_cause))
      .run();
}

Result<void> insert_event(Connection& connection, const Event& event) {
  return connection.query(kInsertEvent)
      .bind(event.run, event.seq, event.at, run::kind_of(event.body), run::to_value(event.body))
      .run();
}

Result<Run> load_run(Connection& connection, const RunId& id) {
  std::optional<Run> run;
  SLIPWAY_TRY(connection.query(std::string(kSelectRun) + "WHERE id = ? AND id" + std::string(kInSight))
                  .bind(id)
                  .each([&](Row& row) { run = run_from(row); }));
  if (!run) return Error{ErrorCode::NotFound, "there is no run " + id.str(), {}};
  SLIPWAY_TRY(connection.query(kInstancesOfRun).bind(id).each([&](Row& row) {
    auto instance = instance_from(row);
    run->tasks.emplace_hint(run->tasks.end(), instance.key, std::move(instance));
  }));
  SLIPWAY_TRY(connection.query(kAttemptsOfRun).bind(id).each([&](Row& row) {
    auto attempt = attempt_from(row, id);
    run->attempts.emplace_hint(run->attempts.end(), attempt.id, std::move(attempt));
  }));
  return *std::move(run);
}

Result<std::vector<RunSummary>> list_runs(Connection& connection, const RunFilter& filter) {
  std::string sql(kSelectRun);
  sql += "WHERE id" + std::string(kInSight) + " AND ";
  if (filter.dag) sql += "dag = ?4 AND ";
  if (filter.state) sql += filter.dag ? "state = ?5 AND " : "state = ?4 AND ";
  sql += kPage;
  std::string end = end_of_prefix(filter.id_prefix);
  if (filter.before) end = std::min(end, filter.before->str());
  const int limit = std::max(filter.limit, 0);

  std::vector<RunSummary> page;
  const auto collect = [&](Row& row) {
    auto run = run_from(row);
    page.push_back({std::move(run.header), run.state, run.started_at, run.ended_at, std::move(run.failures)});
  };
  auto query = connection.query(sql);
  if (filter.dag && filter.state) {
    query.bind(filter.id_prefix, end, limit, *filter.dag, kRunStates.text(*filter.state));
  } else if (filter.dag) {
    query.bind(filter.id_prefix, end, limit, *filter.dag);
  } else if (filter.state) {
    query.bind(filter.id_prefix, end, limit, kRunStates.text(*filter.state));
  } else {
    query.bind(filter.id_prefix, end, limit);
  }
  SLIPWAY_TRY(query.each(collect));
  return page;
}

Result<std::vector<Event>> load_events(Connection& connection, const RunId& id, std::uint64_t after_seq, int limit) {
  std::vector<Event> events;
  SLIPWAY_TRY(connection.query(kEventsAfter).bind(id, after_seq, std::max(limit, 0)).each([&](Row& row) {
    events.push_back(event_from(row));
  }));
  return events;
}

Result<Run> fold_run(Connection& connection, const RunId& id) {
  constexpr int kSlice = 1'000;
  Run run;
  for (;;) {
    SLIPWAY_TRY_ASSIGN(const auto events, load_events(connection, id, run.last_seq, kSlice));
    for (const Event& event : events) {
      if (auto legal = run::check(run, event); !legal)
        return Error{ErrorCode::Corrupt,
                     "event " + std::to_string(event.seq) + " of run " + id.str() + ": " + legal.error().message,
                     "see what else is wrong with slipway db check"};
      run::apply(run, event);
    }
    if (events.size() < kSlice) break;
  }
  if (run.last_seq == 0) return Error{ErrorCode::Corrupt, "run " + id.str() + " has no events", {}};
  return run;
}

// Reading rows is several times faster than folding, and each transaction wrote both.
Result<Run> restore_run(Connection& connection, const RunId& id) {
  std::uint64_t count = 0;
  std::uint64_t last = 0;
  SLIPWAY_TRY(connection.query(kEventsOfRun).bind(id).each([&](Row& row) {
    count = static_cast<std::uint64_t>(row.integer());
    last = static_cast<std::uint64_t>(row.integer());
  }));
  auto run = load_run(connection, id);
  if (run ? run->last_seq == last && last == count : run.error().code != ErrorCode::Corrupt) return run;
  return fold_run(connection, id);
}

Result<std::optional<RunId>> find_by_key(Connection& connection, const DagId& dag, const std::string& key) {
  auto query = connection.query(kRunByKey);
  query.bind(dag, key);
  SLIPWAY_TRY_ASSIGN(const auto ids, ids_of(query));
  return ids.empty() ? std::nullopt : std::optional<RunId>(ids.front());
}

Result<std::optional<RunId>> find_before(Connection& connection, const DagId& dag, const std::string& schedule,
                                         Instant logical_date) {
  auto query = connection.query(kRunBefore);
  query.bind(dag, schedule, logical_date);
  SLIPWAY_TRY_ASSIGN(const auto ids, ids_of(query));
  return ids.empty() ? std::nullopt : std::optional<RunId>(ids.front());
}

Result<Value> previous_outputs(Connection& connection, const DagId& dag, const TaskKey& task, const RunId& before) {
  Result<Value> outputs = Value();
  SLIPWAY_TRY(connection.query(kPreviousOutputs).bind(dag, before, task.task, task.map_index).each([&](Row& row) {
    outputs.value() = row.json();
  }));
  return outputs;
}

Result<std::vector<RunId>> open_run_ids(Connection& connection) {
  auto query = connection.query(kOpenRuns);
  return ids_of(query);
}

Result<std::vector<RunId>> run_ids_after(Connection& connection, const RunId& after, int limit) {
  auto query = connection.query(kRunsAfter);
  query.bind(after, limit);
  return ids_of(query);
}

}  // namespace slipway::store
