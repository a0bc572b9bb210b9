#include "support/memory_store.h"

#include <algorithm>

namespace slipway::test {
namespace {

using store::Batch;

Error not_found(const std::string& what) { return {ErrorCode::NotFound, "there is no " + what, {}}; }

// Stages a batch beside the disk, so that one that is refused half-way leaves nothing behind.
class Writer {
 public:
  explicit Writer(MemoryDisk& disk) : disk_(disk) {}

  Result<void> write(const Batch& batch) {
    for (const run::Event& event : batch.events) SLIPWAY_TRY(append(event));
    for (const run::Run* run : batch.runs)
      if (staged(run->header.id) != *run)
        return Error{ErrorCode::Internal, "run " + run->header.id.str() + " is not the fold of its events", {}};
    apply(batch);
    return {};
  }

 private:
  run::Run& staged(const RunId& id) {
    const auto known = disk_.runs.find(id);
    return runs_.try_emplace(id, known == disk_.runs.end() ? run::Run() : known->second).first->second;
  }

  Result<void> append(const run::Event& event) {
    if (const auto* created = std::get_if<run::RunCreated>(&event.body)) SLIPWAY_TRY(claim(created->header));
    run::Run& run = staged(event.run);
    SLIPWAY_TRY(run::check(run, event));
    // Through the stored form, as a database would keep it.
    auto body = run::event_from_value(run::to_value(event.body));
    if (!body) return body.error();
    events_.push_back({event.run, event.seq, event.at, *std::move(body)});
    run::apply(run, events_.back());
    return {};
  }

  Result<void> claim(const run::RunHeader& header) {
    const std::tuple tick{header.dag, header.schedule, header.logical_date};
    if (run::claims_tick(header.trigger) &&
        (disk_.ticks.count(tick) != 0 || !ticks_.try_emplace(tick, header.id).second))
      return Error{ErrorCode::Conflict, "a run of that tick exists", {}};
    const std::pair key{header.dag, header.idempotency_key};
    if (!key.second.empty() && (disk_.keys.count(key) != 0 || !keys_.try_emplace(key, header.id).second))
      return Error{ErrorCode::Conflict, "a run of that key exists", {}};
    return {};
  }

  void apply(const Batch& batch) {
    for (auto& [id, run] : runs_) disk_.runs[id] = std::move(run);
    for (run::Event& event : events_) disk_.events[event.run].push_back(std::move(event));
    disk_.ticks.merge(ticks_);
    disk_.keys.merge(keys_);
    for (const auto& version : batch.versions) disk_.versions.try_emplace(version.id, version);
    for (const auto& row : batch.dags) disk_.dags[row.id] = row;
    for (const auto& [name, value] : batch.vars) {
      if (value)
        disk_.vars[name] = *value;
      else
        disk_.vars.as_object().erase(name);
    }
    for (const auto& service : batch.services) disk_.services[service.name] = service;
    for (const auto& name : batch.services_gone) disk_.services.erase(name);
    for (const auto& notice : batch.notices) disk_.notices.try_emplace(notice.id, notice);
    for (const auto& id : batch.notices_gone) disk_.notices.erase(id);
    if (batch.clock) disk_.clock = batch.clock;
    for (const auto& [name, pool] : batch.pools) {
      disk_.pools.erase(name);
      if (pool) disk_.pools[name] = *pool;
    }
    for (const auto& share : batch.shares) disk_.shares[{share.pool, share.dag}] = share;
    for (const auto& [uri, dataset] : batch.datasets) disk_.datasets[uri] = dataset;
    for (const auto& entry : batch.cached) disk_.cached[entry.key] = entry;
    for (const auto& backfill : batch.backfills) disk_.backfills[backfill.id] = backfill;
    for (const auto& [blob, bytes] : batch.blobs) {
      disk_.blobs.erase(blob);
      if (bytes) disk_.blobs[blob] = *bytes;
    }
    for (store::AuditEntry entry : batch.audit) {
      entry.seq = disk_.audit.size() + 1;
      entry.hash = store::audit_hash(disk_.audit.empty() ? std::string() : disk_.audit.back().hash, entry);
      disk_.audit.push_back(std::move(entry));
    }
    ++disk_.commits;
  }

