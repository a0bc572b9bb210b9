#include <charconv>

#include "api/bodies.h"
#include "api/handlers.h"
#include "api/words.h"

namespace slipway::api {
namespace {

// What is told of a run changes with its events, and with how this version tells it.
std::string run_tag(const RunId& id, std::uint64_t seq, const std::string& version) {
  return '"' + id.str() + "-" + std::to_string(seq) + "-" + version + '"';
}

// Whoever watches a run of ten thousand instances asks several times a second: whether it moved is told by one or two
// rows. False also for a tag that is not of this run.
Result<bool> names_last_event(const std::string& tag, const std::string& version, const RunId& id,
                              store::Reader& reader) {
  const std::string start = '"' + id.str() + "-";
  if (tag.compare(0, start.size(), start) != 0) return false;
  std::uint64_t seq = 0;
  std::from_chars(tag.data() + start.size(), tag.data() + tag.size(), seq);
  if (seq == 0 || tag != run_tag(id, seq, version)) return false;
  SLIPWAY_TRY_ASSIGN(const auto events, reader.events(id, seq - 1, 2));
  return events.size() == 1 && events.front().seq == seq;
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
    SLIPWAY_TRY_ASSIGN(filter.state, word_of(run::kRunStates, state, "state of a run"));
  }
  SLIPWAY_TRY_ASSIGN(const auto reader, call.backend.store.read());
  SLIPWAY_TRY_ASSIGN(const auto runs, reader->list_runs(filter));
  return reply(runs_body(runs, filter.limit));
}

Result<http::Response> get_run(const Call& call) {
  SLIPWAY_TRY_ASSIGN(const auto reader, call.backend.store.read());
  SLIPWAY_TRY_ASSIGN(const auto id, named_run(call, *reader));
  const std::string wanted = call.request.header("If-None-Match");
  SLIPWAY_TRY_ASSIGN(const bool same, names_last_event(wanted, call.backend.version, id, *reader));
  if (same) return not_modified(wanted);
  SLIPWAY_TRY_ASSIGN(const auto run, reader->get_run(id));
  auto response = reply(run_body(run, call.dags.get(*reader, run.header.version).get()));
  response.headers.emplace_back("ETag", run_tag(id, run.last_seq, call.backend.version));
  return response;
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

Result<http::Response> listen_to_events(const Call& call) {
  RunId run;
  if (const auto name = call.query("run"); !name.empty()) {
    SLIPWAY_TRY_ASSIGN(const auto reader, call.backend.store.read());
    SLIPWAY_TRY_ASSIGN(run, named_run(call, *reader, name));
  }
  http::Response response;
  SLIPWAY_TRY_ASSIGN(response.later, call.backend.events.listen(run, call.request.header("Last-Event-ID")));
  return response;
}

Result<http::Response> diff_runs(const Call& call) {
  SLIPWAY_TRY_ASSIGN(const auto reader, call.backend.store.read());
  SLIPWAY_TRY_ASSIGN(const auto id, named_run(call, *reader));
  SLIPWAY_TRY_ASSIGN(const auto other, named_run(call, *reader, call.query("with")));
  SLIPWAY_TRY_ASSIGN(const auto first, reader->get_run(id));
  SLIPWAY_TRY_ASSIGN(const auto second, reader->get_run(other));
  return reply(run_diff_body(first, second));
}

}  // namespace slipway::api
