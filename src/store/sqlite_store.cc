#include "slipway/store/sqlite_store.h"

#include <filesystem>
#include <set>
#include <utility>

#include "slipway/base/failpoint.h"
#include "store/audit_rows.h"
#include "store/backfill_rows.h"
#include "store/check.h"
#include "store/dag_rows.h"
#include "store/data_rows.h"
#include "store/migrations.h"
#include "store/prune_rows.h"
#include "store/reader.h"
#include "store/run_rows.h"
#include "store/sqlite.h"

namespace slipway::store {
namespace {

template <class... Visitors>
struct Overloaded : Visitors... {
  using Visitors::operator()...;
};
template <class... Visitors>
Overloaded(Visitors...) -> Overloaded<Visitors...>;

// What the events of one run changed beside its summary row.
struct Touched {
  bool created = false;
  bool all_open = false;  // everything that is not over
  std::set<TaskKey> instances;
  std::set<TaskId> whole_tasks;  // every instance of
  std::set<AttemptId> attempts;

  void add(const run::EventBody& body) {
    const auto attempt = [this](const auto& event) {
      instances.insert(event.id.key);
      attempts.insert(event.id);
    };
    std::visit(
        Overloaded{[this](const run::RunCreated& event) {
                     created = true;
                     instances.insert(event.tasks.begin(), event.tasks.end());
                   },
                   [](const run::RunMoved&) {}, [](const run::RunReopened&) {}, [](const run::DeadlinePassed&) {},
                   [this](const run::ClockMoved&) { all_open = true; }, [](const run::RunMarked&) {},
                   [this](const run::RunReversioned& event) {
                     instances.insert(event.added.begin(), event.added.end());
                     instances.insert(event.removed.begin(), event.removed.end());
                   },
                   [this](const run::TaskMoved& event) { instances.insert(event.key); },
                   [this](const run::TaskReset& event) {
                     instances.insert(event.key);
                     if (event.key.map_index == TaskKey::kUnmapped) whole_tasks.insert(event.key.task);
                   },
                   [this](const run::TaskExpanded& event) { whole_tasks.insert(event.task); },
                   [this](const run::TaskWaiting& event) { instances.insert(event.key); },
                   [this](const run::TaskClearing& event) { instances.insert(event.key); },
                   [this](const run::TaskMarked& event) { instances.insert(event.key); },
                   [&](const run::AttemptOpened& event) { attempt(event); },
                   [&](const run::AttemptStarted& event) { attempt(event); },
                   [&](const run::AttemptStopping& event) { attempt(event); },
                   [&](const run::AttemptEnded& event) { attempt(event); }},
        body);
  }

