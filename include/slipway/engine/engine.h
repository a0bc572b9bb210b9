// The engine: owns run state, asks the planner, commits, then acts. One thread (its own loop, or a simulator's) calls
// step(); commands and executor reports arrive from any thread through a bounded queue.
//
//   command / report / tick -> events -> fold -> decide … until quiet -> ONE commit (fsync) -> acknowledge, launch,
//   stop
//
// Nothing is acknowledged and no effect starts before the commit that records it.
#pragma once

#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "slipway/base/diagnostics.h"
#include "slipway/base/enum_table.h"
#include "slipway/base/log.h"
#include "slipway/base/result.h"
#include "slipway/base/rng.h"
#include "slipway/base/suspects.h"
#include "slipway/base/time.h"
#include "slipway/dag/dag.h"
#include "slipway/exec/executor.h"
#include "slipway/run/snapshot.h"
#include "slipway/store/store.h"

namespace slipway::engine {

// --- commands: each is one value through one queue, so every race has one winner
// ------------------------------------------------

struct TriggerRun {
  DagId dag;
  Value params;                 // object; checked against the DAG's params
  std::string idempotency_key;  // empty = none; a repeated key returns the first run
  std::optional<Instant> logical_date;
  run::TriggerKind kind = run::TriggerKind::Manual;
};
// Nothing new starts but teardowns whose setup began; what runs is asked to stop. `now`, also after a cancel without
// it: no grace, no teardowns.
struct CancelRun {
  RunId run;
  bool now = false;
};
// Opens the next generation of the failed, upstream_failed and cancelled instances, of what ended downstream of them,
// and of setups that were torn down; of a mapped task only the instances that ended badly, unless something above it is
// opened, too. A run that is over queues again; one that is being cancelled is refused.
struct RetryRun {
  RunId run;
  std::vector<TaskKey> tasks;  // only these, with what is downstream of them; empty = all. Unmapped: every instance
};
// Opens the next generation of whatever is selected, whatever its state. An instance with an open attempt is stopped
// first. What is downstream, has not run in its generation and is not somebody's word is decided on again.
struct ClearRun {
  RunId run;
  std::vector<TaskKey> tasks;                 // empty = all. Unmapped: every instance of the task
  bool upstream = false, downstream = false;  // with all tasks above or below them
  bool past = false, future = false;          // also in runs of the DAG with an earlier or later logical date
  bool failed_only = false;                   // of all that, only what failed, was cancelled or could not run
  bool current_version = false;               // go on with the DAG's newest version
  bool preview = false;                       // change nothing, only tell
};
// Lets the revision that a run deployed go live again, although a later one is: its service task is run again.
struct RollbackService {
  ServiceId name;
  RunId run;
};
// Somebody says how a task, or a run, ended. An attempt under way is stopped and ends in the older generation.
struct MarkRun {
  RunId run;
  std::optional<TaskKey> task;  // nullopt: the run
  run::TaskState to;            // Success, Failed or Skipped (not of a run)
  std::string reason;           // for people; empty = none given
};
// A new run with the DAG's newest version, the logical date and parameters of a run that is over. What succeeded there
// or was skipped is taken over with its outputs, but for `from`, what is new, and all that is downstream of either.
struct ResumeRun {
  RunId run;
  std::vector<TaskId> from;
  Value params;                 // object, over those of the run
  std::string idempotency_key;  // as in TriggerRun
  run::TriggerKind kind = run::TriggerKind::Manual;
};
// Stops ticks; runs that exist go on, and runs may be started. Ticks of the pause are missed ones when it ends.
struct PauseDag {
  DagId dag;
  bool paused;
};
// Sets, resizes or (nullopt) deletes a pool. What it holds goes on, also beyond a smaller size. Refused: `default`, and
// deleting one that is held or waited for.
struct SetPool {
  PoolId name;
  std::optional<run::Pool> pool;
};
struct SetVar {
  std::string name;
  std::optional<Value> value;
};  // nullopt deletes
// The folder's newest content; sent by dagdir. `text` empty and `present` false: the file is gone.
struct DagFile {
  std::string file;
  std::string text;
  bool present = true;
  dag::Companions beside = {};  // what dag::companion_names() asks for
};
struct DagFolder {
  std::vector<DagFile> files;
  bool complete = false;
};  // complete: files not listed are gone
struct SetSecret {
  std::string name;
  std::optional<std::string> sealed;
};  // sealed by vault; nullopt deletes
// Stores what is known of an API token under its id (vault/token.h), or (nullopt) revokes it.
struct SetToken {
  std::string id;
  std::optional<std::string> record;
};
// Forgets what is live. Whoever sends this has ended the processes.
struct StopService {
  ServiceId name;
};
// Takes runs that are over out of sight, so that their files and rows can go (engine/prune.h). Others stay.
struct CondemnRuns {
  std::vector<RunId> runs;
};
// Deletes some rows of a condemned run; the reply says whether there are more.
struct EraseRun {
  RunId run;
};

// A notice was sent, or given up on: it is kept no longer.
struct NoticeDone {
  std::string id;
};

// A person's answer to a task that waits for one.
struct Approve {
  RunId run;
  TaskKey key;
  bool approved = true;
  Value fields;                     // object; checked against the task's fields; they become its outputs
  std::string reason;               // of a rejection
  std::string by;                   // who answers: a token's label
  std::vector<std::string> may_be;  // what `approve.by` may name of them: label, role
};
// Says that a dataset was updated by somebody outside.
struct TouchDataset {
  std::string uri;
  std::string by;
};

// Runs the ticks of a schedule from `from` to `to`, both included and in the past: a tick without a run gets one, of
// kind Backfill; what becomes of the others says `reprocess`. Each is dealt with when there is room for its run: at
// most `max_active` are not over at a time, whatever max_active_runs and pause are. Refused: ticks that another
// backfill of the schedule has yet to deal with, more than kBackfillTicksMax, and `reverse` where the DAG depends on
// the past.
struct StartBackfill {
  DagId dag;
  std::string schedule;  // empty: the only one of the DAG that has ticks
  Instant from, to;
  bool reverse = false;  // the newest first
  int max_active = 1;    // up to kBackfillActiveMax
  run::Reprocess reprocess = run::Reprocess::None;
  Value params;          // object, over those of the schedule
  bool preview = false;  // change nothing, only tell
};
inline constexpr int kBackfillTicksMax = 10'000;
inline constexpr int kBackfillActiveMax = 1'000;
inline constexpr int kBackfillsMax = 100;  // that have not ended
// No more ticks are dealt with, and its runs that are not over are cancelled; with `keep_running` those that wait only.
struct CancelBackfill {
  std::string id;
  bool keep_running = false;
};

using Command = std::variant<TriggerRun, CancelRun, RetryRun, PauseDag, SetVar, DagFolder, SetSecret, StopService,
                             NoticeDone, CondemnRuns, EraseRun, SetPool, ClearRun, MarkRun, ResumeRun, Approve,
                             TouchDataset, StartBackfill, CancelBackfill, SetToken, RollbackService>;

// On whose behalf a command comes. Its outcome goes into the audit log, in the same commit as what it changes.
struct Origin {
  std::string token;   // id of an API token
  std::string actor;   // what the token's maker called it
  std::string action;  // "POST /runs/01JD…/cancel"
};

enum class Action : unsigned char { Reset, Stop, Decide, Mark, TakeOver, Add, Remove };
inline constexpr EnumTable<Action, 7> kActions{{{
    {Action::Reset, "reset", "its next generation is opened"},
    {Action::Stop, "stop", "its attempt is stopped, then its next generation is opened"},
    {Action::Decide, "decide", "it has not run; its rule is asked again"},
    {Action::Mark, "mark", "it gets the state it was marked with"},
    {Action::TakeOver, "take_over", "its result is taken over from another run"},
    {Action::Add, "add", "the newer version of the DAG has it, the run had not"},
    {Action::Remove, "remove", "the newer version of the DAG has no such task"},
}}};

// What an action does, or in a preview would do, to an instance.
struct Change {
  RunId run;
  TaskKey key;
  run::TaskState from = run::TaskState::None;
  Action action = Action::Reset;

