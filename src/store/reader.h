// Read-only connections, each with a snapshot of its own.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "slipway/store/store.h"
#include "store/sqlite.h"

namespace slipway::store {

// Keeps a few idle connections, because opening one parses the schema. Any thread.
class ReaderPool final {
 public:
  explicit ReaderPool(ConnectionOptions options) : options_(std::move(options)) {}

  [[nodiscard]] Result<std::unique_ptr<Connection>> take();
  void give_back(std::unique_ptr<Connection> connection);

 private:
  static constexpr std::size_t kIdleMax = 4;

  const ConnectionOptions options_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Connection>> idle_;  // guarded by mutex_
};

class SqliteReader final : public Reader {
 public:
  static Result<std::unique_ptr<SqliteReader>> open(std::shared_ptr<ReaderPool> pool);
  ~SqliteReader() override;

  Result<std::vector<RunSummary>> list_runs(const RunFilter& filter) override;
  Result<run::Run> get_run(const RunId& id) override;
  Result<std::vector<run::Event>> events(const RunId& id, std::uint64_t after_seq, int limit) override;
  Result<std::vector<DagRow>> list_dags() override;
  Result<DagVersion> get_version(const VersionId& id) override;
  Result<std::vector<DagVersion>> list_versions(const DagId& dag, int limit) override;
  Result<Value> vars() override;
  Result<std::vector<Service>> services() override;
  Result<std::vector<RunId>> prunable(const PruneRule& rule, int limit) override;
  Result<std::vector<RunId>> condemned() override;
  Result<std::map<std::string, run::Dataset>> datasets() override;
  Result<std::vector<run::Backfill>> list_backfills(const BackfillFilter& filter) override;
  Result<std::vector<AuditEntry>> audit(std::optional<std::uint64_t> before, int limit) override;

  [[nodiscard]] Connection& connection() { return *connection_; }

 private:
  SqliteReader(std::shared_ptr<ReaderPool> pool, std::unique_ptr<Connection> connection,
               std::unique_ptr<Transaction> snapshot)
      : pool_(std::move(pool)), connection_(std::move(connection)), snapshot_(std::move(snapshot)) {}

  std::shared_ptr<ReaderPool> pool_;
  std::unique_ptr<Connection> connection_;
  std::unique_ptr<Transaction> snapshot_;
};

}  // namespace slipway::store
