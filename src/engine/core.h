// The engine without its queue: everything that only the engine thread touches. A step is
//
//   handle(…) for each input  ->  settle(): decide … until quiet  ->  commit()  ->  act()
//
// Handlers and plans only collect: events are folded into the snapshot and, with everything else of the step, wait in
// `batch_` for the one commit; what is to happen outside waits in `effects_` for act().
#pragma once

#include <map>
#include <set>
#include <tuple>

#include "engine/pace.h"
#include "slipway/engine/engine.h"
#include "slipway/sched/planner.h"

namespace slipway::engine {

struct RenderInput;

// The parameters of a run that gives these, null = none. InvalidArgument with every problem, and the first one's cure.
[[nodiscard]] Result<Value> params_for(const dag::Dag& dag, const Value& given);

class Core {
 public:
  Core(Options options, store::Store& store, exec::Executor& executor, SecretSource& secrets, const Clock& clock,
       Rng& rng, Logger log);

  [[nodiscard]] Result<void> recover();

  // --- one step
  void begin();  // reads the clock, once a step
  void handle(const Command& command, Completion done, const std::optional<Origin>& origin);
  void handle(const exec::Report& report);
  void handle(const Seen& seen);
  void settle();
  // An error: nothing was acknowledged. Unavailable: the same commit may be tried again; nothing else may happen until
  // it succeeds. Otherwise nothing may be done any more.
  [[nodiscard]] Result<void> commit();
  void act();
  // The completions of a step whose commit failed.
  void refuse(const Error& error);

  [[nodiscard]] std::optional<Instant> wake_at() const { return wake_at_; }
  // Runs with so many short attempts launched ahead that a good result of theirs may wait for others: patience.h.
  [[nodiscard]] const std::set<RunId>& patient() const { return patient_; }
  [[nodiscard]] const run::Snapshot& snapshot() const { return snapshot_; }
  [[nodiscard]] std::string why(const RunId& run, const TaskKey& key) const;
  [[nodiscard]] std::vector<PoolUse> pools() const;
  void set_observer(Observer* observer) { observer_ = observer; }
  void set_notice_carrier(NoticeCarrier* carrier) { carrier_ = carrier; }
  void set_prober(Prober* prober) { prober_ = prober; }
  void set_suspects(Suspects* suspects) { suspects_ = suspects; }

 private:
  using InstanceId = std::pair<RunId, TaskKey>;
  struct Stop {
    AttemptId id;
    bool now;
  };
  struct Effects {
    std::vector<std::pair<Completion, Result<Reply>>> replies;
    std::vector<exec::LaunchSpec> launches;
    std::vector<Stop> stops;
    std::vector<AttemptId> forgets;
    std::vector<Look> looks;
    std::vector<InstanceId> overlooks;
  };

  // What a clear does to one run.
  struct ClearPlan {
    std::optional<run::RunReversioned> version;
    std::vector<Change> resets;
  };

  // --- core.cc: the ground that the parts share
  void work_on(std::string_view subject);
  void work_on_run(const RunId& run);
  [[nodiscard]] bool is_set_aside(std::string_view subject) const;
  void emit(const RunId& run, run::EventBody body);
  void note(const Origin& origin, const Result<Reply>& reply);
  RunId create_run(run::DagEntry& entry, run::RunHeader header, const std::string& backfill = {});
  void save(store::DagRow& row);
  void save_cursors(const DagId& id);
  void keep_clock();
  void drop_finished();
  [[nodiscard]] Result<RunId> run_before(const run::DagEntry& entry, const run::RunHeader& header);
  void remember_past(run::ActiveRun& run);
  [[nodiscard]] std::string note_of(const RunId& run, const TaskKey& key) const;
  [[nodiscard]] std::shared_ptr<const dag::Dag> placed(dag::Dag dag) const;
  [[nodiscard]] Result<std::shared_ptr<const dag::Dag>> load_version(const VersionId& id);

