#include "api/call.h"

#include <charconv>

namespace slipway::api {

std::string Call::query(std::string_view name) const {
  const auto found = request.query.find(name);
  return found == request.query.end() ? std::string() : found->second;
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

http::Response reply(const Value& body, int status) { return {status, "application/json", body.dump(), {}}; }

http::Response no_content() { return {204, "", "", {}}; }

Result<std::string> checked_id(const std::string& text, std::string_view what) {
  if (is_id(text)) return text;
  return Error{ErrorCode::NotFound, "there is no " + std::string(what) + " `" + text + "`", {}};
}

Result<RunId> named_run(const Call& call, store::Reader& reader) {
  const std::string& text = call.at("run");
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

}  // namespace slipway::api
