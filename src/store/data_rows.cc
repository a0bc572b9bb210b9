#include "store/data_rows.h"

namespace slipway::store {
namespace {

constexpr std::string_view kSaveDataset = R"(
  INSERT INTO dataset (uri, updates, updated_at, updated_by) VALUES (?, ?, ?, ?)
  ON CONFLICT (uri) DO UPDATE SET
    updates = excluded.updates, updated_at = excluded.updated_at, updated_by = excluded.updated_by)";
constexpr std::string_view kDatasets = "SELECT uri, updates, updated_at, updated_by FROM dataset ORDER BY uri";

constexpr std::string_view kSaveCached = R"(
  INSERT INTO cache (key, dag, run, task, map_index, number, parts, outputs, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT (key) DO UPDATE SET
    dag = excluded.dag, run = excluded.run, task = excluded.task, map_index = excluded.map_index,
    number = excluded.number, parts = excluded.parts, outputs = excluded.outputs, at = excluded.at)";
constexpr std::string_view kCachedByKey = R"(
  SELECT key, dag, run, task, map_index, number, parts, outputs, at FROM cache WHERE key = ?)";
constexpr std::string_view kCachedByTask = R"(
  SELECT key, dag, run, task, map_index, number, parts, outputs, at FROM cache
  WHERE dag = ? AND task = ? AND map_index = ? ORDER BY at DESC LIMIT 1)";

AttemptId attempt_from(Row& row) {
  auto run = row.id<RunId>();
  auto task = row.id<TaskId>();
  const auto index = static_cast<int>(row.integer());
  return {std::move(run), {std::move(task), index}, static_cast<int>(row.integer())};
}

// Initialisers in braces run in order, which is that of the columns.
CacheEntry entry_from(Row& row) {
  return CacheEntry{.key = row.text(),
                    .dag = row.id<DagId>(),
                    .attempt = attempt_from(row),
                    .parts = row.json(),
                    .outputs = row.json(),
                    .at = row.instant()};
}

}  // namespace

Result<void> save_dataset(Connection& connection, const std::string& uri, const run::Dataset& dataset) {
  return connection.query(kSaveDataset).bind(uri, dataset.updates, dataset.updated_at, dataset.by).run();
}

Result<std::map<std::string, run::Dataset>> load_datasets(Connection& connection) {
  std::map<std::string, run::Dataset> datasets;
  SLIPWAY_TRY(connection.query(kDatasets).each([&](Row& row) {
    auto uri = row.text();
    datasets.emplace(std::move(uri),
                     run::Dataset{.updates = row.integer(), .updated_at = row.instant(), .by = row.text()});
  }));
  return datasets;
}

Result<void> save_cached(Connection& connection, const CacheEntry& entry) {
  const AttemptId& id = entry.attempt;
  return connection.query(kSaveCached)
      .bind(entry.key, entry.dag, id.run, id.key.task, id.key.map_index, id.number, entry.parts, entry.outputs,
            entry.at)
      .run();
}

Result<std::optional<CacheEntry>> find_cached(Connection& connection, const std::string& key, const DagId& dag,
                                              const TaskKey& task) {
  std::optional<CacheEntry> found;
  const auto keep = [&](Row& row) { found = entry_from(row); };
  SLIPWAY_TRY(connection.query(kCachedByKey).bind(key).each(keep));
  if (found) return found;
  SLIPWAY_TRY(connection.query(kCachedByTask).bind(dag, task.task, task.map_index).each(keep));
  return found;
}

}  // namespace slipway::store