  // --- commands.cc
  [[nodiscard]] Result<Reply> run_command(const TriggerRun& command);
  [[nodiscard]] Result<Reply> run_command(const CancelRun& command);
  [[nodiscard]] Result<Reply> run_command(const RetryRun& command);
  [[nodiscard]] Result<Reply> run_command(const PauseDag& command);
  [[nodiscard]] Result<Reply> run_command(const SetVar& command);
  [[nodiscard]] Result<Reply> run_command(const DagFolder& command);
  [[nodiscard]] Result<Reply> run_command(const SetSecret& command);
  [[nodiscard]] Result<Reply> run_command(const SetToken& command);
  [[nodiscard]] Result<Reply> set_blob(const store::BlobName& blob, const std::optional<std::string>& bytes);
  [[nodiscard]] Result<Reply> run_command(const NoticeDone& command);
  [[nodiscard]] Result<Reply> run_command(const CondemnRuns& command);
  [[nodiscard]] Result<Reply> run_command(const EraseRun& command);
  [[nodiscard]] Result<Reply> run_command(const SetPool& command);  // pools.cc
  [[nodiscard]] Result<Reply> run_command(const Approve& command);
  [[nodiscard]] Result<Reply> run_command(const TouchDataset& command);
  [[nodiscard]] Result<run::ActiveRun*> active_or_loaded(const RunId& id);
  [[nodiscard]] Error no_dag(const DagId& id) const;
  [[nodiscard]] Result<std::optional<RunId>> run_of_key(const DagId& dag, const std::string& key);

  // --- services.cc
  [[nodiscard]] Result<Reply> run_command(const StopService& command);
  [[nodiscard]] Result<Reply> run_command(const RollbackService& command);
  [[nodiscard]] std::string superseded_by(const run::ActiveRun& run, const dag::Task& task) const;

  // --- run_actions.cc
  [[nodiscard]] Result<Reply> run_command(const ClearRun& command);
  [[nodiscard]] Result<Reply> run_command(const MarkRun& command);
  [[nodiscard]] Result<run::ActiveRun*> run_to_change(const RunId& id);
  void reopen(const RunId& run);
  void reset(const RunId& run, const std::vector<Change>& changes);
  void stop_for_action(const run::ActiveRun& run, const TaskKey& key);
  [[nodiscard]] Result<std::vector<RunId>> runs_beside(const run::Run& run, const ClearRun& command);
  void clear(const RunId& run, ClearPlan plan);
  [[nodiscard]] Result<Reply> mark_task(run::ActiveRun& run, const MarkRun& command);
  [[nodiscard]] Result<Reply> mark_run(run::ActiveRun& run, const MarkRun& command);

  // --- backfill.cc
  [[nodiscard]] Result<Reply> run_command(const StartBackfill& command);
  [[nodiscard]] Result<Reply> run_command(const CancelBackfill& command);
  [[nodiscard]] Result<std::map<Instant, store::TickRun>> runs_of_ticks(const store::TickRange& range);
  [[nodiscard]] Result<Reply> preview(const StartBackfill& command, const std::string& schedule,
                                      const std::vector<Instant>& ticks);
  [[nodiscard]] Result<void> check_room(const store::TickRange& range) const;
  void stop_backfill(const std::string& id, run::BackfillState state, const std::string& reason);
  void end_backfill(const std::string& id);
  void note_backfill(const RunId& run);
  void claim(const std::string& backfill);
  [[nodiscard]] Result<void> make_run(run::Backfill& backfill, const dag::Schedule& schedule, Instant tick);
  [[nodiscard]] bool open_again(run::Backfill& backfill, const store::TickRun& known);

  // --- run_version.cc
  [[nodiscard]] Result<Reply> run_command(const ResumeRun& command);
  [[nodiscard]] Result<run::RunReversioned> newest_version_for(const run::ActiveRun& run, const ClearRun& command);
  [[nodiscard]] Result<ClearPlan> plan_clear(const run::ActiveRun& run, const ClearRun& command);

  // --- dag_folder.cc
  [[nodiscard]] std::string folder_of(const std::string& file) const;
  void take_file(const DagFile& file, bool new_zones);
  void read_again(const store::DagRow& row, const SourceText& source, const dag::Companions& beside);
  void take_dag(const DagFile& file, const VersionId& version, dag::Dag dag);
  void take_broken(const DagFile& file, const std::string& errors);
  void file_gone(const std::string& file);
  void set_present(const DagId& id, bool present);
  void activate_version(store::DagRow& row, std::shared_ptr<const dag::Dag> dag);

  // --- pools.cc
  [[nodiscard]] PoolUse use_of(const PoolId& id) const;
  void warn_of_pools(const dag::Dag& dag) const;

  // --- plan.cc
  void apply(const sched::Plan& plan);
  void fire(const sched::NewRun& tick);
  void open_attempt(const RunId& run, const TaskKey& key);
  void stop(const sched::Stop& order);
  void fence(const sched::Fence& fence);

