#include "engine/core.h"

#include <algorithm>

#include "slipway/base/failpoint.h"
#include "slipway/base/ulid.h"
#include "slipway/dag/parse.h"
#include "slipway/dag/zone_data.h"

namespace slipway::engine {
namespace {

using run::RunState;

// Every round moves something forward for good, so quiet comes; the bound is for the bug that says otherwise.
constexpr int kRoundsMax = 1'000'000;

// How each task that may be asked for ended.
std::map<TaskId, run::UpstreamCounts> past_from(const run::ActiveRun& run) {
  std::map<TaskId, run::UpstreamCounts> past;
  for (std::size_t i = 0; i < run.dag->tasks.size(); ++i) past.emplace(run.dag->tasks[i].id, run.own[i]);
  return past;
}

std::optional<run::WaitState> waiting_of(const run::ActiveRun& run, const TaskKey& key) {
  const auto instance = run.state.tasks.find(key);
  return instance == run.state.tasks.end() ? std::nullopt : instance->second.waiting;
}

// One that only asks what would happen.
bool is_preview(const Command& command) {
  return std::visit(
      [](const auto& c) {
        if constexpr (requires { c.preview; }) return c.preview;
        return false;
      },
      command);
}

}  // namespace

Core::Core(Options options, store::Store& store, exec::Executor& executor, SecretSource& secrets, const Clock& clock,
           Rng& rng, Logger log)
    : options_(std::move(options)),
      store_(store),
      executor_(executor),
      secrets_(secrets),
      clock_(clock),
      log_(std::move(log)),
      rng_(rng) {
  boot_ = clock_.boot();
  zones_ = dag::zone_data_stamp();
  snapshot_.slots_total = options_.slots;
  snapshot_.ahead_max = options_.ahead_max;
  snapshot_.vars = Value::Object{};
}

void Core::begin() {
  now_ = clock_.now();
  snapshot_.claims_left = run::Snapshot::kClaimsPerStep;
  follow_clock();
}

void Core::handle(const Command& command, Completion done, const std::optional<Origin>& origin) {
  const auto carry_out = [this](const auto& c) {
    if constexpr (requires { RunId(c.run); }) work_on_run(c.run);
    return run_command(c);
  };
  Result<Reply> reply = std::visit(carry_out, command);
  if (origin && !is_preview(command)) note(*origin, reply);
  if (done) effects_.replies.emplace_back(std::move(done), std::move(reply));
}

// Committed with what the command changed, or alone if it was refused.
void Core::note(const Origin& origin, const Result<Reply>& reply) {
  batch_.audit.push_back({.at = now_,
                          .token = origin.token,
                          .actor = origin.actor,
                          .action = origin.action,
                          .outcome = reply ? "ok" : std::string(kErrorCodes.text(reply.error().code))});
}

void Core::settle() {
  for (int rounds = 0;;) {
    follow_up();
    const sched::Plan plan = sched::decide(snapshot_, now_, suspects_);
    run::clear_touched(snapshot_);
    wake_at_ = plan.wake_at;
    if (plan.empty()) return;
    SLIPWAY_ASSERT(++rounds < kRoundsMax);
    apply(plan);
  }
}

// The clocks drift; what is on the disk must be about as true as what is committed beside it.
void Core::keep_clock() {
  constexpr Duration kDriftMax = std::chrono::milliseconds(100);
  if (anchor_.boot == boot_ && std::chrono::abs(*wall_offset_ - anchor_.wall_offset) < kDriftMax) return;
  anchor_ = {boot_, *wall_offset_};
  batch_.clock = anchor_;
}

// What is worked on from now on, lest it is the end of this process.
void Core::work_on(std::string_view subject) {
  if (suspects_ != nullptr) suspects_->work_on(subject);
}

// Nothing is done about a run that is set aside, so that nobody dies of it.
void Core::work_on_run(const RunId& run) {
  if (suspects_ == nullptr) return;
  suspects_->work_on(quarantined_.count(run) == 0 ? suspect_run(run.str()) : std::string());
}

bool Core::is_set_aside(std::string_view subject) const {
  return suspects_ != nullptr && suspects_->is_set_aside(subject);
}

Result<void> Core::commit() {
  work_on({});
  reach(Failpoint::EngineDecided);
  batch_.runs.clear();
  batch_.dags.clear();
  batch_.backfills.clear();
  if (!batch_.empty())
    for (run::Share& share : run::unsaved_shares(snapshot_)) batch_.shares.push_back(std::move(share));
  for (const RunId& id : changed_) batch_.runs.push_back(&snapshot_.runs.at(id).state);
  for (const DagId& id : changed_rows_) batch_.dags.push_back(rows_.at(id));
  for (const std::string& id : changed_backfills_) batch_.backfills.push_back(snapshot_.backfills.at(id).state);
  if (batch_.empty()) return {};
  keep_clock();
  return store_.commit(batch_);
}

void Core::act() {
  reach(Failpoint::EngineCommitted);
  Effects effects = std::exchange(effects_, {});
  store::Batch batch = std::exchange(batch_, {});
  if (observer_ != nullptr && !batch.events.empty()) observer_->on_committed(batch.events);
  drop_finished();
  changed_.clear();
  changed_rows_.clear();
  keys_.clear();
  ticks_.clear();
  for (const std::string& id : std::exchange(changed_backfills_, {}))
    if (snapshot_.backfills.at(id).state.ended_at) snapshot_.backfills.erase(id);
  for (const auto& [done, reply] : effects.replies) done(reply);
  reach(Failpoint::EngineAcknowledged);
  if (!effects.launches.empty()) {
    executor_.launch_all(std::move(effects.launches));
    reach(Failpoint::EngineLaunched);
  }
  for (const Stop& stop : effects.stops) {
    executor_.stop(stop.id, stop.now);
    reach(Failpoint::EngineStopped, stop.id.str());
  }
  for (const AttemptId& id : effects.forgets) {
    executor_.forget(id);
    reach(Failpoint::EngineForgot, id.str());
  }
  if (carrier_ != nullptr)
    for (run::Notice& notice : batch.notices) carrier_->deliver(std::move(notice));
  if (prober_ == nullptr) return;
  for (const auto& [run, key] : effects.overlooks) prober_->forget(run, key);
  for (const Look& look : effects.looks) prober_->watch(look);
}

void Core::refuse(const Error& error) {
  for (const auto& [done, reply] : effects_.replies) done(error);
  effects_ = {};
}

std::string Core::why(const RunId& run, const TaskKey& key) const {
  const std::string why = sched::why(snapshot_, run, key, clock_.now());
  if (const std::string note = note_of(run, key); !note.empty()) return why + "; " + note;
  const auto seen = last_seen_.find({run, key});
  return seen == last_seen_.end() ? why : why + "; at the last look: " + seen->second;
}

// What the executor says of the attempt under way.
std::string Core::note_of(const RunId& run, const TaskKey& key) const {
  const auto found = snapshot_.runs.find(run);
  if (found == snapshot_.runs.end()) return {};
  const auto instance = found->second.state.tasks.find(key);
  if (instance == found->second.state.tasks.end()) return {};
  return executor_.note({run, key, instance->second.attempts});
}

// The event is part of the state at once and of the batch that is committed at the end of the step.
void Core::emit(const RunId& id, run::EventBody body) {
  work_on_run(id);
  const auto run = snapshot_.runs.find(id);
  const std::uint64_t last_seq = run == snapshot_.runs.end() ? 0 : run->second.state.last_seq;
  const std::optional<TaskKey> key = run::key_of(body);
  const auto before = key ? waiting_of(run->second, *key) : std::nullopt;
  const std::optional<RunState> was =
      run == snapshot_.runs.end() ? std::nullopt : std::optional(run->second.state.state);
  batch_.events.push_back({id, last_seq + 1, now_, std::move(body)});
  run::fold(snapshot_, batch_.events.back());
  changed_.insert(id);
  if (key) note_wait(id, *key, before);
  if (!key) note_backfill(id);
  if (const RunState state = snapshot_.runs.at(id).state.state; state != was) note_run(id, state);
}

RunId Core::create_run(run::DagEntry& entry, run::RunHeader header, const std::string& backfill) {
  header.id = last_run_id_ = make_run_id(std::max(now_, Instant{}), rng_, last_run_id_);
  header.dag = entry.dag->id;
  header.version = entry.version;
  header.created_at = now_;
  if (const auto before = run_before(entry, header))
    header.previous = *before;
  else
    log_.error("the run before cannot be found", {{"run", header.id.str()}, {"error", before.error().message}});
  RunId id = header.id;
  if (!header.idempotency_key.empty()) keys_[{header.dag, header.idempotency_key}] = id;
  if (run::claims_tick(header.trigger)) ticks_[{header.dag, header.schedule, header.logical_date}] = id;
  run::RunCreated created{std::move(header), {}, backfill};
  for (const dag::Task& task : entry.dag->tasks) created.tasks.push_back({task.id, TaskKey::kUnmapped});
  emit(id, std::move(created));
  remember_past(snapshot_.runs.at(id));
  return id;
}

void Core::save(store::DagRow& row) { changed_rows_.insert(row.id); }

void Core::save_cursors(const DagId& id) {
  rows_.at(id).cursors = snapshot_.dags.at(id).cursors;
  rows_.at(id).seen = snapshot_.dags.at(id).seen;
  changed_rows_.insert(id);
}

// Memory holds what is not over; a loaded run whose retry was refused leaves it again.
void Core::drop_finished() {
  loaded_.insert(changed_.begin(), changed_.end());
  for (const RunId& id : std::exchange(loaded_, {})) {
    const auto found = snapshot_.runs.find(id);
    if (found == snapshot_.runs.end() || !run::is_terminal(found->second.state.state)) continue;
    for (const RunId& other : snapshot_.dags.at(found->second.state.header.dag).active)
      if (run::ActiveRun& later = snapshot_.runs.at(other); later.state.header.previous == id)
        later.past = past_from(found->second);
    run::erase_run(snapshot_, id);
    patient_.erase(id);
  }
}

// The latest run of the same schedule with an earlier date, if the DAG asks for the past at all.
Result<RunId> Core::run_before(const run::DagEntry& entry, const run::RunHeader& header) {
  if (!run::claims_tick(header.trigger) || !entry.dag->depends_on_past) return RunId();
  std::pair<Instant, RunId> latest;
  for (const RunId& id : entry.active) {
    const run::RunHeader& other = snapshot_.runs.at(id).state.header;
    if (run::claims_tick(other.trigger) && other.schedule == header.schedule &&
        other.logical_date < header.logical_date)
      latest = std::max(latest, std::pair(other.logical_date, id));
  }
  SLIPWAY_TRY_ASSIGN(const auto stored, store_.run_before(header.dag, header.schedule, header.logical_date));
  if (!stored) return latest.second;
  SLIPWAY_TRY_ASSIGN(const run::Run run, store_.load_run(*stored));
  return std::max(latest, std::pair(run.header.logical_date, *stored)).second;
}

// What the run before left behind, where that run is not in memory.
void Core::remember_past(run::ActiveRun& run) {
  const RunId& before = run.state.header.previous;
  if (before.empty() || snapshot_.runs.count(before) != 0) return;
  auto loaded = store_.load_run(before);
  if (!loaded) return log_.warn("the run before is gone", {{"run", before.str()}, {"error", loaded.error().message}});
  auto dag = load_version(loaded->header.version);
  if (!dag) return log_.warn("the run before cannot be read", {{"run", before.str()}, {"error", dag.error().message}});
  run.past = past_from(run::activate(*std::move(loaded), *std::move(dag)));
}

// With the server's place for the tasks that name none, or where all are to be processes, for all that have a command.
std::shared_ptr<const dag::Dag> Core::placed(dag::Dag dag) const {
  for (dag::Task& task : dag.tasks)
    if (options_.processes_only && dag::has_command(task)) task.place = dag::Place::Local;
  for (dag::Task& task : dag.tasks)
    if (!task.place &&
        (task.kind == dag::TaskKind::Run || task.kind == dag::TaskKind::Image || task.kind == dag::TaskKind::Service))
      task.place = options_.place;
  return std::make_shared<const dag::Dag>(std::move(dag));
}

Result<std::shared_ptr<const dag::Dag>> Core::load_version(const VersionId& id) {
  if (auto known = versions_[id].lock()) return known;
  SLIPWAY_TRY_ASSIGN(const auto reader, store_.read());
  SLIPWAY_TRY_ASSIGN(const store::DagVersion version, reader->get_version(id));
  auto parsed = dag::parse({version.file, version.text}, version.files);
  if (!parsed.value)
    return Error{
        ErrorCode::Unsupported, "version " + id.str() + " of " + version.file + " cannot be read any more", {}};
  auto dag = placed(*std::move(parsed.value));
  versions_[id] = dag;
  return dag;
}

}  // namespace slipway::engine
