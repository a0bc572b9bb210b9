// A store without a disk, for tests and the simulator. What was committed lives in a MemoryDisk and outlives the store,
// as a database outlives the daemon; a store that is destroyed, or "crashes" in commit(), leaves the disk as committed.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <utility>

#include "slipway/store/store.h"

namespace slipway::test {

struct MemoryDisk {
  std::map<RunId, std::vector<run::Event>> events;
  std::map<RunId, run::Run> runs;  // the fold of events
  std::map<VersionId, store::DagVersion> versions;
  std::map<DagId, store::DagRow> dags;
  std::map<ServiceId, store::Service> services;
  std::map<std::string, run::Notice> notices;
  std::map<PoolId, run::Pool> pools;
  std::map<std::pair<PoolId, DagId>, run::Share> shares;
  std::map<std::string, run::Dataset> datasets;
  std::map<std::string, store::CacheEntry> cached;
  std::map<store::BlobName, std::string> blobs;
  std::vector<store::AuditEntry> audit;
  Value vars = Value::Object{};
  std::set<RunId> condemned;
  std::map<std::string, run::Backfill> backfills;
  std::map<std::tuple<DagId, std::string, Instant>, RunId> ticks;
  std::map<std::pair<DagId, std::string>, RunId> keys;
  std::optional<store::ClockAnchor> clock;
  std::uint64_t boot_epoch = 0;
  std::uint64_t commits = 0;
};

class MemoryStore final : public store::Store {
 public:
  explicit MemoryStore(std::shared_ptr<MemoryDisk> disk) : disk_(std::move(disk)) {}

  // Called before a batch reaches the disk and after it did. A hook may throw, as a stand-in for the death of the
  // process at that point, or return an error, which the commit then gives back (before: nothing was written).
  using Hook = std::function<Result<void>(const store::Batch&)>;
  void set_hooks(Hook before, Hook after) {
    before_ = std::move(before);
    after_ = std::move(after);
  }

  [[nodiscard]] Result<void> commit(const store::Batch& batch) override;
  [[nodiscard]] Result<store::Recovered> recover(Suspects* suspects) override;
  [[nodiscard]] Result<std::optional<RunId>> find_idempotent(const DagId& dag, const std::string& key) override;
  [[nodiscard]] Result<std::map<Instant, store::TickRun>> find_ticks(const store::TickRange& range) override;
  [[nodiscard]] Result<std::optional<RunId>> run_before(const DagId& dag, const std::string& schedule,
                                                        Instant logical_date) override;
  [[nodiscard]] Result<std::optional<store::CacheEntry>> find_cached(const std::string& key, const DagId& dag,
                                                                     const TaskKey& task) override;
  [[nodiscard]] Result<Value> previous_outputs(const DagId& dag, const TaskKey& task, const RunId& before) override;
  [[nodiscard]] Result<run::Run> load_run(const RunId& id) override;
  [[nodiscard]] Result<std::unique_ptr<store::Reader>> read() const override;
  [[nodiscard]] Result<void> condemn(const std::vector<RunId>& runs) override;
  [[nodiscard]] Result<bool> erase(const RunId& run) override;
  [[nodiscard]] Result<std::vector<store::Finding>> check() const override;
  [[nodiscard]] Result<std::vector<store::Finding>> quick_check() const override {
    return std::vector<store::Finding>();
  }
  [[nodiscard]] Result<void> backup(const std::string&) const override {
    return Error{ErrorCode::Unsupported, "a store in memory keeps no file", {}};
  }
  [[nodiscard]] Result<std::map<std::string, std::string>> blobs(const std::string& space) const override;

 private:
  std::shared_ptr<MemoryDisk> disk_;
  Hook before_, after_;
  std::optional<Error> broken_;  // the first failed commit; every later one gives it back
};

}  // namespace slipway::test
