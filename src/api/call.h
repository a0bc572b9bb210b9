// One request on its way through a handler, and the helpers that read it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "api/dag_cache.h"
#include "slipway/api/api.h"

namespace slipway::api {

// Before the patterns of all routes.
inline constexpr std::string_view kBase = "/api/v1";

struct Call {
  const Backend& backend;
  DagCache& dags;
  const http::Request& request;
  std::map<std::string, std::string, std::less<>> path;  // "{id}" -> text
  Value body;                                            // object; empty where the request has none
  vault::Identity identity;

  [[nodiscard]] const std::string& at(std::string_view name) const { return path.find(name)->second; }
  [[nodiscard]] std::string query(std::string_view name) const;  // empty if absent
  // Sends it to the engine in the name of who asks.
  [[nodiscard]] Result<engine::Reply> command(engine::Command command) const;
  // InvalidArgument unless it is a whole number within [low, high].
  [[nodiscard]] Result<std::int64_t> query_integer(std::string_view name, std::int64_t fallback, std::int64_t low,
                                                   std::int64_t high) const;
};

// Members of the body; absent = the default. InvalidArgument for another type.
[[nodiscard]] Result<bool> flag(const Value& body, std::string_view name);
[[nodiscard]] Result<std::vector<std::string>> texts(const Value& body, std::string_view name);
// "finetune" or "finetune[3]".
[[nodiscard]] Result<TaskKey> task_key(const std::string& text);
// The Idempotency-Key header; empty if absent.
[[nodiscard]] Result<std::string> idempotency_key(const Call& call);
// Manual for a person, Api otherwise: the member `trigger`.
[[nodiscard]] Result<run::TriggerKind> trigger_kind(const Value& body);
// The member `params`, an object; empty if absent.
[[nodiscard]] Result<Value> params_of(const Value& body);

[[nodiscard]] http::Response reply(const Value& body, int status = 200);
[[nodiscard]] http::Response no_content();
// 304: the caller has what it asks for. `tag` is in quotes.
[[nodiscard]] http::Response not_modified(const std::string& tag);

// The text as an id, or NotFound "there is no <what> <text>".
[[nodiscard]] Result<std::string> checked_id(const std::string& text, std::string_view what);
// The run named by the path: a full id, a unique prefix, or @latest (of ?dag= where given). NotFound; Conflict if the
// prefix is ambiguous.
[[nodiscard]] Result<RunId> named_run(const Call& call, store::Reader& reader);
[[nodiscard]] Result<RunId> named_run(const Call& call, store::Reader& reader, const std::string& text);
// The run as it is now, and what was changed.
[[nodiscard]] Result<http::Response> reply_run(const Call& call, const RunId& id, const engine::Reply& done,
                                               int status = 200);
// The DAG named by the path. NotFound.
[[nodiscard]] Result<store::DagRow> find_dag(const Call& call, store::Reader& reader);

}  // namespace slipway::api
