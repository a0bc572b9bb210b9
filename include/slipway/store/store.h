// Durable state. One writer: the engine's thread owns the only connection that writes and checkpoints; readers take
// snapshots of their own and never block it. What commit() returned from is on disk (fsync).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "slipway/base/ids.h"
#include "slipway/base/result.h"
#include "slipway/base/suspects.h"
#include "slipway/base/time.h"
#include "slipway/base/value.h"
#include "slipway/run/backfill.h"
#include "slipway/run/notice.h"
#include "slipway/run/queues.h"
#include "slipway/run/run.h"
#include "slipway/run/snapshot.h"

namespace slipway::store {

// The text of a DAG file, kept for ever by the hash of its bytes.
struct DagVersion {
  VersionId id;
  DagId dag;
  std::string file;  // path relative to the DAG folder
  std::string text;
  Instant first_seen;
  std::map<std::string, std::string> files;  // those beside it that it takes in, by the name it gives them
};

// What is known of a DAG beside its text.
struct DagRow {
  DagId id;
  VersionId version;  // newest valid one
  bool paused = false;
  bool present = true;                     // its file exists
  std::map<std::string, Instant> cursors;  // by schedule name
  std::string error;                       // rendered diagnostics of the file's newest, invalid state; empty if valid
  std::string file;
  std::map<std::string, std::map<std::string, std::int64_t>> seen;  // run::DagEntry::seen
};

// A success whose results may be taken over.
struct CacheEntry {
  std::string key;  // of the whole
  DagId dag;
  AttemptId attempt;  // that did the work; the entry goes with its run
  Value parts;        // {"command": hash, …}: what the key was made of, to tell what differs
  Value outputs;      // object
  Instant at;

  bool operator==(const CacheEntry&) const = default;
};

struct Service {
  ServiceId name;
  DagId dag;
  AttemptId revision;  // the attempt that deployed what is live
  std::string url;
  Instant logical_date;
  Instant deployed_at;
  RunId rollback_to = {};  // the run whose revision was asked to go live again, until one goes live; else empty
};

// How the wall clock stood to the clock that counts elapsed time, in one boot of the machine.
struct ClockAnchor {
  std::uint64_t boot = 0;   // Clock::boot()
  Duration wall_offset{0};  // wall time minus Clock::monotonic(), both since their epochs

  bool operator==(const ClockAnchor&) const = default;
};

// Ticks of a schedule from `first` to `last`, both included.
struct TickRange {
  DagId dag;
  std::string schedule;
  Instant first, last;
};
// The run of a tick, made by its schedule or by a backfill.
struct TickRun {
  RunId run;
  run::RunState state;

  bool operator==(const TickRun&) const = default;
};

// Who asked for a change, what, and how it ended. Never removed, never changed.
struct AuditEntry {
  std::uint64_t seq = 0;  // 1, 2, …; given by the store
  Instant at;
  std::string token;    // id of the token that asked
  std::string actor;    // what the token's maker called it
  std::string action;   // "POST /runs/01JD…/cancel"
  std::string outcome;  // "ok", or the code of the error that refused it
  std::string hash;     // audit_hash() over the entry before it and this one; given by the store

  bool operator==(const AuditEntry&) const = default;
};
// Hex SHA-256 over `previous` (the hash of the entry before it; of the first: empty) and everything of `entry` but its
// hash. Whoever changes or removes an entry changes every hash after it.
[[nodiscard]] std::string audit_hash(std::string_view previous, const AuditEntry& entry);

// Small named bytes of the vault: sealed secrets in space "secret", what is known of API tokens in space "token".
struct BlobName {
  std::string space, name;