  void add_open(const run::Run& run) {
    if (!all_open) return;
    for (const auto& [key, instance] : run.tasks)
      if (!run::is_terminal(instance.state)) instances.insert(key);
    for (const auto& [id, attempt] : run.attempts)
      if (!run::is_terminal(attempt.state)) attempts.insert(id);
  }
};

Result<void> save_run(Connection& connection, const run::Run& run, Touched& touched) {
  for (const TaskId& task : touched.whole_tasks)
    for (auto it = run.tasks.lower_bound({task, TaskKey::kUnmapped}); it != run.tasks.end() && it->first.task == task;
         ++it)
      touched.instances.insert(it->first);
  SLIPWAY_TRY(touched.created ? insert_run(connection, run) : update_run(connection, run));
  for (const TaskKey& key : touched.instances) {
    const auto instance = run.tasks.find(key);
    SLIPWAY_ASSERT(instance != run.tasks.end());
    SLIPWAY_TRY(save_instance(connection, run.header.id, instance->second));
  }
  for (const AttemptId& id : touched.attempts) {
    const auto attempt = run.attempts.find(id);
    SLIPWAY_ASSERT(attempt != run.attempts.end());
    SLIPWAY_TRY(save_attempt(connection, attempt->second));
  }
  return {};
}

Result<void> save_runs(Connection& connection, const Batch& batch) {
  std::map<RunId, Touched> touched;
  for (const auto& event : batch.events) touched[event.run].add(event.body);
  SLIPWAY_ASSERT(touched.size() == batch.runs.size());
  for (const run::Run* run : batch.runs) {
    auto found = touched.find(run->header.id);
    SLIPWAY_ASSERT(found != touched.end());
    found->second.add_open(*run);
    SLIPWAY_TRY(save_run(connection, *run, found->second));
  }
  for (const auto& event : batch.events) SLIPWAY_TRY(insert_event(connection, event));
  return {};
}

Result<void> save(Connection& connection, const Batch& batch) {
  for (const auto& version : batch.versions) SLIPWAY_TRY(insert_version(connection, version));
  for (const auto& dag : batch.dags) SLIPWAY_TRY(save_dag(connection, dag));
  SLIPWAY_TRY(save_runs(connection, batch));
  for (const auto& [name, value] : batch.vars) SLIPWAY_TRY(save_var(connection, name, value));
  for (const auto& service : batch.services) SLIPWAY_TRY(save_service(connection, service));
  for (const auto& name : batch.services_gone) SLIPWAY_TRY(delete_service(connection, name));
  for (const auto& [name, pool] : batch.pools) SLIPWAY_TRY(save_pool(connection, name, pool));
  for (const auto& share : batch.shares) SLIPWAY_TRY(save_share(connection, share));
  for (const auto& [uri, dataset] : batch.datasets) SLIPWAY_TRY(save_dataset(connection, uri, dataset));
  for (const auto& entry : batch.cached) SLIPWAY_TRY(save_cached(connection, entry));
  for (const auto& backfill : batch.backfills) SLIPWAY_TRY(save_backfill(connection, backfill));
  for (const auto& notice : batch.notices) SLIPWAY_TRY(save_notice(connection, notice));
  for (const auto& id : batch.notices_gone) SLIPWAY_TRY(delete_notice(connection, id));
  for (const auto& [blob, bytes] : batch.blobs) SLIPWAY_TRY(save_blob(connection, blob, bytes));
  SLIPWAY_TRY(append_audit(connection, batch.audit));
  return batch.clock ? save_clock(connection, *batch.clock) : Result<void>();
}

// Rows deleted at a time: some 3 ms.
constexpr int kEraseRows = 300;

class SqliteStore final : public Store {
 public:
  SqliteStore(std::string path, std::unique_ptr<Connection> writer, std::shared_ptr<ReaderPool> readers,
              int checkpoint_pages)
      : path_(std::move(path)),
        writer_(std::move(writer)),
        readers_(std::move(readers)),
        checkpoint_pages_(checkpoint_pages) {}

  Result<void> commit(const Batch& batch) override {
    return write([&]() -> Result<void> { return save(*writer_, batch); });
  }

  Result<Recovered> recover(Suspects* suspects) override {
    Recovered recovered;
    SLIPWAY_TRY(write([&]() -> Result<void> {
      SLIPWAY_TRY_ASSIGN(recovered.boot_epoch, next_boot_epoch(*writer_));
      return {};
    }));
    SLIPWAY_TRY(recover_runs(recovered, suspects));
    SLIPWAY_TRY_ASSIGN(recovered.dags, load_dags(*writer_));
    SLIPWAY_TRY(recover_versions(recovered));
    SLIPWAY_TRY_ASSIGN(recovered.vars, load_vars(*writer_));
    SLIPWAY_TRY_ASSIGN(recovered.services, load_services(*writer_));
    SLIPWAY_TRY_ASSIGN(recovered.notices, load_notices(*writer_));
    SLIPWAY_TRY_ASSIGN(recovered.clock, load_clock(*writer_));
    SLIPWAY_TRY_ASSIGN(recovered.pools, load_pools(*writer_));
    SLIPWAY_TRY_ASSIGN(recovered.shares, load_shares(*writer_));
    SLIPWAY_TRY_ASSIGN(recovered.datasets, load_datasets(*writer_));
    SLIPWAY_TRY_ASSIGN(recovered.backfills, load_open_backfills(*writer_));
    return recovered;
  }

  Result<std::optional<RunId>> find_idempotent(const DagId& dag, const std::string& key) override {
    return find_by_key(*writer_, dag, key);
  }

  Result<std::map<Instant, TickRun>> find_ticks(const TickRange& range) override {
    return store::find_ticks(*writer_, range);
  }

  Result<std::optional<RunId>> run_before(const DagId& dag, const std::string& schedule, Instant date) override {
    return find_before(*writer_, dag, schedule, date);
  }