  // --- notices.cc
  void tell_of_end(const run::ActiveRun& run);
  void tell_of_retry(const run::ActiveRun& run, const run::AttemptEnded& ended);
  void tell_of_deadline(const run::ActiveRun& run);
  void tell(dag::NoticeKind kind, const run::ActiveRun& run, const std::string& happening, const Value& data,
            const std::string& besides = {});
  // --- data.cc
  [[nodiscard]] bool take_cached(const RenderInput& input, Value& shown);
  [[nodiscard]] run::AttemptEnded judge_end(const RenderInput& input, const run::Attempt& attempt,
                                            sched::Observation seen);
  void apply_success(const run::Attempt& attempt, const run::AttemptEnded& ended);
  void set_vars(const Value& vars);

  // --- waits.cc
  void begin_wait(const RunId& run, const TaskKey& key);
  void check_wait(const RunId& run, const TaskKey& key);
  void note_wait(const RunId& run, const TaskKey& key, const std::optional<run::WaitState>& before);
  void note_run(const RunId& run, run::RunState state);
  void follow_up();
  [[nodiscard]] bool still_waits(const RunId& run, const TaskKey& key) const;
  void end_waits_for_run(const RunId& run);
  void end_wait(const RunId& run, const TaskKey& key, const run::Run& ended);
  void cancel_sub_run(const RunId& run);
  void update_dataset(const std::string& uri, const std::string& by);
  [[nodiscard]] Result<RunId> start_sub_run(const run::ActiveRun& run, const TaskKey& key, const Value& params);
  void stop_now(const RunId& run);
  [[nodiscard]] std::vector<RunId> sub_runs(const RunId& run) const;

  // --- reports.cc
  void on(const exec::Launched& report);
  void on(const exec::Running& report);
  void on(const exec::Exited& report);
  void on(const exec::LaunchFailed& report);
  void on(const exec::Lost& report);
  [[nodiscard]] const run::Attempt* open_attempt_of(const AttemptId& id);
  void end_attempt(const run::Attempt& attempt, const sched::Observation& seen);
  void note_pace(const run::Attempt& attempt, Instant ended_at);
  void follow_clock();
  void follow_stored_clock(const std::optional<store::ClockAnchor>& stored);
  void move_clock(const RunId& run, Duration by);

  // --- recovery.cc
  void leave_dag(const DagId& id, const std::string& subject);
  void restore_dag(const store::DagRow& row, const std::map<VersionId, store::DagVersion>& versions);
  void restore_run(run::Run run, const std::map<VersionId, store::DagVersion>& versions);
  void settle_open_attempts();
  void resume_waits();

  const Options options_;
  store::Store& store_;
  exec::Executor& executor_;
  SecretSource& secrets_;
  const Clock& clock_;
  const Logger log_;
  Observer* observer_ = nullptr;
  NoticeCarrier* carrier_ = nullptr;
  Prober* prober_ = nullptr;
  std::string zones_;  // stamp of the zone data that every DAG was read with
  Suspects* suspects_ = nullptr;

  run::Snapshot snapshot_;
  Rng& rng_;
  RunId last_run_id_;  // ids rise, also when the clock is set back
  std::map<DagId, store::DagRow> rows_;
  std::map<VersionId, std::weak_ptr<const dag::Dag>> versions_;  // parsed; alive while somebody uses them
  std::map<ServiceId, store::Service> services_;
  std::set<RunId> quarantined_;                          // could not be restored: left as they are
  std::map<std::string, std::set<InstanceId>> waiters_;  // by "run:ID" or "dataset:URI"
  std::map<InstanceId, std::string> last_seen_;          // what a prober saw last, for people
  std::map<DagId, Pace> paces_;
  std::set<RunId> patient_;

  Instant now_;
  std::optional<Duration> wall_offset_;  // wall minus monotonic time at the last step
  std::uint64_t boot_ = 0;
  store::ClockAnchor anchor_;  // as last committed, or about to be
  std::optional<Instant> wake_at_;
  store::Batch batch_;
  std::set<RunId> loaded_;                               // brought back from the store in this step
  std::set<RunId> changed_;                              // runs with events in batch_
  std::set<DagId> changed_rows_;                         // rows to be written
  std::map<std::pair<DagId, std::string>, RunId> keys_;  // idempotency keys of this step
  // What the events of this step entail for other runs; empty after follow_up().
  std::vector<RunId> ended_runs_, lost_sub_runs_;
  std::set<std::string> updated_;                                   // datasets
  std::map<std::tuple<DagId, std::string, Instant>, RunId> ticks_;  // whose runs this step makes
  std::set<std::string> changed_backfills_;                         // rows to be written
  Effects effects_;
};

}  // namespace slipway::engine