  auto operator<=>(const BlobName&) const = default;
};

// Everything of one transaction. Rows of `runs`, their instances and attempts are those named by the events, after
// them.
struct Batch {
  std::vector<run::Event> events;                    // in order; gap-free per run
  std::vector<const run::Run*> runs;                 // the runs touched by `events`, state after the last of them
  std::vector<DagVersion> versions;                  // inserted if absent
  std::vector<DagRow> dags;                          // upserted
  std::map<std::string, std::optional<Value>> vars;  // set or deleted
  std::vector<Service> services;                     // upserted by name
  std::vector<ServiceId> services_gone;
  std::vector<run::Notice> notices;                  // to be sent; inserted if absent
  std::vector<std::string> notices_gone;             // by id: sent or given up on
  std::optional<ClockAnchor> clock;                  // replaces the one before
  std::map<PoolId, std::optional<run::Pool>> pools;  // set or deleted
  std::vector<run::Share> shares;  // upserted by pool and DAG; go with whatever else is committed, never alone
  std::map<std::string, run::Dataset> datasets;          // upserted by URI
  std::vector<CacheEntry> cached;                        // replace entries of the same key
  std::vector<run::Backfill> backfills;                  // upserted by id; what does not change is kept as first stored
  std::map<BlobName, std::optional<std::string>> blobs;  // set or deleted
  std::vector<AuditEntry> audit;                         // appended; `seq` and `hash` are the store's