  Result<std::optional<CacheEntry>> find_cached(const std::string& key, const DagId& dag,
                                                const TaskKey& task) override {
    return store::find_cached(*writer_, key, dag, task);
  }

  Result<Value> previous_outputs(const DagId& dag, const TaskKey& task, const RunId& before) override {
    return store::previous_outputs(*writer_, dag, task, before);
  }

  Result<run::Run> load_run(const RunId& id) override { return store::load_run(*writer_, id); }

  Result<std::unique_ptr<Reader>> read() const override {
    SLIPWAY_TRY_ASSIGN(auto reader, SqliteReader::open(readers_));
    return std::unique_ptr<Reader>(std::move(reader));
  }

  // A snapshot per slice: one over everything would keep the log from shrinking meanwhile.
  Result<std::vector<Finding>> check() const override {
    constexpr int kSlice = 100;
    std::vector<Finding> findings;
    SLIPWAY_TRY_ASSIGN(auto reader, SqliteReader::open(readers_));
    SLIPWAY_TRY(check_file(reader->connection(), findings));
    SLIPWAY_TRY(check_audit(reader->connection(), findings));
    for (RunId last;;) {
      reader.reset();
      SLIPWAY_TRY_ASSIGN(reader, SqliteReader::open(readers_));
      SLIPWAY_TRY_ASSIGN(const auto ids, run_ids_after(reader->connection(), last, kSlice));
      for (const RunId& id : ids) SLIPWAY_TRY(check_run(reader->connection(), id, findings));
      if (ids.size() < kSlice) return findings;
      last = ids.back();
    }
  }

  Result<std::vector<Finding>> quick_check() const override {
    std::vector<Finding> findings;
    SLIPWAY_TRY_ASSIGN(auto reader, SqliteReader::open(readers_));
    SLIPWAY_TRY(quick_check_file(reader->connection(), findings));
    return findings;
  }

  Result<void> backup(const std::string& file) const override { return backup_sqlite(path_, file); }

  Result<std::map<std::string, std::string>> blobs(const std::string& space) const override {
    SLIPWAY_TRY_ASSIGN(auto reader, SqliteReader::open(readers_));
    return load_blobs(reader->connection(), space);
  }

  Result<void> condemn(const std::vector<RunId>& runs) override {
    return write([&]() -> Result<void> {
      for (const RunId& run : runs) SLIPWAY_TRY(condemn_run(*writer_, run));
      return {};
    });
  }
  Result<bool> erase(const RunId& run) override {
    bool more = false;
    SLIPWAY_TRY(write([&]() -> Result<void> {
      SLIPWAY_TRY_ASSIGN(more, erase_rows(*writer_, run, kEraseRows));
      return {};
    }));
    return more;
  }

  Result<void> idle() override {
    if (broken_) return *broken_;
    if (!log_grew_) return {};
    log_grew_ = false;
    reach(Failpoint::StoreCheckpoint);
    auto done = remember(writer_->checkpoint(Connection::Checkpoint::Truncate));
    return !done && done.error().code == ErrorCode::Unavailable ? Result<void>() : done;
  }

 private:
  // One transaction around `change`. After a failed flush the kernel may have dropped the pages it could not write, so
  // trying again would acknowledge what is not there: every later write is refused. A disk that is full or read-only
  // refuses before it has taken anything, and may be asked again.
  template <class Change>
  Result<void> write(Change change) {
    if (broken_) return *broken_;
    auto done = transact(change);
    if (!done && done.error().code == ErrorCode::Conflict) return done;
    SLIPWAY_TRY(remember(std::move(done)));
    log_grew_ = true;
    // The commit is durable whatever becomes of the checkpoint; a failed one refuses the next write.
    if (writer_->log_pages() >= checkpoint_pages_) (void)remember(writer_->checkpoint(Connection::Checkpoint::Passive));
    return {};
  }

  template <class Change>
  Result<void> transact(Change change) {
    SLIPWAY_TRY_ASSIGN(const auto transaction, Transaction::begin(*writer_, Transaction::Kind::Write));
    reach(Failpoint::StoreTransaction);
    SLIPWAY_TRY(change());
    reach(Failpoint::StoreWritten);
    SLIPWAY_TRY(transaction->commit());
    reach(Failpoint::StoreCommitted);
    return {};
  }

