// What people and programs ask for. Each handler either changes nothing and returns an error, or changes the state and
// returns what will be acknowledged once the step is committed.
#include <algorithm>

#include "engine/core.h"
#include "slipway/dag/parse.h"
#include "slipway/sched/outcome.h"

namespace slipway::engine {
namespace {

using run::RunState;

Error not_found(std::string_view what, const std::string& name) {
  return {ErrorCode::NotFound, "there is no " + std::string(what) + " `" + name + "`", {}};
}

}  // namespace

Error Core::no_dag(const DagId& id) const {
  std::vector<std::string> known;
  for (const auto& [other, row] : rows_)
    if (row.present) known.push_back(other.str());
  const auto near = nearest(id.str(), known);
  return {ErrorCode::NotFound, "there is no DAG `" + id.str() + "`",
          near ? "did you mean `" + *near + "`?" : "`slipway dag list` shows those there are"};
}

Result<Value> params_for(const dag::Dag& dag, const Value& given) {
  auto params = dag::resolve_params(dag, given.is_null() ? Value(Value::Object{}) : given);
  if (params.value) return *std::move(params.value);
  std::string text, help;
  for (const Diagnostic& item : params.diagnostics.items()) {
    if (item.severity != Severity::Error) continue;
    text += (text.empty() ? "" : "; ") + item.message;
    if (help.empty()) help = item.help;
  }
  return Error{ErrorCode::InvalidArgument, text, help};
}

Result<Reply> Core::run_command(const TriggerRun& command) {
  const auto found = snapshot_.dags.find(command.dag);
  if (found == snapshot_.dags.end() || !found->second.present) {
    const auto row = rows_.find(command.dag);
    if (row == rows_.end() || !row->second.present || row->second.error.empty()) return no_dag(command.dag);
    return Error{ErrorCode::Conflict, "DAG `" + command.dag.str() + "` has no valid version yet", row->second.error};
  }
  SLIPWAY_TRY_ASSIGN(const auto earlier, run_of_key(command.dag, command.idempotency_key));
  if (earlier) return Reply{*earlier, true};
  SLIPWAY_TRY_ASSIGN(auto params, params_for(*found->second.dag, command.params));
  run::RunHeader header;
  header.trigger = command.kind;
  header.logical_date = header.interval_start = header.interval_end = command.logical_date.value_or(now_);
  header.params = std::move(params);
  header.idempotency_key = command.idempotency_key;
  return Reply{create_run(found->second, std::move(header)), false};
}

// The run that an idempotency key made, be it in this very step.
Result<std::optional<RunId>> Core::run_of_key(const DagId& dag, const std::string& key) {
  if (key.empty()) return std::optional<RunId>();
  const auto pending = keys_.find({dag, key});
  if (pending != keys_.end()) return std::optional(pending->second);
  return store_.find_idempotent(dag, key);
}

Result<Reply> Core::run_command(const CancelRun& command) {
  const auto found = snapshot_.runs.find(command.run);
  if (found == snapshot_.runs.end() || run::is_terminal(found->second.state.state)) {
    if (quarantined_.count(command.run) != 0)
      return Error{ErrorCode::Conflict, "run " + command.run.str() + " is quarantined: it could not be restored", {}};
    SLIPWAY_TRY(store_.load_run(command.run));
    return Error{ErrorCode::Conflict, "run " + command.run.str() + " is over", {}};
  }
  if (command.now)
    stop_now(command.run);
  else if (found->second.state.state != RunState::Cancelling)
    emit(command.run, run::RunMoved{RunState::Cancelling, {}, run::FailureClass::External});
  return Reply{command.run, false};
}

// Attempts that were asked to end already are asked again; the runs that its tasks wait for follow.
void Core::stop_now(const RunId& id) {
  const auto run = snapshot_.runs.find(id);
  if (run == snapshot_.runs.end() || run::is_terminal(run->second.state.state) || run->second.state.cancel_now) return;
  for (const AttemptId& attempt : run->second.open_attempts)
    if (run->second.state.attempts.at(attempt).stop_cause != run::FailureClass::None)
      effects_.stops.push_back({attempt, true});
  emit(id, run::RunMoved{RunState::Cancelling, {}, run::FailureClass::External, true});
  for (const RunId& sub_run : sub_runs(id)) stop_now(sub_run);
}

// The run in memory, brought back from the store if it is over.
Result<run::ActiveRun*> Core::active_or_loaded(const RunId& id) {
  const auto found = snapshot_.runs.find(id);
  if (found != snapshot_.runs.end()) return &found->second;
  if (quarantined_.count(id) != 0)
    return Error{ErrorCode::Conflict, "run " + id.str() + " is quarantined: it could not be restored", {}};
  SLIPWAY_TRY_ASSIGN(run::Run loaded, store_.load_run(id));
  const auto entry = snapshot_.dags.find(loaded.header.dag);
  if (entry == snapshot_.dags.end())
    return Error{ErrorCode::Conflict, "DAG `" + loaded.header.dag.str() + "` of the run is not loaded", {}};
  SLIPWAY_TRY_ASSIGN(auto dag, load_version(loaded.header.version));
  loaded_.insert(id);
  run::ActiveRun& run = run::insert_run(snapshot_, run::activate(std::move(loaded), std::move(dag)), now_);
  remember_past(run);
  return &run;
}

Result<Reply> Core::run_command(const PauseDag& command) {
  const auto row = rows_.find(command.dag);
  if (row == rows_.end()) return no_dag(command.dag);
  row->second.paused = command.paused;
  save(row->second);
  const auto entry = snapshot_.dags.find(command.dag);
  if (entry == snapshot_.dags.end()) return Reply{};
  // Ticks of the pause are missed ticks, also the last of them, which may still be within its grace.
  if (entry->second.paused && !command.paused) {
    for (const dag::Schedule& schedule : entry->second.dag->schedules)
      if (const auto cursor = entry->second.cursors.find(schedule.name);
          schedule.missed == dag::Missed::None && cursor != entry->second.cursors.end())
        cursor->second = std::max(cursor->second, now_);
    for (const dag::Schedule& schedule : entry->second.dag->schedules)
      if (schedule.kind == dag::ScheduleKind::Datasets && schedule.missed == dag::Missed::None)
        run::count_from_now(snapshot_, entry->second, schedule, true);
    save_cursors(command.dag);
  }
  entry->second.paused = command.paused;
  run::dag_changed(snapshot_, command.dag, now_);
  return Reply{};
}

Result<Reply> Core::run_command(const SetVar& command) {
  if (command.name.empty()) return Error{ErrorCode::InvalidArgument, "a variable needs a name", {}};
  auto& vars = snapshot_.vars.as_object();
  if (!command.value && vars.count(command.name) == 0) return not_found("variable", command.name);
  if (command.value)
    vars[command.name] = *command.value;
  else
    vars.erase(command.name);
  batch_.vars[command.name] = command.value;
  return Reply{};
}

Result<Reply> Core::run_command(const SetSecret& command) {
  if (command.name.empty()) return Error{ErrorCode::InvalidArgument, "a secret needs a name", {}};
  return set_blob({"secret", command.name}, command.sealed);
}

// What checks tokens reads the rows, so a revoked one is worth nothing from the commit on.
Result<Reply> Core::run_command(const SetToken& command) {
  if (command.id.empty()) return Error{ErrorCode::InvalidArgument, "a token needs an id", {}};
  return set_blob({"token", command.id}, command.record);
}

Result<Reply> Core::set_blob(const store::BlobName& blob, const std::optional<std::string>& bytes) {
  SLIPWAY_TRY_ASSIGN(const auto stored, store_.blobs(blob.space));
  const auto changed = batch_.blobs.find(blob);
  const bool known = changed != batch_.blobs.end() ? changed->second.has_value() : stored.count(blob.name) != 0;
  if (!bytes && !known) return not_found(blob.space, blob.name);
  batch_.blobs[blob] = bytes;
  return Reply{};
}

// Rows of their own, like secrets. What is in memory is not over, or is being opened again in this step.
Result<Reply> Core::run_command(const CondemnRuns& command) {
  std::vector<RunId> over;
  for (const RunId& run : command.runs)
    if (snapshot_.runs.count(run) == 0) over.push_back(run);
  SLIPWAY_TRY(store_.condemn(over));
  return Reply{};
}

Result<Reply> Core::run_command(const EraseRun& command) {
  SLIPWAY_TRY_ASSIGN(const bool more, store_.erase(command.run));
  return Reply{command.run, false, {}, more};
}

}  // namespace slipway::engine