  bool operator==(const Change&) const = default;
};

enum class TickAction : unsigned char { Create, Retry, Clear, Leave };
inline constexpr EnumTable<TickAction, 4> kTickActions{{{
    {TickAction::Create, "create", "it has no run yet"},
    {TickAction::Retry, "retry", "what failed in its run is run again"},
    {TickAction::Clear, "clear", "every task of its run is run again"},
    {TickAction::Leave, "leave", "its run stays as it is"},
}}};

// What a backfill would do with a tick as things are.
struct TickChange {
  Instant tick;
  RunId run;                           // empty: there is none
  std::optional<run::RunState> state;  // of `run`
  TickAction action = TickAction::Create;

  bool operator==(const TickChange&) const = default;
};

// What a command gives back.
struct Reply {
  RunId run;             // the run that was made or acted on; empty where there is none
  bool existed = false;  // an idempotency key named an earlier run
  std::vector<Change> changes = {};
  bool more = false;                   // EraseRun: rows are left
  std::string backfill = {};           // StartBackfill, CancelBackfill: its id
  std::vector<TickChange> ticks = {};  // StartBackfill with `preview`
};

inline constexpr int kPoolSlotsMax = 10'000;

// A pool and who wants it. `slots` is nullopt for one that tasks name and nobody has set.
struct PoolUse {
  PoolId name;
  std::optional<int> slots;
  int used = 0;    // slots held by open attempts; of `default` all local slots in use
  int queued = 0;  // instances that are ready and wait for it
  std::string description;
};

// Called on the engine thread after the commit (or with the error that refused the command). Must not block.
using Completion = std::function<void(Result<Reply>)>;

// --- what the engine is given
// ---------------------------------------------------------------------------------------------------

// Secrets by name, opened. Thread: engine.
class SecretSource {
 public:
  virtual ~SecretSource() = default;
  // NotFound where there is no such secret.
  [[nodiscard]] virtual Result<Secret> get(const std::string& name) = 0;
  [[nodiscard]] virtual std::vector<std::string> names() = 0;
};

// One task's condition in the world outside.
struct Look {
  RunId run;
  TaskKey key;
  int generation = 1;
  dag::WaitKind kind = dag::WaitKind::File;  // File or Http
  std::string target;                        // absolute path, or address
  Duration poll = std::chrono::seconds(30);
};
// What was seen.
struct Seen {
  RunId run;
  TaskKey key;
  int generation = 1;
  bool met = false;
  std::string detail;  // "answered 503", for people
};

// Looks at the world for tasks that wait, off the engine thread. Calls come from the engine thread and must not block;
// each look is answered by Engine::on_seen, from any thread.
class Prober {
 public:
  virtual ~Prober() = default;
  // Looks at once, then every `poll`, until it is met or forgotten. A second call for the same instance replaces.
  virtual void watch(const Look& look) = 0;
  virtual void forget(const RunId& run, const TaskKey& key) = 0;
};

struct Options {
  std::string home;        // absolute; for paths given to tasks
  std::string dags;        // absolute; what the names of DagFile are relative to
  std::string server_url;  // SLIPWAY_URL
  std::string
      tool;  // absolute path of this binary; its folder is put first in the PATH of tasks, so `slipway` works in argv
  std::map<std::string, std::string>
      base_env;                          // allow-listed environment that every local task gets (PATH, HOME, LANG, TZ)
  int slots = 2;                         // local attempts at a time
  dag::Place place = dag::Place::Local;  // of tasks that say nothing
  bool processes_only = false;           // tasks that have a command run here, whatever their file says
  // Attempts of short tasks that may be launched while all slots are taken. The executor must hold them back itself.
  int ahead_max = 0;
  std::size_t queue_max = 100'000;
};

// Told about committed events, for live views. Engine thread; must not block.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void on_committed(const std::vector<run::Event>& events) = 0;
};