  Result<void> remember(Result<void> result) {
    if (!result && result.error().code != ErrorCode::Unavailable) broken_ = result.error();
    return result;
  }

  Result<void> recover_runs(Recovered& recovered, Suspects* suspects) {
    SLIPWAY_TRY_ASSIGN(const auto ids, open_run_ids(*writer_));
    for (const RunId& id : ids) {
      if (suspects != nullptr && suspects->is_set_aside(suspect_run(id.str()))) {
        recovered.broken.push_back({id, set_aside_error()});
        continue;
      }
      if (suspects != nullptr) suspects->work_on(suspect_run(id.str()));
      auto run = restore_run(*writer_, id);
      if (run) {
        recovered.runs.push_back(*std::move(run));
      } else if (run.error().code == ErrorCode::Corrupt) {
        recovered.broken.push_back({id, run.error()});
      } else {
        return run.error();
      }
    }
    if (suspects != nullptr) suspects->work_on({});
    return {};
  }

  Result<void> recover_versions(Recovered& recovered) {
    std::set<VersionId> used;
    for (const auto& run : recovered.runs) used.insert(run.header.version);
    for (const auto& dag : recovered.dags) used.insert(dag.version);
    for (const VersionId& id : used) {
      auto version = load_version(*writer_, id);
      if (version) {
        recovered.versions.emplace(id, *std::move(version));
      } else if (version.error().code != ErrorCode::NotFound) {  // a DAG whose file was never valid has none
        return version.error();
      }
    }
    return {};
  }

  const std::string path_;
  std::unique_ptr<Connection> writer_;
  std::shared_ptr<ReaderPool> readers_;
  int checkpoint_pages_;
  std::optional<Error> broken_;
  bool log_grew_ = false;  // since it was last truncated
};

}  // namespace

Result<std::unique_ptr<Store>> open_sqlite(const std::string& path, const SqliteOptions& options) {
  SLIPWAY_TRY_ASSIGN(auto writer, Connection::open({.path = path, .read_only = false, .vfs = options.vfs}));
  if (auto migrated = migrate(*writer, path, migrations()); !migrated) return migrated.error().in(path);
  auto readers = std::make_shared<ReaderPool>(ConnectionOptions{.path = path, .read_only = true, .vfs = options.vfs});
  return std::unique_ptr<Store>(
      std::make_unique<SqliteStore>(path, std::move(writer), std::move(readers), options.checkpoint_pages));
}

Result<std::unique_ptr<Store>> look_at_sqlite(const std::string& path) {
  SLIPWAY_TRY_ASSIGN(const Upgrade due, plan_upgrade(path));
  if (!due.steps.empty())
    return Error{ErrorCode::Unsupported, path + " has schema " + std::to_string(due.from),
                 "`slipway db migrate` or the next `slipway up` brings it to " + std::to_string(due.to)};
  const ConnectionOptions options{.path = path, .read_only = true, .vfs = {}};
  SLIPWAY_TRY_ASSIGN(auto connection, Connection::open(options));
  return std::unique_ptr<Store>(std::make_unique<SqliteStore>(
      path, std::move(connection), std::make_shared<ReaderPool>(options), SqliteOptions{}.checkpoint_pages));
}

Result<Upgrade> plan_upgrade(const std::string& path) {
  if (!std::filesystem::exists(path)) return Error{ErrorCode::NotFound, path + " does not exist", {}};
  SLIPWAY_TRY_ASSIGN(const auto connection, Connection::open({.path = path, .read_only = true, .vfs = {}}));
  SLIPWAY_TRY_ASSIGN(const int version, schema_version(*connection));
  const auto steps = migrations();
  Upgrade upgrade{version, static_cast<int>(steps.size()), {}, {}};
  if (upgrade.from > upgrade.to) return newer_schema(upgrade.from, upgrade.to);
  for (const Migration& step : steps.subspan(static_cast<std::size_t>(version))) upgrade.steps.emplace_back(step.name);
  if (version > 0 && !upgrade.steps.empty()) upgrade.backup = backup_before(path, version);
  return upgrade;
}

Result<Upgrade> upgrade_sqlite(const std::string& path) {
  SLIPWAY_TRY_ASSIGN(Upgrade upgrade, plan_upgrade(path));
  SLIPWAY_TRY(open_sqlite(path));
  return upgrade;
}

}  // namespace slipway::store
