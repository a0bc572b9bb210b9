#include "api/call.h"

#include <charconv>

#include "api/bodies.h"

namespace slipway::api {

std::string Call::query(std::string_view name) const {
  const auto found = request.query.find(name);
  return found == request.query.end() ? std::string() : found->second;
}

Result<engine::Reply> Call::command(engine::Command command) const {
  return backend.control.call(
      std::move(command), {identity.token_id, identity.note, request.method + " " + request.path.substr(kBase.size())});
}

Result<std::int64_t> Call::query_integer(std::string_view name, std::int64_t fallback, std::int64_t low,
                                         std::int64_t high) const {
  const auto found = request.query.find(name);
  if (found == request.query.end()) return fallback;
  const std::string& text = found->second;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < low || value > high)
    return Error{ErrorCode::InvalidArgument,
                 std::string(name) + " `" + text + "` is no whole number from " + std::to_string(low) + " to " +
                     std::to_string(high),
                 {}};
  return value;
}

Result<bool> flag(const Value& body, std::string_view name) {
  const Value* value = body.find(name);
  if (value == nullptr) return false;
  if (value->is_bool()) return value->as_bool();
  return Error{ErrorCode::InvalidArgument, "`" + std::string(name) + "` is neither true nor false", {}};
}

Result<std::vector<std::string>> texts(const Value& body, std::string_view name) {
  std::vector<std::string> found;
  const Value* value = body.find(name);
  if (value == nullptr) return found;
  const Error wrong{ErrorCode::InvalidArgument, "`" + std::string(name) + "` is no list of texts", {}};
  if (!value->is_array()) return wrong;
  for (const Value& item : value->as_array()) {
    if (!item.is_string()) return wrong;
    found.push_back(item.as_string());
  }
  return found;
}

Result<TaskKey> task_key(const std::string& text) {
  // An attempt's name holds its task's, so there is one reading of both.
  const auto attempt = AttemptId::parse("run/" + text + "/1");
  if (attempt) return attempt->key;
  return Error{ErrorCode::NotFound, "there is no task `" + text + "`", "a task is named name, or name[3]"};
}

Result<std::string> idempotency_key(const Call& call) {
  constexpr std::size_t kKeyBytesMax = 255;
  std::string key = call.request.header("Idempotency-Key");
  if (key.size() <= kKeyBytesMax) return key;
  return Error{ErrorCode::InvalidArgument, "the Idempotency-Key is longer than 255 bytes", {}};
}

Result<run::TriggerKind> trigger_kind(const Value& body) {
  const auto kind = body.get_string("trigger", "api");
  if (kind == "manual") return run::TriggerKind::Manual;
  if (kind == "api") return run::TriggerKind::Api;
  return Error{ErrorCode::InvalidArgument, "`trigger` is neither api nor manual", {}};
}

Result<Value> params_of(const Value& body) {
  const Value* params = body.find("params");
  if (params == nullptr) return Value(Value::Object{});
  if (!params->is_object()) return Error{ErrorCode::InvalidArgument, "`params` is no object", {}};
  return *params;
}

http::Response reply(const Value& body, int status) { return {status, "application/json", body.dump(), {}}; }

http::Response no_content() { return {204, "", "", {}}; }

http::Response not_modified(const std::string& tag) { return {304, "application/json", "", {{"ETag", tag}}}; }

Result<std::string> checked_id(const std::string& text, std::string_view what) {
  if (is_id(text)) return text;
  return Error{ErrorCode::NotFound, "there is no " + std::string(what) + " `" + text + "`", {}};
}

Result<RunId> named_run(const Call& call, store::Reader& reader) { return named_run(call, reader, call.at("run")); }

Result<RunId> named_run(const Call& call, store::Reader& reader, const std::string& text) {
  store::RunFilter filter;
  filter.limit = 2;
  if (const auto dag = call.query("dag"); !dag.empty()) filter.dag = DagId(dag);
  const bool newest = text == "@latest" || text == "@failed";
  if (text == "@failed") filter.state = run::RunState::Failed;
  if (!newest) {
    SLIPWAY_TRY_ASSIGN(filter.id_prefix, checked_id(text, "run"));
  }
  SLIPWAY_TRY_ASSIGN(const auto found, reader.list_runs(filter));
  if (found.empty())
    return Error{ErrorCode::NotFound,
                 text == "@latest"   ? "there is no run yet"
                 : text == "@failed" ? "no run has failed"
                                     : "there is no run " + text,
                 {}};
  if (!newest && found.size() > 1)
    return Error{ErrorCode::Conflict, "several runs begin with " + text, "give more of the id"};
  return found.front().header.id;
}

Result<http::Response> reply_run(const Call& call, const RunId& id, const engine::Reply& done, int status) {
  SLIPWAY_TRY_ASSIGN(const auto reader, call.backend.store.read());
  SLIPWAY_TRY_ASSIGN(const auto run, reader->get_run(id));
  Value body = run_body(run, call.dags.get(*reader, run.header.version).get());
  body["changes"] = changes_value(done.changes);
  return reply(body, status);
}

Result<store::DagRow> find_dag(const Call& call, store::Reader& reader) {
  const std::string& id = call.at("dag");
  SLIPWAY_TRY_ASSIGN(auto rows, reader.list_dags());
  for (auto& row : rows)
    if (row.id.str() == id) return std::move(row);
  std::vector<std::string> known;
  for (const auto& row : rows)
    if (row.present) known.push_back(row.id.str());
  const auto near = nearest(id, known);
  return Error{ErrorCode::NotFound, "there is no DAG `" + id + "`",
               near ? "did you mean `" + *near + "`?" : "`slipway dag list` shows those there are"};
}

}  // namespace slipway::api
