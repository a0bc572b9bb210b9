#include "api/bodies.h"
#include "api/handlers.h"

namespace slipway::api {
namespace {

Result<engine::TriggerRun> trigger_from(const Call& call, const DagId& dag) {
  engine::TriggerRun trigger{.dag = dag, .params = {}, .idempotency_key = {}, .logical_date = {}};
  SLIPWAY_TRY_ASSIGN(trigger.idempotency_key, idempotency_key(call));
  SLIPWAY_TRY_ASSIGN(trigger.params, params_of(call.body));
  if (call.body.find("logical_date") != nullptr) {
    SLIPWAY_TRY_ASSIGN(trigger.logical_date, parse_rfc3339(call.body.get_string("logical_date")));
  }
  SLIPWAY_TRY_ASSIGN(trigger.kind, trigger_kind(call.body));
  return trigger;
}

}  // namespace

Result<http::Response> list_dags(const Call& call) {
  SLIPWAY_TRY_ASSIGN(const auto reader, call.backend.store.read());
  SLIPWAY_TRY_ASSIGN(const auto rows, reader->list_dags());
  Value dags{Value::Array{}};
  const Instant now = call.backend.clock.now();
  for (const auto& row : rows) dags.as_array().push_back(dag_line(row, call.dags.get(*reader, row.version).get(), now));
  Value body;
  body["dags"] = std::move(dags);
  return reply(body);
}

Result<http::Response> get_dag(const Call& call) {
  SLIPWAY_TRY_ASSIGN(const auto reader, call.backend.store.read());
  SLIPWAY_TRY_ASSIGN(const auto row, find_dag(call, *reader));
  return reply(dag_body(row, call.dags.get(*reader, row.version).get(), call.backend.clock.now()));
}

Result<http::Response> get_source(const Call& call) {
  SLIPWAY_TRY_ASSIGN(const auto reader, call.backend.store.read());
  SLIPWAY_TRY_ASSIGN(const auto row, find_dag(call, *reader));
  const auto wanted = call.query("version");
  if (wanted.empty() && row.version.empty())
    return Error{ErrorCode::Conflict, "DAG `" + row.id.str() + "` has no valid version yet", row.error};
  SLIPWAY_TRY_ASSIGN(const auto version, reader->get_version(wanted.empty() ? row.version : VersionId(wanted)));
  if (version.dag != row.id) return Error{ErrorCode::NotFound, "DAG " + row.id.str() + " has no version " + wanted, {}};
  if (call.request.header("Accept") == "application/json")
    return reply(Value::Object{{"file", version.file},
                               {"text", version.text},
                               {"files", Value::Object(version.files.begin(), version.files.end())}});
  return http::Response{200, "application/yaml", version.text, {}};
}

Result<http::Response> pause_dag(const Call& call) {
  const Value& paused = *call.body.find("paused");
  if (!paused.is_bool()) return Error{ErrorCode::InvalidArgument, "`paused` is neither true nor false", {}};
  SLIPWAY_TRY_ASSIGN(const auto id, checked_id(call.at("dag"), "DAG"));
  SLIPWAY_TRY(call.command(engine::PauseDag{DagId(id), paused.as_bool()}));
  return get_dag(call);
}

Result<http::Response> start_run(const Call& call) {
  SLIPWAY_TRY_ASSIGN(const auto id, checked_id(call.at("dag"), "DAG"));
  SLIPWAY_TRY_ASSIGN(auto trigger, trigger_from(call, DagId(id)));
  SLIPWAY_TRY_ASSIGN(const auto started, call.command(std::move(trigger)));
  SLIPWAY_TRY_ASSIGN(const auto reader, call.backend.store.read());
  SLIPWAY_TRY_ASSIGN(const auto run, reader->get_run(started.run));
  const auto dag = call.dags.get(*reader, run.header.version);
  auto response = reply(run_body(run, dag.get()), started.existed ? 200 : 201);
  response.headers.emplace_back("Location", "/api/v1/runs/" + started.run.str());
  return response;
}

Result<http::Response> list_schedules(const Call& call) {
  SLIPWAY_TRY_ASSIGN(const auto count, call.query_integer("count", 1, 1, 100));
  SLIPWAY_TRY_ASSIGN(const auto reader, call.backend.store.read());
  SLIPWAY_TRY_ASSIGN(const auto rows, reader->list_dags());
  const auto wanted = call.query("dag");
  const Instant now = call.backend.clock.now();
  Value schedules{Value::Array{}};
  for (const auto& row : rows) {
    if (!row.present || (!wanted.empty() && row.id.str() != wanted)) continue;
    const auto dag = call.dags.get(*reader, row.version);
    if (dag == nullptr) continue;
    for (const auto& schedule : dag->schedules)
      schedules.as_array().push_back(schedule_value(row, schedule, now, static_cast<int>(count)));
  }
  Value body;
  body["schedules"] = std::move(schedules);
  return reply(body);
}

}  // namespace slipway::api