  MemoryDisk& disk_;
  std::map<RunId, run::Run> runs_;
  std::vector<run::Event> events_;
  decltype(MemoryDisk::ticks) ticks_;
  decltype(MemoryDisk::keys) keys_;
};

bool serves(const MemoryDisk& disk, const RunId& run) {
  return std::any_of(disk.services.begin(), disk.services.end(),
                     [&](const auto& service) { return service.second.revision.run == run; });
}

class MemoryReader final : public store::Reader {
 public:
  explicit MemoryReader(MemoryDisk disk) : disk_(std::move(disk)) {}

  Result<std::vector<store::RunSummary>> list_runs(const store::RunFilter& filter) override {
    std::vector<store::RunSummary> found;
    for (auto it = disk_.runs.rbegin(); it != disk_.runs.rend(); ++it) {
      const run::Run& run = it->second;
      if (static_cast<int>(found.size()) == filter.limit) break;
      if (filter.dag && run.header.dag != *filter.dag) continue;
      if (filter.state && run.state != *filter.state) continue;
      if (filter.before && !(it->first < *filter.before)) continue;
      if (it->first.str().rfind(filter.id_prefix, 0) != 0) continue;
      found.push_back({run.header, run.state, run.started_at, run.ended_at, run.failures});
    }
    return found;
  }
  Result<run::Run> get_run(const RunId& id) override {
    const auto found = disk_.runs.find(id);
    return found == disk_.runs.end() ? Result<run::Run>(not_found("run " + id.str())) : found->second;
  }
  Result<std::vector<run::Event>> events(const RunId& id, std::uint64_t after_seq, int limit) override {
    const auto found = disk_.events.find(id);
    if (found == disk_.events.end()) return not_found("run " + id.str());
    std::vector<run::Event> page;
    for (const run::Event& event : found->second)
      if (event.seq > after_seq && static_cast<int>(page.size()) < limit) page.push_back(event);
    return page;
  }
  Result<std::vector<store::DagRow>> list_dags() override {
    std::vector<store::DagRow> rows;
    for (const auto& [id, row] : disk_.dags) rows.push_back(row);
    return rows;
  }
  Result<store::DagVersion> get_version(const VersionId& id) override {
    const auto found = disk_.versions.find(id);
    return found == disk_.versions.end() ? Result<store::DagVersion>(not_found("version")) : found->second;
  }
  Result<std::vector<store::DagVersion>> list_versions(const DagId& dag, int limit) override {
    std::vector<store::DagVersion> found;
    for (const auto& [id, version] : disk_.versions)
      if (version.dag == dag) found.push_back(version);
    std::stable_sort(found.begin(), found.end(),
                     [](const auto& a, const auto& b) { return a.first_seen > b.first_seen; });
    if (found.size() > static_cast<std::size_t>(limit)) found.resize(static_cast<std::size_t>(limit));
    return found;
  }
  Result<Value> vars() override { return disk_.vars; }
  Result<std::vector<store::Service>> services() override {
    std::vector<store::Service> rows;
    for (const auto& [name, service] : disk_.services) rows.push_back(service);
    return rows;
  }
  Result<std::vector<RunId>> prunable(const store::PruneRule& rule, int limit) override {
    std::vector<RunId> over;
    std::vector<RunId> found;
    for (const auto& [id, run] : disk_.runs)
      if (run.header.dag == rule.dag && run::is_terminal(run.state)) over.push_back(id);
    for (std::size_t i = 0; i < over.size() && static_cast<int>(found.size()) < limit; ++i) {
      const bool is_surplus = rule.keep && i + static_cast<std::size_t>(*rule.keep) < over.size();
      const bool is_old = rule.ended_before && *disk_.runs.at(over[i]).ended_at < *rule.ended_before;
      if ((is_surplus || is_old) && !serves(disk_, over[i])) found.push_back(over[i]);
    }
    return found;
  }
  Result<std::vector<RunId>> condemned() override {
    return std::vector<RunId>(disk_.condemned.begin(), disk_.condemned.end());
  }
  Result<std::map<std::string, run::Dataset>> datasets() override { return disk_.datasets; }
  Result<std::vector<store::AuditEntry>> audit(std::optional<std::uint64_t> before, int limit) override {
    std::vector<store::AuditEntry> found;
    for (auto it = disk_.audit.rbegin(); it != disk_.audit.rend() && static_cast<int>(found.size()) < limit; ++it)
      if (!before || it->seq < *before) found.push_back(*it);
    return found;
  }
  Result<std::vector<run::Backfill>> list_backfills(const store::BackfillFilter& filter) override {
    std::vector<run::Backfill> found;
    for (auto it = disk_.backfills.rbegin(); it != disk_.backfills.rend(); ++it) {
      const run::Backfill& backfill = it->second;
      if (static_cast<int>(found.size()) == filter.limit) break;
      if (filter.dag && backfill.dag != *filter.dag) continue;
      if (filter.state && backfill.state != *filter.state) continue;
      if (!filter.before.empty() && it->first >= filter.before) continue;
      if (it->first.rfind(filter.id_prefix, 0) == 0) found.push_back(backfill);
    }
    return found;
  }

