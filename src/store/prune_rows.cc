#include "store/prune_rows.h"

#include <algorithm>
#include <array>
#include <limits>

namespace slipway::store {
namespace {

constexpr std::string_view kPrunable = R"(
  SELECT id FROM run
  WHERE dag = ?1 AND state IN ('success', 'failed', 'cancelled') AND id NOT IN (SELECT run FROM pruning)
    AND NOT EXISTS (SELECT 1 FROM service WHERE revision GLOB run.id || '/*')
    AND (ended_at < ?2
         OR id <= (SELECT id FROM run WHERE dag = ?1 AND state IN ('success', 'failed', 'cancelled')
                   ORDER BY id DESC LIMIT 1 OFFSET ?3))
  ORDER BY id LIMIT ?4)";

constexpr std::string_view kCondemned = "SELECT run FROM pruning ORDER BY run";

// A run whose service is live keeps its files, which the service writes to.
constexpr std::string_view kCondemn = R"(
  INSERT OR IGNORE INTO pruning (run)
  SELECT id FROM run
  WHERE id = ? AND state IN ('success', 'failed', 'cancelled')
    AND NOT EXISTS (SELECT 1 FROM service WHERE revision GLOB run.id || '/*'))";

// Nobody is to be told of a run that is going: its key and its tick are free.
constexpr std::string_view kRelease = R"(
  UPDATE run SET idempotency_key = '', trigger_kind = 'manual' WHERE id = ?1 AND id IN (SELECT run FROM pruning))";

constexpr std::string_view kIsCondemned = "SELECT 1 FROM pruning WHERE run = ?";

// Every table with a column `run`, those that refer to another one first.
constexpr std::array<std::string_view, 3> kRowsOfRun{
    R"(DELETE FROM attempt WHERE run = ?1 AND (task, map_index, number) IN
         (SELECT task, map_index, number FROM attempt WHERE run = ?1 LIMIT ?2))",
    R"(DELETE FROM task_instance WHERE run = ?1 AND (task, map_index) IN
         (SELECT task, map_index FROM task_instance WHERE run = ?1 LIMIT ?2))",
    "DELETE FROM event WHERE run = ?1 AND seq IN (SELECT seq FROM event WHERE run = ?1 LIMIT ?2)",
};

constexpr std::string_view kVersionOf = "SELECT version FROM run WHERE id = ?";
constexpr std::string_view kDeleteRun = "DELETE FROM run WHERE id = ?";
constexpr std::string_view kForget = "DELETE FROM pruning WHERE run = ?";
constexpr std::string_view kDeleteVersion = R"(
  DELETE FROM dag_version
  WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM run WHERE version = ?1)
    AND NOT EXISTS (SELECT 1 FROM dag WHERE version = ?1))";

Result<std::vector<RunId>> ids_of(Query& query) {
  std::vector<RunId> ids;
  SLIPWAY_TRY(query.each([&](Row& row) { ids.push_back(row.id<RunId>()); }));
  return ids;
}

}  // namespace

Result<std::vector<RunId>> prunable_runs(Connection& connection, const PruneRule& rule, int limit) {
  auto query = connection.query(kPrunable);
  // An offset beyond every run finds none, and nothing is older than nothing.
  query.bind(rule.dag, rule.ended_before,
             rule.keep ? std::int64_t{*rule.keep} : std::numeric_limits<std::int64_t>::max(), std::max(limit, 0));
  return ids_of(query);
}

Result<std::vector<RunId>> condemned_runs(Connection& connection) {
  auto query = connection.query(kCondemned);
  return ids_of(query);
}

Result<void> condemn_run(Connection& connection, const RunId& run) {
  SLIPWAY_TRY(connection.query(kCondemn).bind(run).run());
  return connection.query(kRelease).bind(run).run();
}

Result<bool> erase_rows(Connection& connection, const RunId& run, int rows) {
  bool condemned = false;
  SLIPWAY_TRY(connection.query(kIsCondemned).bind(run).each([&](Row&) { condemned = true; }));
  if (!condemned) return false;
  std::int64_t left = rows;
  for (const std::string_view sql : kRowsOfRun) {
    SLIPWAY_TRY(connection.query(sql).bind(run, left).run());
    left -= connection.changed_rows();
    if (left <= 0) return true;
  }
  VersionId version;
  SLIPWAY_TRY(connection.query(kVersionOf).bind(run).each([&](Row& row) { version = row.id<VersionId>(); }));
  SLIPWAY_TRY(connection.query(kDeleteRun).bind(run).run());
  SLIPWAY_TRY(connection.query(kDeleteVersion).bind(version).run());
  SLIPWAY_TRY(connection.query(kForget).bind(run).run());
  return false;
}

}  // namespace slipway::store