  [[nodiscard]] bool empty() const {
    return events.empty() && versions.empty() && dags.empty() && vars.empty() && services.empty() &&
           services_gone.empty() && notices.empty() && notices_gone.empty() && !clock && pools.empty() &&
           datasets.empty() && cached.empty() && backfills.empty() && blobs.empty() && audit.empty();
  }
};

// A run whose events do not fold any more, or that is set aside: quarantined, shown, never continued.
struct BrokenRun {
  RunId id;
  Error error;
};

// State at start: everything that is not over.
struct Recovered {
  std::vector<run::Run> runs;     // not terminal, folded; oldest first
  std::vector<BrokenRun> broken;  // the others that are not terminal
  std::vector<DagRow> dags;
  std::map<VersionId, DagVersion> versions;  // those used by `runs` and `dags`
  Value vars;                                // object
  std::vector<Service> services;
  std::map<PoolId, run::Pool> pools;
  std::vector<run::Share> shares;
  std::map<std::string, run::Dataset> datasets;
  std::vector<run::Notice> notices;      // not sent yet, oldest first
  std::vector<run::Backfill> backfills;  // not ended, oldest first
  std::optional<ClockAnchor> clock;      // the last one committed
  std::uint64_t boot_epoch = 0;          // counts daemon starts on this home; this start included
};

// A page of runs, newest first.
struct RunFilter {
  std::optional<DagId> dag;
  std::optional<run::RunState> state;
  std::optional<RunId> before;  // keyset cursor: runs created before this one
  std::string id_prefix;
  int limit = 50;
};
struct RunSummary {
  run::RunHeader header;
  run::RunState state;
  std::optional<Instant> started_at, ended_at;
  std::vector<std::string> failures;
};

// Runs of one DAG that are over and may go: those that ended before `ended_before`, and those that are not among the
// newest `keep`. What is not given removes nothing.
struct PruneRule {
  DagId dag;
  std::optional<Instant> ended_before;
  std::optional<int> keep;
};

// A page of backfills, newest first.
struct BackfillFilter {
  std::optional<DagId> dag;
  std::optional<run::BackfillState> state;
  std::string before;  // keyset cursor: those made before this one; empty = from the newest
  std::string id_prefix;
  int limit = 50;
};

// A consistent view of the moment it was made; keep it shorter than a second. One thread at a time.
class Reader {
 public:
  virtual ~Reader() = default;
  [[nodiscard]] virtual Result<std::vector<RunSummary>> list_runs(const RunFilter& filter) = 0;
  // The run with all instances and attempts; NotFound.
  [[nodiscard]] virtual Result<run::Run> get_run(const RunId& id) = 0;
  [[nodiscard]] virtual Result<std::vector<run::Event>> events(const RunId& id, std::uint64_t after_seq, int limit) = 0;
  [[nodiscard]] virtual Result<std::vector<DagRow>> list_dags() = 0;
  [[nodiscard]] virtual Result<DagVersion> get_version(const VersionId& id) = 0;
  // Every version that was active once, newest first; at most `limit`.
  [[nodiscard]] virtual Result<std::vector<DagVersion>> list_versions(const DagId& dag, int limit) = 0;
  [[nodiscard]] virtual Result<Value> vars() = 0;
  [[nodiscard]] virtual Result<std::vector<Service>> services() = 0;
  // What the rule removes, oldest first; a run whose service is live stays.
  [[nodiscard]] virtual Result<std::vector<RunId>> prunable(const PruneRule& rule, int limit) = 0;
  // Runs that are being removed, oldest first: condemned and not erased yet.
  [[nodiscard]] virtual Result<std::vector<RunId>> condemned() = 0;
  [[nodiscard]] virtual Result<std::map<std::string, run::Dataset>> datasets() = 0;
  [[nodiscard]] virtual Result<std::vector<run::Backfill>> list_backfills(const BackfillFilter& filter) = 0;
  // Newest first; `before` is a cursor: those with a lower seq, nullopt = from the newest.
  [[nodiscard]] virtual Result<std::vector<AuditEntry>> audit(std::optional<std::uint64_t> before, int limit) = 0;
};

// One finding of `db check`.
struct Finding {
  std::string invariant;  // "state = fold of events"
  std::string detail;
};

class Store {
 public:
  virtual ~Store() = default;
  // Engine thread only. All or nothing, on disk on return. Conflict: a unique rule refused a run (same tick or
  // idempotency key), nothing was written. Unavailable: the disk takes nothing at present (full, read-only); nothing
  // was written and the same batch may be tried again. Any other error means the disk cannot be trusted: the caller
  // must stop without acknowledging, and every later commit is refused with the same error.
  [[nodiscard]] virtual Result<void> commit(const Batch& batch) = 0;
  // Once, at start, from the engine thread. Works on one run after the other; those that are set aside are `broken`.
  [[nodiscard]] virtual Result<Recovered> recover(Suspects* suspects = nullptr) = 0;
  // The run created earlier with this key or tick, if any. Engine thread.
  [[nodiscard]] virtual Result<std::optional<RunId>> find_idempotent(const DagId& dag, const std::string& key) = 0;
  // The runs of ticks in the range, by tick. Engine thread.
  [[nodiscard]] virtual Result<std::map<Instant, TickRun>> find_ticks(const TickRange& range) = 0;
  // The run of the schedule, made by it or by a backfill, with the latest logical date before that instant. Engine
  // thread.
  [[nodiscard]] virtual Result<std::optional<RunId>> run_before(const DagId& dag, const std::string& schedule,
                                                                Instant logical_date) = 0;
  // The entry with this key, or else the newest of the same task, or nullopt. Engine thread.
  [[nodiscard]] virtual Result<std::optional<CacheEntry>> find_cached(const std::string& key, const DagId& dag,
                                                                      const TaskKey& task) = 0;
  // Outputs of the task in the newest run before `before` in which it succeeded, or null. Engine thread.
  [[nodiscard]] virtual Result<Value> previous_outputs(const DagId& dag, const TaskKey& task, const RunId& before) = 0;
  // Any run, terminal ones too, for actions on past runs. Engine thread.
  [[nodiscard]] virtual Result<run::Run> load_run(const RunId& id) = 0;
  // Any thread. The reader may outlive the store.
  [[nodiscard]] virtual Result<std::unique_ptr<Reader>> read() const = 0;
  // Checks the invariants that rows alone can show, over everything stored. Any thread.
  [[nodiscard]] virtual Result<std::vector<Finding>> check() const = 0;
  // The same for the file alone, in a fraction of the time: no order of indexes, no folding. Any thread.
  [[nodiscard]] virtual Result<std::vector<Finding>> quick_check() const = 0;
  // Copies everything to `file` (replaced atomically), as of one moment, on disk on return. Any thread. Unsupported:
  // this store keeps no file.
  [[nodiscard]] virtual Result<void> backup(const std::string& file) const = 0;

  // By name. Any thread.
  [[nodiscard]] virtual Result<std::map<std::string, std::string>> blobs(const std::string& space) const = 0;

  // Takes runs out of sight of everything else for good; their ticks and idempotency keys are free. Those that are not
  // over, and those whose service is live, are left as they are. Engine thread.
  [[nodiscard]] virtual Result<void> condemn(const std::vector<RunId>& runs) = 0;
  // Deletes some rows of a condemned run, for at most a few milliseconds; with the last of them a DAG version that
  // nothing else names. True: rows are left. Engine thread.
  [[nodiscard]] virtual Result<bool> erase(const RunId& run) = 0;

  // Housekeeping while there is nothing to do (shortens the log); may take some milliseconds. Engine thread.
  [[nodiscard]] virtual Result<void> idle() { return {}; }
};

}  // namespace slipway::store
