// What is known of datasets: their updates from the store, who writes and reads them from the DAGs.
#include <set>

#include "api/handlers.h"

namespace slipway::api {
namespace {

struct Uses {
  std::set<std::string> producers, consumers;  // "dag" of a schedule, "dag/task" of a task
};

// Only what a file says as it stands: a URI that an expression makes is known once it was updated.
void note(const std::vector<dag::Template>& uris, const std::string& who, std::map<std::string, Uses>& all,
          std::set<std::string> Uses::*role) {
  for (const dag::Template& uri : uris)
    if (!uri.has_expression()) (all[uri.text].*role).insert(who);
}

std::map<std::string, Uses> uses_of(const Call& call, store::Reader& reader, const std::vector<store::DagRow>& rows) {
  std::map<std::string, Uses> all;
  for (const store::DagRow& row : rows) {
    const auto dag = row.present ? call.dags.get(reader, row.version) : nullptr;
    if (dag == nullptr) continue;
    for (const dag::Schedule& schedule : dag->schedules)
      for (const std::string& uri : schedule.datasets) all[uri].consumers.insert(row.id.str());
    for (const dag::Task& task : dag->tasks) {
      const std::string who = row.id.str() + "/" + task.id.str();
      note(task.produces, who, all, &Uses::producers);
      note(task.consumes, who, all, &Uses::consumers);
    }
  }
  return all;
}

Value names(const std::set<std::string>& all) { return Value::Array(all.begin(), all.end()); }

}  // namespace

Result<http::Response> list_datasets(const Call& call) {
  SLIPWAY_TRY_ASSIGN(const auto reader, call.backend.store.read());
  SLIPWAY_TRY_ASSIGN(const auto known, reader->datasets());
  SLIPWAY_TRY_ASSIGN(const auto rows, reader->list_dags());
  std::map<std::string, Uses> uses = uses_of(call, *reader, rows);
  for (const auto& [uri, dataset] : known) uses.try_emplace(uri);
  const std::string wanted = call.query("uri");
  Value datasets{Value::Array{}};
  for (const auto& [uri, use] : uses) {
    if (!wanted.empty() && uri != wanted) continue;
    const auto found = known.find(uri);
    const bool updated = found != known.end();
    datasets.as_array().emplace_back(
        Value::Object{{"uri", uri},
                      {"updates", updated ? found->second.updates : 0},
                      {"updated_at", updated ? Value(to_rfc3339(found->second.updated_at)) : Value()},
                      {"updated_by", updated ? Value(found->second.by) : Value()},
                      {"producers", names(use.producers)},
                      {"consumers", names(use.consumers)}});
  }
  if (!wanted.empty() && datasets.as_array().empty())
    return Error{ErrorCode::NotFound, "there is no dataset `" + wanted + "`", "slipway dataset list"};
  Value body;
  body["datasets"] = std::move(datasets);
  return reply(body);
}

Result<http::Response> touch_dataset(const Call& call) {
  const std::string uri = call.body.get_string("uri");
  const auto colon = uri.find(':');
  if (colon == std::string::npos || colon == 0 || uri.find_first_of(" \t\n") != std::string::npos)
    return Error{ErrorCode::InvalidArgument, "`" + uri + "` is no URI", "write scheme:rest, such as s3://bucket/path"};
  const std::string& note = call.identity.note;
  SLIPWAY_TRY(call.command(engine::TouchDataset{uri, note.empty() ? call.identity.token_id : note}));
  return no_content();
}

}  // namespace slipway::api
