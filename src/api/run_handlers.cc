#include "api/bodies.h"
#include "api/handlers.h"
#include "api/words.h"

namespace slipway::api {
namespace {

Result<run::RunState> parse_state(const std::string& text) {
  if (const auto state = run::kRunStates.parse(text)) return *state;
  std::vector<std::string> known;
  for (const auto& row : run::kRunStates.rows()) known.emplace_back(row.text);
  return Error{ErrorCode::InvalidArgument, "`" + text + "` is no state of a run", "one of: " + join(known)};
}

Result<http::Response> reply_run(const Call& call, const RunId& id) {
  SLIPWAY_TRY_ASSIGN(const auto reader, call.backend.store.read());
  SLIPWAY_TRY_ASSIGN(const auto run, reader->get_run(id));
  const auto dag = call.dags.get(*reader, run.header.version);
  return reply(run_body(run, dag.get()));
}

// The reader is gone before the command is sent: a snapshot held meanwhile would keep the log from shrinking.
Result<RunId> find_run(const Call& call) {
  SLIPWAY_TRY_ASSIGN(const auto reader, call.backend.store.read());
  return named_run(call, *reader);
}

}  // namespace

Result<http::Response> list_runs(const Call& call) {
  store::RunFilter filter;
  SLIPWAY_TRY_ASSIGN(const auto limit, call.query_integer("limit", 50, 1, 1'000));
  filter.limit = static_cast<int>(limit);
  filter.id_prefix = call.query("prefix");
  if (const auto dag = call.query("dag"); !dag.empty()) filter.dag = DagId(dag);
  if (const auto before = call.query("before"); !before.empty()) filter.before = RunId(before);
  if (const auto state = call.query("state"); !state.empty()) {
    SLIPWAY_TRY_ASSIGN(filter.state, parse_state(state));
  }
  SLIPWAY_TRY_ASSIGN(const auto reader, call.backend.store.read());
  SLIPWAY_TRY_ASSIGN(const auto runs, reader->list_runs(filter));
  return reply(runs_body(runs, filter.limit));
}

Result<http::Response> get_run(const Call& call) {
  SLIPWAY_TRY_ASSIGN(const auto id, find_run(call));
  return reply_run(call, id);
}

Result<http::Response> cancel_run(const Call& call) {
  const Value* now = call.body.find("now");
  if (now != nullptr && !now->is_bool())
    return Error{ErrorCode::InvalidArgument, "`now` is neither true nor false", {}};
  SLIPWAY_TRY_ASSIGN(const auto id, find_run(call));
  SLIPWAY_TRY(call.backend.control.call(engine::CancelRun{id, now != nullptr && now->as_bool()}));
  return reply_run(call, id);
}

Result<http::Response> retry_run(const Call& call) {
  SLIPWAY_TRY_ASSIGN(const auto id, find_run(call));
  SLIPWAY_TRY(call.backend.control.call(engine::RetryRun{id}));
  return reply_run(call, id);
}

Result<http::Response> list_events(const Call& call) {
  SLIPWAY_TRY_ASSIGN(const auto after, call.query_integer("after", 0, 0, INT64_MAX));
  SLIPWAY_TRY_ASSIGN(const auto limit, call.query_integer("limit", 1'000, 1, 10'000));
  SLIPWAY_TRY_ASSIGN(const auto reader, call.backend.store.read());
  SLIPWAY_TRY_ASSIGN(const auto id, named_run(call, *reader));
  const auto from = static_cast<std::uint64_t>(after);
  SLIPWAY_TRY_ASSIGN(const auto events, reader->events(id, from, static_cast<int>(limit)));
  return reply(events_body(events, from));
}

}  // namespace slipway::api
