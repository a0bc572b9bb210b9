#include "store/reader.h"

#include "store/audit_rows.h"
#include "store/backfill_rows.h"
#include "store/dag_rows.h"
#include "store/data_rows.h"
#include "store/prune_rows.h"
#include "store/run_rows.h"

namespace slipway::store {

Result<std::unique_ptr<Connection>> ReaderPool::take() {
  {
    const std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      auto connection = std::move(idle_.back());
      idle_.pop_back();
      return connection;
    }
  }
  return Connection::open(options_);
}

void ReaderPool::give_back(std::unique_ptr<Connection> connection) {
  const std::lock_guard lock(mutex_);
  if (idle_.size() < kIdleMax) idle_.push_back(std::move(connection));
}

Result<std::unique_ptr<SqliteReader>> SqliteReader::open(std::shared_ptr<ReaderPool> pool) {
  SLIPWAY_TRY_ASSIGN(auto connection, pool->take());
  SLIPWAY_TRY_ASSIGN(auto snapshot, Transaction::begin(*connection, Transaction::Kind::Read));
  return std::unique_ptr<SqliteReader>(new SqliteReader(std::move(pool), std::move(connection), std::move(snapshot)));
}

SqliteReader::~SqliteReader() {
  snapshot_.reset();
  pool_->give_back(std::move(connection_));
}

Result<std::vector<RunSummary>> SqliteReader::list_runs(const RunFilter& filter) {
  return store::list_runs(*connection_, filter);
}
Result<run::Run> SqliteReader::get_run(const RunId& id) { return load_run(*connection_, id); }
Result<std::vector<run::Event>> SqliteReader::events(const RunId& id, std::uint64_t after_seq, int limit) {
  return load_events(*connection_, id, after_seq, limit);
}
Result<std::vector<DagRow>> SqliteReader::list_dags() { return load_dags(*connection_); }
Result<DagVersion> SqliteReader::get_version(const VersionId& id) { return load_version(*connection_, id); }
Result<std::vector<DagVersion>> SqliteReader::list_versions(const DagId& dag, int limit) {
  return load_versions(*connection_, dag, limit);
}
Result<Value> SqliteReader::vars() { return load_vars(*connection_); }
Result<std::vector<Service>> SqliteReader::services() { return load_services(*connection_); }
Result<std::vector<RunId>> SqliteReader::prunable(const PruneRule& rule, int limit) {
  return prunable_runs(*connection_, rule, limit);
}
Result<std::vector<RunId>> SqliteReader::condemned() { return condemned_runs(*connection_); }
Result<std::map<std::string, run::Dataset>> SqliteReader::datasets() { return load_datasets(*connection_); }
Result<std::vector<run::Backfill>> SqliteReader::list_backfills(const BackfillFilter& filter) {
  return store::list_backfills(*connection_, filter);
}
Result<std::vector<AuditEntry>> SqliteReader::audit(std::optional<std::uint64_t> before, int limit) {
  return list_audit(*connection_, before, limit);
}

}  // namespace slipway::store