// Carries committed notices to their targets, and submits NoticeDone for each in the end. What was not done when the
// daemon ended is handed over again at the next start.
class NoticeCarrier {
 public:
  virtual ~NoticeCarrier() = default;
  // Engine thread; must not block.
  virtual void deliver(run::Notice notice) = 0;
};

class Engine final : public exec::ReportSink {
 public:
  // All references must outlive the engine.
  Engine(Options options, store::Store& store, exec::Executor& executor, SecretSource& secrets, const Clock& clock,
         Rng& rng, Logger log);
  ~Engine() override;

  // Any thread. `done` may run before submit returns only if the queue is full (error Unavailable).
  void submit(Command command, Completion done, std::optional<Origin> origin = {});
  // The same for callers that may block (API workers, never the engine thread).
  [[nodiscard]] Result<Reply> call(Command command, Duration timeout, std::optional<Origin> origin = {});
  void on_report(exec::Report report) override;
  // Any thread.
  void on_seen(Seen seen);
  // Before recover(). Without a prober, tasks that wait for a file or an address wait until their timeout.
  void set_prober(Prober* prober);
  // Before recover(). Told what is worked on; what it says is set aside is left alone.
  void set_suspects(Suspects* suspects);

  // Engine thread: loads state, settles every open attempt by asking the executor. Call once, before step.
  [[nodiscard]] Result<void> recover();
  // Engine thread: takes everything queued, decides, commits once, acts. Returns when to call again at the latest
  // (nullopt: only on input). While the disk takes nothing (full, read-only) the step waits for it: nothing is
  // acknowledged or started, commands are refused, reports are kept, and the commit is tried again every second. An
  // error means the store cannot be trusted any more: stop the process (exit 70).
  [[nodiscard]] Result<std::optional<Instant>> step();
  // Engine thread: blocks until input arrives, `until` passes or stop() is called; false if time passed and there is
  // no input. Reports of starts wait up to 20 ms for something else to share their commit with. Real time; simulators
  // do not call it.
  bool wait(std::optional<Instant> until);

  // Runs recover() then step()/wait() until request_stop(); for the daemon's engine thread.
  [[nodiscard]] Result<void> run();
  // Any thread: run() returns after the current step. Running tasks are not touched.
  void request_stop();

  void set_observer(Observer* observer);
  // Before recover(). Without a carrier notices are kept until there is one.
  void set_notice_carrier(NoticeCarrier* carrier);
  // Any thread: why nothing is committed at present; nullopt while all is well.
  [[nodiscard]] std::optional<Error> trouble() const;
  // Any thread: the sentence of sched::why, computed on the engine thread.
  [[nodiscard]] Result<std::string> why(const RunId& run, const TaskKey& key, Duration timeout);
  // Any thread: `default` first, then by name.
  [[nodiscard]] Result<std::vector<PoolUse>> pools(Duration timeout);
  // The current state, for simulators and tests. Engine thread only.
  [[nodiscard]] const run::Snapshot& snapshot() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace slipway::engine
