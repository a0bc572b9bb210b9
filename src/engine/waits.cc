// Tasks that wait: for time, a person, the world outside, a run, a dataset. They hold no slot and no process; what they
// wait for is rendered once and stands in their event, so that a restart goes on where it was. Time alone is judged by
// the planner; everything else ends here.
#include <algorithm>

#include "engine/core.h"
#include "engine/render_wait.h"
#include "slipway/dag/parse.h"

namespace slipway::engine {
namespace {

using run::FailureClass;
using run::RunState;
using run::TaskState;

constexpr int kDepthMax = 16;  // sub-runs of sub-runs

// What ends it, beside time: "run:ID", "dataset:URI", or nothing.
std::string signal_of(const run::WaitState& waiting) {
  const std::string kind = waiting.kind();
  if (kind == "dag") return "run:" + waiting.what.get_string("run");
  return kind == "run" || kind == "dataset" ? kind + ":" + waiting.what.get_string("target") : std::string();
}

bool is_looked_at(const run::WaitState& waiting) { return waiting.kind() == "file" || waiting.kind() == "http"; }

// The DAGs on the way from `from` to `to` by tasks that start DAGs, both ends included; empty if there is none.
std::vector<DagId> way_between(const run::Snapshot& snapshot, const DagId& from, const DagId& to) {
  std::map<DagId, DagId> came_from{{from, from}};
  std::vector<DagId> open{from};
  for (std::size_t next = 0; next < open.size() && came_from.count(to) == 0; ++next) {
    const DagId here = open[next];
    const auto entry = snapshot.dags.find(here);
    if (entry == snapshot.dags.end()) continue;
    for (const dag::Task& task : entry->second.dag->tasks)
      if (task.sub_dag && came_from.try_emplace(task.sub_dag->id, here).second) open.push_back(task.sub_dag->id);
  }
  std::vector<DagId> way;
  if (came_from.count(to) == 0) return way;
  for (DagId at = to;; at = came_from.at(at)) {
    way.insert(way.begin(), at);
    if (at == from) return way;
  }
}

}  // namespace

// What cannot be rendered or started fails without having waited.
void Core::begin_wait(const RunId& run_id, const TaskKey& key) {
  const run::ActiveRun& run = snapshot_.runs.at(run_id);
  const dag::Task& task = *run.task(key.task);
  auto rendered = render_wait({options_, snapshot_, run, task, AttemptId{run_id, key, 0}}, now_);
  if (!rendered)
    return emit(run_id, run::TaskMoved{key, TaskState::Failed, rendered.error().message, FailureClass::Render});
  if (task.sub_dag) {
    const auto sub_run = start_sub_run(run, key, rendered->params);
    if (!sub_run)
      return emit(run_id, run::TaskMoved{key, TaskState::Failed, sub_run.error().message, FailureClass::Config});
    rendered->what["run"] = sub_run->str();
    rendered->reason = "for run " + sub_run->str() + " of " + task.sub_dag->id.str();
  }
  const auto deadline = task.timeout == Duration(0) ? std::nullopt : std::optional(now_ + task.timeout);
  emit(run_id, run::TaskWaiting{key, std::move(rendered->what), rendered->due, deadline, std::move(rendered->reason)});
  check_wait(run_id, key);
}

// Whether what it waits for is so already; what only a look can tell is looked at.
void Core::check_wait(const RunId& run_id, const TaskKey& key) {
  const run::ActiveRun& run = snapshot_.runs.at(run_id);
  const run::TaskInstance& instance = run.state.tasks.at(key);
  const std::string kind = instance.waiting->kind();
  const std::string target = instance.waiting->what.get_string("target");
  if (is_looked_at(*instance.waiting)) {
    const dag::Wait& wait = *run.task(key.task)->wait;
    effects_.looks.push_back({run_id, key, instance.generation, wait.kind, target, wait.poll});
  } else if (kind == "dataset") {
    const auto dataset = snapshot_.datasets.find(target);
    if (dataset != snapshot_.datasets.end() && dataset->second.updated_at >= run.state.header.created_at)
      updated_.insert(target);
  } else if (kind == "run" || kind == "dag") {
    const RunId awaited(instance.waiting->what.get_string(kind == "dag" ? "run" : "target"));
    const auto active = snapshot_.runs.find(awaited);
    if (awaited == run_id)
      return emit(run_id, run::TaskMoved{key, TaskState::Failed, "waits for its own run", FailureClass::Config});
    if (active == snapshot_.runs.end() || run::is_terminal(active->second.state.state)) ended_runs_.push_back(awaited);
  }
}

// Keeps the indexes of who waits for what; a wait that ends is looked at no more, and its sub-run is not wanted.
void Core::note_wait(const RunId& run_id, const TaskKey& key, const std::optional<run::WaitState>& before) {
  const auto& after = snapshot_.runs.at(run_id).state.tasks.at(key).waiting;
  const InstanceId id{run_id, key};
  if (before && !after) {
    if (const auto waiters = waiters_.find(signal_of(*before)); waiters != waiters_.end()) {
      waiters->second.erase(id);
      if (waiters->second.empty()) waiters_.erase(waiters);
    }
    if (is_looked_at(*before)) effects_.overlooks.push_back(id);
    if (before->kind() == "dag") lost_sub_runs_.emplace_back(before->what.get_string("run"));
    last_seen_.erase(id);
  } else if (after && !before) {
    if (const std::string signal = signal_of(*after); !signal.empty()) waiters_[signal].insert(id);
  }
}

// A run that is cancelled takes those along that its tasks wait for.
void Core::note_run(const RunId& id, RunState state) {
  if (run::is_terminal(state)) ended_runs_.push_back(id);
  if (state != RunState::Cancelling) return;
  for (const RunId& sub_run : sub_runs(id)) lost_sub_runs_.push_back(sub_run);
}

std::vector<RunId> Core::sub_runs(const RunId& id) const {
  const run::ActiveRun& run = snapshot_.runs.at(id);
  std::vector<RunId> found;
  for (const TaskKey& key : run.waiting)
    if (const run::WaitState& waiting = *run.state.tasks.at(key).waiting; waiting.kind() == "dag")
      found.emplace_back(waiting.what.get_string("run"));
  return found;
}

// Between two plans, because a plan must not be carried out on runs that changed since.
void Core::follow_up() {
  while (!ended_runs_.empty() || !lost_sub_runs_.empty() || !updated_.empty()) {
    for (const RunId& id : std::exchange(ended_runs_, {})) end_waits_for_run(id);
    for (const RunId& id : std::exchange(lost_sub_runs_, {})) cancel_sub_run(id);
    for (const std::string& uri : std::exchange(updated_, {})) {
      const auto waiters = waiters_.find("dataset:" + uri);
      if (waiters == waiters_.end()) continue;
      const Value outputs =
          Value::Object{{"uri", uri}, {"updated_at", to_rfc3339(snapshot_.datasets.at(uri).updated_at)}};
      for (const auto& [run, key] : std::set<InstanceId>(waiters->second))
        if (still_waits(run, key)) emit(run, run::TaskMoved{key, TaskState::Success, {}, FailureClass::None, outputs});
    }
  }
}

// A new version of the DAG may have taken the instance away meanwhile.
bool Core::still_waits(const RunId& run, const TaskKey& key) const {
  const auto found = snapshot_.runs.find(run);
  return found != snapshot_.runs.end() && found->second.waiting.count(key) != 0;
}

void Core::end_waits_for_run(const RunId& id) {
  const auto waiters = waiters_.find("run:" + id.str());
  if (waiters == waiters_.end()) return;
  const auto active = snapshot_.runs.find(id);
  if (active != snapshot_.runs.end() && !run::is_terminal(active->second.state.state)) return;
  const auto loaded = active != snapshot_.runs.end() ? Result<run::Run>(active->second.state) : store_.load_run(id);
  // One that is quarantined is not over: it is waited for until somebody decides otherwise.
  if (loaded && !run::is_terminal(loaded->state)) return;
  for (const auto& [run, key] : std::set<InstanceId>(waiters->second)) {
    if (!still_waits(run, key)) continue;
    if (loaded)
      end_wait(run, key, *loaded);
    else
      emit(run, run::TaskMoved{key, TaskState::Failed, loaded.error().message, FailureClass::Config});
  }
}

void Core::end_wait(const RunId& run_id, const TaskKey& key, const run::Run& ended) {
  const std::string state(run::kRunStates.text(ended.state));
  if (snapshot_.runs.at(run_id).state.state == RunState::Cancelling)
    return emit(run_id, run::TaskMoved{key, TaskState::Cancelled, "the run was cancelled"});
  if (ended.state == RunState::Success)
    return emit(run_id, run::TaskMoved{key,
                                       TaskState::Success,
                                       {},
                                       FailureClass::None,
                                       Value::Object{{"run", ended.header.id.str()}, {"state", state}}});
  const std::string why = ended.failures.empty() ? std::string() : ": " + ended.failures.front();
  emit(run_id,
       run::TaskMoved{key, TaskState::Failed,
                      "run " + ended.header.id.str() + " of " + ended.header.dag.str() + " ended " + state + why,
                      FailureClass::User});
}

void Core::cancel_sub_run(const RunId& id) {
  const auto run = snapshot_.runs.find(id);
  if (run == snapshot_.runs.end()) return;
  const run::RunHeader& header = run->second.state.header;
  const auto parent = header.parent ? snapshot_.runs.find(header.parent->run) : snapshot_.runs.end();
  if (parent != snapshot_.runs.end() && parent->second.state.cancel_now) stop_now(id);
  const RunState state = run->second.state.state;
  if (state == RunState::Queued || state == RunState::Running)
    emit(id, run::RunMoved{RunState::Cancelling, {}, FailureClass::External});
}

void Core::update_dataset(const std::string& uri, const std::string& by) {
  run::update_dataset(snapshot_, uri, by, now_);
  batch_.datasets[uri] = snapshot_.datasets.at(uri);
  updated_.insert(uri);
}

// One sub-run per generation of the instance, by its idempotency key.
Result<RunId> Core::start_sub_run(const run::ActiveRun& run, const TaskKey& key, const Value& params) {
  const DagId& target = run.task(key.task)->sub_dag->id;
  const run::RunHeader& own = run.state.header;
  const auto way = way_between(snapshot_, target, own.dag);
  if (!way.empty()) {
    std::string shown = own.dag.str();
    for (const DagId& id : way) shown += " → " + id.str();
    return Error{ErrorCode::InvalidArgument, "DAGs start each other: " + shown, {}};
  }
  const int depth = own.parent ? own.parent->depth + 1 : 1;
  if (depth > kDepthMax)
    return Error{ErrorCode::InvalidArgument, "runs start runs " + std::to_string(kDepthMax) + " deep already", {}};
  const auto found = snapshot_.dags.find(target);
  if (found == snapshot_.dags.end() || !found->second.present) return no_dag(target);
  const int generation = run.state.tasks.at(key).generation;
  run::RunHeader header;
  header.idempotency_key = "task:" + own.id.str() + "/" + key.str() + "/" + std::to_string(generation);
  SLIPWAY_TRY_ASSIGN(const auto earlier, store_.find_idempotent(target, header.idempotency_key));
  if (earlier) return *earlier;
  auto resolved = dag::resolve_params(*found->second.dag, params.is_null() ? Value(Value::Object{}) : params);
  if (!resolved.value)
    return Error{
        ErrorCode::InvalidArgument, "DAG `" + target.str() + "`: " + resolved.diagnostics.items().front().message, {}};
  header.trigger = run::TriggerKind::SubRun;
  header.logical_date = own.logical_date;
  header.interval_start = own.interval_start;
  header.interval_end = own.interval_end;
  header.params = *std::move(resolved.value);
  header.parent = run::ParentTask{own.id, key, generation, depth};
  return create_run(found->second, std::move(header));
}

// Late news of an instance that went on meanwhile is dropped by its generation and state.
void Core::handle(const Seen& seen) {
  work_on_run(seen.run);
  const auto run = snapshot_.runs.find(seen.run);
  if (run == snapshot_.runs.end()) return;
  const auto instance = run->second.state.tasks.find(seen.key);
  if (instance == run->second.state.tasks.end() || instance->second.generation != seen.generation ||
      !instance->second.waiting || !is_looked_at(*instance->second.waiting))
    return;
  if (!seen.met) {
    last_seen_[{seen.run, seen.key}] = seen.detail;
  } else if (run->second.state.state == RunState::Running) {
    emit(seen.run, run::TaskMoved{seen.key, TaskState::Success, seen.detail, FailureClass::None, Value::Object{}});
  }
}

Result<Reply> Core::run_command(const Approve& command) {
  const auto run = snapshot_.runs.find(command.run);
  const std::string name = "task `" + command.key.str() + "` of run " + command.run.str();
  if (run == snapshot_.runs.end()) SLIPWAY_TRY(store_.load_run(command.run));
  const run::TaskInstance* instance = nullptr;
  if (run != snapshot_.runs.end()) {
    const auto found = run->second.state.tasks.find(command.key);
    if (found == run->second.state.tasks.end()) return Error{ErrorCode::NotFound, "there is no " + name, {}};
    instance = &found->second;
  }
  if (instance == nullptr || !instance->waiting || instance->waiting->kind() != "approve")
    return Error{ErrorCode::Conflict, name + " is not waiting for an answer", {}};
  const dag::Approve& asked = *run->second.task(command.key.task)->approve;
  const auto named = [&](const std::string& who) {
    return std::find(asked.by.begin(), asked.by.end(), who) != asked.by.end();
  };
  if (!asked.by.empty() && std::none_of(command.may_be.begin(), command.may_be.end(), named))
    return Error{ErrorCode::Forbidden, name + " is not yours to answer", "`approve.by` names who may"};
  if (!command.approved) {
    const std::string why = command.reason.empty() ? "" : ": " + command.reason;
    emit(command.run,
         run::TaskMoved{command.key, TaskState::Failed, "rejected by " + command.by + why, FailureClass::User});
    return Reply{command.run, false};
  }
  dag::Dag form;
  form.id = DagId(command.key.str());
  form.params = asked.fields;
  auto answers = dag::resolve_params(form, command.fields.is_null() ? Value(Value::Object{}) : command.fields);
  if (!answers.value) return Error{ErrorCode::InvalidArgument, answers.diagnostics.items().front().message, {}};
  emit(command.run, run::TaskMoved{command.key, TaskState::Success, "approved by " + command.by, FailureClass::None,
                                   *std::move(answers.value)});
  return Reply{command.run, false};
}

Result<Reply> Core::run_command(const TouchDataset& command) {
  if (command.uri.empty()) return Error{ErrorCode::InvalidArgument, "a dataset needs a URI", {}};
  update_dataset(command.uri, command.by);
  return Reply{};
}

// After a restart: the indexes, and what may have happened meanwhile.
void Core::resume_waits() {
  for (auto& [id, run] : snapshot_.runs)
    for (const TaskKey& key : run.waiting) note_wait(id, key, std::nullopt);
  std::vector<InstanceId> all;
  for (const auto& [id, run] : snapshot_.runs)
    for (const TaskKey& key : run.waiting) all.emplace_back(id, key);
  for (const auto& [id, key] : all) check_wait(id, key);
  for (const auto& [id, run] : snapshot_.runs)
    if (run.state.state == RunState::Cancelling) note_run(id, RunState::Cancelling);
}

}  // namespace slipway::engine
