// Backfills: which ticks are to be run, and how far that has come.
#include "api/bodies.h"
#include "api/handlers.h"
#include "api/words.h"

namespace slipway::api {
namespace {

// An instant, or a date: midnight UTC.
Result<Instant> instant_of(const Value& body, const std::string& name) {
  auto instant = parse_rfc3339(body.get_string(name));
  if (instant) return instant;
  return instant.error().in("`" + name + "`");
}

Result<engine::StartBackfill> backfill_of(const Call& call) {
  engine::StartBackfill start;
  SLIPWAY_TRY_ASSIGN(const auto id, checked_id(call.at("dag"), "DAG"));
  start.dag = DagId(id);
  start.schedule = call.body.get_string("schedule");
  SLIPWAY_TRY_ASSIGN(start.from, instant_of(call.body, "from"));
  SLIPWAY_TRY_ASSIGN(start.to, instant_of(call.body, "to"));
  SLIPWAY_TRY_ASSIGN(start.reverse, flag(call.body, "reverse"));
  SLIPWAY_TRY_ASSIGN(start.preview, flag(call.body, "preview"));
  SLIPWAY_TRY_ASSIGN(start.params, params_of(call.body));
  start.max_active = static_cast<int>(std::clamp<std::int64_t>(call.body.get_int("max_active", 1), 0, INT32_MAX));
  const std::string word = call.body.get_string("reprocess", "none");
  SLIPWAY_TRY_ASSIGN(start.reprocess, word_of(run::kReprocess, word, "way to reprocess"));
  return start;
}

// A full id or a unique prefix of one. The reader is gone before a command is sent.
Result<run::Backfill> find_backfill(const Call& call, const std::string& text) {
  SLIPWAY_TRY_ASSIGN(const auto reader, call.backend.store.read());
  SLIPWAY_TRY_ASSIGN(auto found, reader->list_backfills({.id_prefix = text, .limit = 2}));
  if (found.empty() || text.empty())
    return Error{ErrorCode::NotFound, "there is no backfill " + text, "slipway backfill list"};
  if (found.size() > 1 && found.back().id != text)
    return Error{ErrorCode::Conflict, "several backfills begin with " + text, "write more of its id"};
  return std::move(found.back());
}

Result<http::Response> reply_backfill(const Call& call, const std::string& id, int status = 200) {
  SLIPWAY_TRY_ASSIGN(const auto backfill, find_backfill(call, id));
  Value body;
  body["backfill"] = backfill_value(backfill);
  return reply(body, status);
}

}  // namespace

Result<http::Response> start_backfill(const Call& call) {
  SLIPWAY_TRY_ASSIGN(auto start, backfill_of(call));
  const bool preview = start.preview;
  SLIPWAY_TRY_ASSIGN(const auto done, call.command(std::move(start)));
  return preview ? reply(ticks_body(done.ticks)) : reply_backfill(call, done.backfill, 201);
}

Result<http::Response> list_backfills(const Call& call) {
  store::BackfillFilter filter;
  SLIPWAY_TRY_ASSIGN(const auto limit, call.query_integer("limit", 50, 1, 1'000));
  filter.limit = static_cast<int>(limit);
  filter.before = call.query("before");
  if (const auto dag = call.query("dag"); !dag.empty()) filter.dag = DagId(dag);
  if (const auto state = call.query("state"); !state.empty()) {
    SLIPWAY_TRY_ASSIGN(filter.state, word_of(run::kBackfillStates, state, "state of a backfill"));
  }
  SLIPWAY_TRY_ASSIGN(const auto reader, call.backend.store.read());
  SLIPWAY_TRY_ASSIGN(const auto backfills, reader->list_backfills(filter));
  return reply(backfills_body(backfills, filter.limit));
}

Result<http::Response> get_backfill(const Call& call) { return reply_backfill(call, call.at("backfill")); }

Result<http::Response> cancel_backfill(const Call& call) {
  SLIPWAY_TRY_ASSIGN(const bool keep_running, flag(call.body, "keep_running"));
  SLIPWAY_TRY_ASSIGN(const auto backfill, find_backfill(call, call.at("backfill")));
  SLIPWAY_TRY(call.command(engine::CancelBackfill{backfill.id, keep_running}));
  return reply_backfill(call, backfill.id);
}

}  // namespace slipway::api