 private:
  const MemoryDisk disk_;
};

}  // namespace

Result<void> MemoryStore::commit(const Batch& batch) {
  if (broken_) return *broken_;
  const auto fail = [this](Error error) -> Result<void> {
    if (error.code != ErrorCode::Conflict && error.code != ErrorCode::Unavailable) broken_ = error;
    return error;
  };
  if (before_)
    if (auto refused = before_(batch); !refused) return fail(refused.error());
  if (auto written = Writer(*disk_).write(batch); !written) return fail(written.error());
  if (after_)
    if (auto refused = after_(batch); !refused) return fail(refused.error());
  return {};
}

Result<store::Recovered> MemoryStore::recover(Suspects* suspects) {
  store::Recovered recovered;
  std::set<VersionId> used;
  for (const auto& [id, run] : disk_->runs) {
    if (run::is_terminal(run.state)) continue;
    if (suspects != nullptr && suspects->is_set_aside(suspect_run(id.str()))) {
      recovered.broken.push_back({id, set_aside_error()});
      continue;
    }
    if (suspects != nullptr) suspects->work_on(suspect_run(id.str()));
    recovered.runs.push_back(run);
    used.insert(run.header.version);
  }
  for (const auto& [id, row] : disk_->dags) {
    recovered.dags.push_back(row);
    used.insert(row.version);
  }
  for (const VersionId& id : used)
    if (disk_->versions.count(id) != 0) recovered.versions[id] = disk_->versions.at(id);
  for (const auto& [name, service] : disk_->services) recovered.services.push_back(service);
  for (const auto& [id, notice] : disk_->notices) recovered.notices.push_back(notice);
  recovered.pools = disk_->pools;
  for (const auto& [key, share] : disk_->shares) recovered.shares.push_back(share);
  recovered.vars = disk_->vars;
  recovered.datasets = disk_->datasets;
  for (const auto& [id, backfill] : disk_->backfills)
    if (!backfill.ended_at) recovered.backfills.push_back(backfill);
  recovered.boot_epoch = ++disk_->boot_epoch;
  recovered.clock = disk_->clock;
  return recovered;
}

Result<std::optional<RunId>> MemoryStore::find_idempotent(const DagId& dag, const std::string& key) {
  const auto found = disk_->keys.find({dag, key});
  return found == disk_->keys.end() ? std::nullopt : std::optional(found->second);
}

Result<std::map<Instant, store::TickRun>> MemoryStore::find_ticks(const store::TickRange& range) {
  std::map<Instant, store::TickRun> found;
  for (auto it = disk_->ticks.lower_bound({range.dag, range.schedule, range.first});
       it != disk_->ticks.end() && it->first <= std::tuple(range.dag, range.schedule, range.last); ++it)
    found.emplace(std::get<2>(it->first), store::TickRun{it->second, disk_->runs.at(it->second).state});
  return found;
}

Result<std::optional<RunId>> MemoryStore::run_before(const DagId& dag, const std::string& schedule,
                                                     Instant logical_date) {
  std::optional<std::pair<Instant, RunId>> latest;
  for (const auto& [id, run] : disk_->runs)
    if (run.header.dag == dag && run.header.schedule == schedule && run.header.logical_date < logical_date &&
        run::claims_tick(run.header.trigger))
      latest = std::max(latest, std::optional(std::pair(run.header.logical_date, id)));
  return latest ? std::optional(latest->second) : std::nullopt;
}

Result<std::optional<store::CacheEntry>> MemoryStore::find_cached(const std::string& key, const DagId& dag,
                                                                  const TaskKey& task) {
  if (const auto found = disk_->cached.find(key); found != disk_->cached.end()) return std::optional(found->second);
  std::optional<store::CacheEntry> newest;
  for (const auto& [other, entry] : disk_->cached)
    if (entry.dag == dag && entry.attempt.key == task && (!newest || newest->at < entry.at)) newest = entry;
  return newest;
}

Result<Value> MemoryStore::previous_outputs(const DagId& dag, const TaskKey& task, const RunId& before) {
  for (auto it = std::make_reverse_iterator(disk_->runs.lower_bound(before)); it != disk_->runs.rend(); ++it) {
    const auto instance = it->second.tasks.find(task);
    if (it->second.header.dag == dag && instance != it->second.tasks.end() &&
        instance->second.state == run::TaskState::Success)
      return instance->second.outputs;
  }
  return Value();
}

Result<run::Run> MemoryStore::load_run(const RunId& id) {
  const auto found = disk_->runs.find(id);
  return found == disk_->runs.end() ? Result<run::Run>(not_found("run " + id.str())) : found->second;
}

Result<std::unique_ptr<store::Reader>> MemoryStore::read() const {
  return std::unique_ptr<store::Reader>(std::make_unique<MemoryReader>(*disk_));
}

Result<std::vector<store::Finding>> MemoryStore::check() const {
  std::vector<store::Finding> findings;
  for (const auto& [id, events] : disk_->events) {
    run::Run folded;
    for (const run::Event& event : events) {
      if (auto legal = run::check(folded, event); !legal) {
        findings.push_back({"events are legal and gap-free", id.str() + ": " + legal.error().message});
        break;
      }
      run::apply(folded, event);
    }
    if (folded != disk_->runs.at(id)) findings.push_back({"state = fold of events", id.str()});
  }
  return findings;
}

// There are no slices: what is condemned is gone, but for its name.
Result<void> MemoryStore::condemn(const std::vector<RunId>& runs) {
  for (const RunId& id : runs) {
    const auto found = disk_->runs.find(id);
    if (found == disk_->runs.end() || !run::is_terminal(found->second.state) || serves(*disk_, id)) continue;
    std::erase_if(disk_->keys, [&](const auto& key) { return key.second == id; });
    const run::RunHeader& header = found->second.header;
    if (run::claims_tick(header.trigger)) disk_->ticks.erase({header.dag, header.schedule, header.logical_date});
    disk_->events.erase(id);
    disk_->condemned.insert(id);
    disk_->runs.erase(found);
  }
  return {};
}

Result<bool> MemoryStore::erase(const RunId& run) {
  disk_->condemned.erase(run);
  return false;
}

Result<std::map<std::string, std::string>> MemoryStore::blobs(const std::string& space) const {
  std::map<std::string, std::string> found;
  for (const auto& [key, bytes] : disk_->blobs)
    if (key.space == space) found[key.name] = bytes;
  return found;
}

}  // namespace slipway::test
