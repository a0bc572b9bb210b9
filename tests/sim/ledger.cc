#include "sim/ledger.h"

#include <algorithm>
#include <iostream>
#include <utility>

#include "slipway/base/sha256.h"
#include "support/rebuilt.h"

namespace slipway::sim {
namespace {

using run::RunState;
using run::TaskState;

// The states of a task's instances that count: its placeholder's until it expands, then those of the elements.
std::vector<TaskState> states_of(const run::Run& run, const std::string& task) {
  std::vector<TaskState> states;
  for (const auto& [key, instance] : run.tasks)
    if (key.task.str() == task && instance.state != TaskState::Removed) states.push_back(instance.state);
  return states;
}

std::vector<TaskState> states_of(const run::Run& run, const std::vector<std::string>& tasks) {
  std::vector<TaskState> states;
  for (const std::string& task : tasks)
    for (const TaskState state : states_of(run, task)) states.push_back(state);
  return states;
}

bool is_last(const SimTask& task) {
  return task.role == dag::TaskRole::OnFailure || task.role == dag::TaskRole::OnSuccess;
}

// Since `cleaned`, the start of the last clean-up.
bool has_begun(const run::Run& run, const std::string& task, std::optional<Instant> cleaned) {
  for (const auto& [id, attempt] : run.attempts)
    if (id.key.task.str() == task && (!cleaned || attempt.intent_at > *cleaned)) return true;
  const auto states = states_of(run, task);
  return std::find(states.begin(), states.end(), TaskState::Success) != states.end();
}

// One instance of the fan-out has begun, or was decided on by itself.
bool is_under_way(const run::Run& run, const TaskId& task) {
  const auto mapped = run.mapped(task);
  return std::any_of(mapped.begin(), mapped.end(), [&](const auto& entry) {
    const run::Attempt* last = run.last_attempt(entry.first);
    const bool begun = last != nullptr && last->generation == entry.second.generation;
    return begun || (entry.second.state != TaskState::Scheduled && entry.second.state != TaskState::Removed);
  });
}

// The sentences of the trigger rules over the states of the direct upstream tasks, read without counts.
bool rule_allows(dag::TriggerRule rule, const std::vector<TaskState>& upstream) {
  const auto failed = [](TaskState s) {
    return s == TaskState::Failed || s == TaskState::UpstreamFailed || s == TaskState::Cancelled;
  };
  const auto ended = [](TaskState s) { return run::is_terminal(s); };
  const auto success = [](TaskState s) { return s == TaskState::Success; };
  const auto skipped = [](TaskState s) { return s == TaskState::Skipped; };
  const auto ran = [](TaskState s) {
    return s == TaskState::Success || s == TaskState::Failed || s == TaskState::Cancelled;
  };
  const auto all = [&](auto wanted) { return std::all_of(upstream.begin(), upstream.end(), wanted); };
  const auto any = [&](auto wanted) { return std::any_of(upstream.begin(), upstream.end(), wanted); };
  if (upstream.empty()) return true;
  switch (rule) {
    case dag::TriggerRule::AllSuccess: return all(success);
    case dag::TriggerRule::AllFailed: return all(failed);
    case dag::TriggerRule::AllDone: return all(ended);
    case dag::TriggerRule::Always: return true;
    case dag::TriggerRule::OneSuccess: return any(success);
    case dag::TriggerRule::OneFailed: return any(failed);
    case dag::TriggerRule::OneDone: return any(ran);
    case dag::TriggerRule::NoneFailed: return all([&](TaskState s) { return success(s) || skipped(s); });
    case dag::TriggerRule::NoneFailedMinOneSuccess:
      return all([&](TaskState s) { return success(s) || skipped(s); }) && any(success);
    case dag::TriggerRule::NoneSkipped: return all([&](TaskState s) { return ended(s) && !skipped(s); });
    case dag::TriggerRule::AllSkipped: return all(skipped);
    case dag::TriggerRule::AllDoneMinOneSuccess: return all(ended) && any(success);
    case dag::TriggerRule::AllDoneSetupSuccess: return all(ended);  // and its setups: see allows()
  }
  return false;
}

bool allows(const run::Run& run, const SimTask& task) {
  const auto setups = states_of(run, task.setups);
  const bool succeeded = std::find(setups.begin(), setups.end(), TaskState::Success) != setups.end();
  if (task.role == dag::TaskRole::Teardown && !succeeded) return false;
  return rule_allows(task.rule, states_of(run, task.needs));
}

// Every setup around the task succeeded.
bool is_set_up(const run::Run& run, const SimTask& task) {
  const auto states = states_of(run, task.enclosing);
  return std::all_of(states.begin(), states.end(), [](TaskState s) { return s == TaskState::Success; });
}

std::optional<AttemptId> attempt_of(const run::EventBody& body) {
  if (const auto* opened = std::get_if<run::AttemptOpened>(&body)) return opened->id;
  if (const auto* started = std::get_if<run::AttemptStarted>(&body)) return started->id;
  if (const auto* stopping = std::get_if<run::AttemptStopping>(&body)) return stopping->id;
  if (const auto* ended = std::get_if<run::AttemptEnded>(&body)) return ended->id;
  return std::nullopt;
}

// Every task where the event names none: an event of the run must not move a task.
std::vector<TaskKey> affected(const run::Run& run, const run::EventBody& body) {
  if (const auto* moved = std::get_if<run::TaskMoved>(&body)) return {moved->key};
  if (const auto* opened = std::get_if<run::AttemptOpened>(&body)) return {opened->id.key};
  if (const auto* started = std::get_if<run::AttemptStarted>(&body)) return {started->id.key};
  if (const auto* stopping = std::get_if<run::AttemptStopping>(&body)) return {stopping->id.key};
  if (const auto* ended = std::get_if<run::AttemptEnded>(&body)) return {ended->id.key};
  if (const auto* clearing = std::get_if<run::TaskClearing>(&body)) return {clearing->key};
  if (const auto* marked = std::get_if<run::TaskMarked>(&body)) return {marked->key};
  if (const auto* waiting = std::get_if<run::TaskWaiting>(&body)) return {waiting->key};
  std::optional<TaskId> whole;
  if (const auto* expanded = std::get_if<run::TaskExpanded>(&body)) whole = expanded->task;
  if (const auto* reset = std::get_if<run::TaskReset>(&body)) {
    if (reset->key.map_index != TaskKey::kUnmapped) return {reset->key};
    whole = reset->key.task;
  }
  std::vector<TaskKey> all;
  for (const auto& [key, instance] : run.tasks)
    if (!whole || key.task == *whole) all.push_back(key);
  return all;
}

// Whether the event may give a task that is over another state.
bool opens_a_generation(const run::EventBody& body, const TaskKey& key) {
  if (const auto* version = std::get_if<run::RunReversioned>(&body))
    return std::count(version->added.begin(), version->added.end(), key) +
               std::count(version->removed.begin(), version->removed.end(), key) !=
           0;
  return std::holds_alternative<run::TaskReset>(body) || std::holds_alternative<run::TaskMarked>(body);
}

}  // namespace

void Ledger::know(const SimDag& dag) {
  versions_[VersionId(sha256_hex(dag.text))] = dag;
  backfills_.know(dag);
}

void Ledger::accuse(const std::string& what) {
  if (violation_.empty()) violation_ = what;
}

const SimTask* Ledger::task_of(const run::Run& run, const TaskKey& key) const {
  const auto version = versions_.find(run.header.version);
  if (version == versions_.end()) return nullptr;
  const auto task = version->second.tasks.find(key.task.str());
  return task == version->second.tasks.end() ? nullptr : &task->second;
}

const SimDag* Ledger::dag_of(const RunId& id) const {
  const auto run = runs_.find(id);
  const auto version = run == runs_.end() ? versions_.end() : versions_.find(run->second.header.version);
  return version == versions_.end() ? nullptr : &version->second;
}

bool Ledger::has_intent(const AttemptId& id) const {
  const auto run = runs_.find(id.run);
  return run != runs_.end() && run->second.attempts.count(id) != 0;
}

bool Ledger::is_quiet() const {
  return backfills_.is_quiet() &&
         std::all_of(runs_.begin(), runs_.end(), [](const auto& run) { return run::is_terminal(run.second.state); });
}

void Ledger::on_committed(const store::Batch& batch) {
  // Commands of a step come before its launches.
  for (const auto& [id, pool] : batch.pools) pools_[id] = pool ? pool->slots : 0;
  backfills_.begin(batch);
  for (const run::Event& event : batch.events) check(event);
  backfills_.end(batch, runs_);
  for (const run::Run* run : batch.runs)
    if (runs_.at(run->header.id) != *run) accuse("state is not the fold of its events: " + run->header.id.str());
  for (const store::DagRow& row : batch.dags)
    if (!row.error.empty()) accuse("a random DAG is refused: " + row.error);
  for (const store::DagRow& row : batch.dags)
    for (const auto& [schedule, cursor] : row.cursors) {
      Instant& known = cursors_.try_emplace({row.id, schedule}, cursor).first->second;
      if (cursor < known) accuse("cursor of " + row.id.str() + " went back");
      known = cursor;
    }
  for (const auto& [uri, dataset] : batch.datasets)
    if (dataset.updates != updates_[uri]) accuse("an update of " + uri + " was not counted once");
}

void Ledger::check(const run::Event& event) {
  ++events_;
  changed_.insert(event.run);
  run::Run& run = runs_[event.run];
  if (trace_)
    std::cout << to_rfc3339(event.at) << " " << event.run << " #" << event.seq << " "
              << run::to_value(event.body).dump().substr(0, 300) << "\n";
  if (const auto legal = run::check(run, event); !legal) return accuse("illegal event: " + legal.error().message);
  if (const auto* move = std::get_if<run::TaskMoved>(&event.body)) check_body(run, *move);
  if (const auto* expanded = std::get_if<run::TaskExpanded>(&event.body)) check_body(run, *expanded);
  if (const auto* opened = std::get_if<run::AttemptOpened>(&event.body)) check_body(run, *opened);
  if (const auto* ended = std::get_if<run::AttemptEnded>(&event.body)) check_body(run, *ended);
  if (const auto* moved = std::get_if<run::RunMoved>(&event.body)) check_body(run, *moved);
  if (const auto* waiting = std::get_if<run::TaskWaiting>(&event.body)) check_body(run, *waiting);
  if (const auto* created = std::get_if<run::RunCreated>(&event.body)) check_created(created->header);
  if (const auto* version = std::get_if<run::RunReversioned>(&event.body); version != nullptr)
    if (versions_.count(version->version) == 0) accuse("a version that nobody wrote: " + version->version.str());
  run::apply(run, event);
  if (const auto attempt = attempt_of(event.body))
    run::is_terminal(run.attempts.at(*attempt).state) ? void(open_.erase(*attempt)) : void(open_.insert(*attempt));
  if (const auto* opened = std::get_if<run::AttemptOpened>(&event.body)) check_limits(run, opened->id.key);
  if (std::holds_alternative<run::RunCreated>(event.body)) check_previous(run);
  check_runs(run, event.body);
  const bool reset =
      std::holds_alternative<run::TaskReset>(event.body) || std::holds_alternative<run::TaskExpanded>(event.body);
  for (const TaskKey& key : affected(run, event.body)) {
    const TaskState state = run.tasks.at(key).state;
    TaskState& known = before_[event.run].try_emplace(key, state).first->second;
    if (run::is_terminal(known) && known != state && !reset && !opens_a_generation(event.body, key))
      accuse("terminal state of " + key.str() + " changed within a generation");
    known = state;
  }
}

void Ledger::check_created(const run::RunHeader& header) {
  if (run::claims_tick(header.trigger) && !ticks_.insert({header.dag, header.schedule, header.logical_date}).second)
    accuse("a tick has two runs: " + header.dag.str());
  if (!header.parent) return;
  const auto parent = runs_.find(header.parent->run);
  if (parent == runs_.end()) return accuse("a sub-run without a parent: " + header.id.str());
  if (!sub_runs_.insert({header.parent->run, header.parent->key, header.parent->generation}).second)
    accuse("two sub-runs of one generation: " + header.parent->run.str() + "/" + header.parent->key.str());
  if (parent->second.tasks.at(header.parent->key).generation != header.parent->generation)
    accuse("a sub-run of another generation: " + header.id.str());
}

void Ledger::check_runs(const run::Run& run, const run::EventBody& body) {
  if (std::holds_alternative<run::RunCreated>(body) || std::holds_alternative<run::RunReopened>(body))
    backfills_.opened(run);
}

// Itself, or for the sake of a run above it that is not over.
bool Ledger::is_for_backfill(const run::Run& run) const {
  if (run.header.trigger == run::TriggerKind::Backfill || !run.backfill.empty()) return true;
  if (!run.header.parent) return false;
  const run::Run& parent = runs_.at(run.header.parent->run);
  return !run::is_terminal(parent.state) && is_for_backfill(parent);
}

void Ledger::check_body(const run::Run& run, const run::TaskWaiting& waiting) {
  const SimTask* task = task_of(run, waiting.key);
  if (task == nullptr || !task->waits) return accuse("a task waits that has work to do: " + waiting.key.str());
  if (run.tasks.at(waiting.key).state != TaskState::None) return;
  check_start(run, waiting.key, *task);
}

std::map<std::pair<RunId, TaskKey>, Instant> Ledger::questions() const {
  std::map<std::pair<RunId, TaskKey>, Instant> found;
  for (const auto& [id, run] : runs_) {
    if (run::is_terminal(run.state)) continue;
    for (const auto& [key, instance] : run.tasks)
      if (instance.waiting && instance.waiting->kind() == "approve") found[{id, key}] = instance.waiting->since;
  }
  return found;
}

void Ledger::check_body(const run::Run& run, const run::TaskMoved& move) {
  const SimTask* task = task_of(run, move.key);
  if (task == nullptr) return accuse("a task that the version does not have: " + move.key.str());
  const TaskState from = run.tasks.at(move.key).state;
  if (move.to == TaskState::Cancelled) return check_not_needed(run, move.key, *task);
  if (from != TaskState::None) return;
  if (move.reason.rfind("taken over", 0) == 0) return check_taken_over(run, move);
  if (move.to == TaskState::Scheduled || move.to == TaskState::Success) return check_start(run, move.key, *task);
  const bool allowed = allows(run, *task) && is_set_up(run, *task);
  const std::string what = run.header.id.str() + "/" + move.key.str();
  if (move.to == TaskState::UpstreamFailed && allowed) accuse(what + " fails although its rule allows it");
  if (move.to == TaskState::Skipped && task->service && is_for_backfill(run)) return;
  if (move.to == TaskState::Skipped && allowed && !task->has_when && !task->mapped && !is_last(*task))
    accuse(what + " is skipped without a reason");
}

void Ledger::check_body(const run::Run& run, const run::TaskExpanded& expanded) {
  const TaskKey key{expanded.task, TaskKey::kUnmapped};
  const SimTask* task = task_of(run, key);
  if (task == nullptr || !task->mapped) return accuse("a task without a list expands: " + key.str());
  check_start(run, key, *task);
}

void Ledger::check_start(const run::Run& run, const TaskKey& key, const SimTask& task) {
  const std::string what = run.header.id.str() + "/" + key.str();
  if (run.state == RunState::Cancelling) return check_clean_up(run, key, task);
  if (is_last(task)) {
    for (const auto& [other, instance] : run.tasks)
      if (const SimTask* known = task_of(run, other);
          known != nullptr && !is_last(*known) && !run::is_terminal(instance.state))
        accuse(what + " starts before " + other.str() + " ended");
    return;
  }
  if (!allows(run, task)) accuse(what + " starts before its rule allows it");
  if (!is_set_up(run, task)) accuse(what + " starts without a setup around it");
  if (task.depends_on_past && !past_allows(run, task.id)) accuse(what + " does not wait for the run before");
}

// What may start in a run that is being cancelled.
void Ledger::check_clean_up(const run::Run& run, const TaskKey& key, const SimTask& task) {
  const std::string what = run.header.id.str() + "/" + key.str();
  if (run.cancel_now) return accuse(what + " starts in a run that is cancelled now");
  if (task.role == dag::TaskRole::OnFailure && run.cancel_cause == run::FailureClass::Timeout) return;
  if (task.role != dag::TaskRole::Teardown) return accuse(what + " starts in a run that is being cancelled");
  if (std::none_of(task.setups.begin(), task.setups.end(),
                   [&](const auto& setup) { return has_begun(run, setup, std::nullopt); }))
    accuse(what + " cleans up after nothing");
  for (const TaskState state : states_of(run, task.needs))
    if (!run::is_terminal(state)) accuse(what + " cleans up before all ended");
}

// The latest earlier run of the same schedule, found anew.
const run::Run* Ledger::run_before(const run::Run& run) const {
  if (!run::claims_tick(run.header.trigger)) return nullptr;
  const run::Run* before = nullptr;
  for (const auto& [id, other] : runs_) {
    const bool same = other.header.dag == run.header.dag && other.header.schedule == run.header.schedule &&
                      run::claims_tick(other.header.trigger);
    if (same && id < run.header.id && other.header.logical_date < run.header.logical_date &&
        (before == nullptr || before->header.logical_date < other.header.logical_date))
      before = &other;
  }
  return before;
}

// A run that was made by a version that asks for no past has none, whatever version it goes on with.
bool Ledger::past_allows(const run::Run& run, const std::string& task) const {
  const run::Run* before = run.header.previous.empty() ? nullptr : run_before(run);
  if (before == nullptr) return true;
  const auto states = states_of(*before, task);
  return std::all_of(states.begin(), states.end(),
                     [](TaskState s) { return s == TaskState::Success || s == TaskState::Skipped; });
}

void Ledger::check_previous(const run::Run& run) {
  const SimDag* dag = dag_of(run.header.id);
  const bool asks = dag != nullptr && std::any_of(dag->tasks.begin(), dag->tasks.end(),
                                                  [](const auto& task) { return task.second.depends_on_past; });
  const run::Run* before = run_before(run);
  if (asks && before != nullptr && run.header.previous != before->header.id)
    accuse("a run does not know the run before: " + run.header.id.str());
}

bool Ledger::waits_for_past() const {
  return std::any_of(runs_.begin(), runs_.end(), [&](const auto& entry) {
    const SimDag* dag = dag_of(entry.first);
    if (entry.second.state != RunState::Running || dag == nullptr) return false;
    return std::any_of(dag->tasks.begin(), dag->tasks.end(), [&](const auto& task) {
      const auto states = states_of(entry.second, task.first);
      return task.second.depends_on_past && !past_allows(entry.second, task.first) &&
             std::find(states.begin(), states.end(), TaskState::None) != states.end();
    });
  });
}

// What a setup began is cleaned up after, also in a run that is cancelled.
void Ledger::check_not_needed(const run::Run& run, const TaskKey& cancelled, const SimTask& task) {
  if (task.role != dag::TaskRole::Teardown || run.state != RunState::Cancelling || run.cancel_now) return;
  const run::Attempt* last = run.last_attempt(cancelled);
  const auto cleaned = last == nullptr ? std::nullopt : std::optional(last->intent_at);
  if (std::any_of(task.setups.begin(), task.setups.end(),
                  [&](const auto& setup) { return has_begun(run, setup, cleaned); }))
    accuse(run.header.id.str() + "/" + cancelled.str() + " did not clean up");
}

// A setup that succeeded is cleaned up after.
void Ledger::check_teardowns(const run::Run& run) {
  const SimDag* dag = dag_of(run.header.id);
  if (dag == nullptr || run.cancel_now) return;
  for (const auto& [id, task] : dag->tasks) {
    if (task.role != dag::TaskRole::Teardown) continue;
    const auto setups = states_of(run, task.setups);
    const bool succeeded = std::find(setups.begin(), setups.end(), TaskState::Success) != setups.end();
    const run::TaskInstance& teardown = run.tasks.at({TaskId(id), TaskKey::kUnmapped});
    if (succeeded && teardown.state == TaskState::UpstreamFailed)
      accuse(run.header.id.str() + "/" + id + " did not clean up");
  }
}

// A resumed run has what its source had, and everything above it too.
void Ledger::check_taken_over(const run::Run& run, const run::TaskMoved& move) {
  const std::string what = run.header.id.str() + "/" + move.key.str();
  const auto source = runs_.find(run.header.resumed_from);
  if (source == runs_.end() || source->second.tasks.count(move.key) == 0)
    return accuse(what + " is taken over from nowhere");
  const run::TaskInstance& taken = source->second.tasks.at(move.key);
  if (taken.state != move.to || taken.outputs != move.outputs) accuse(what + " is not what was taken over");
  for (const std::string& need : task_of(run, move.key)->needs)
    if (!run::is_terminal(run.tasks.at({TaskId(need), TaskKey::kUnmapped}).state))
      accuse(what + " is taken over before what it needs");
}

void Ledger::check_body(const run::Run& run, const run::AttemptOpened& opened) {
  const run::TaskInstance& instance = run.tasks.at(opened.id.key);
  if (instance.state != TaskState::Scheduled) accuse("attempt opened for a task that is not scheduled");
  // A retry does not ask the rule again, nor does a fan-out that has begun: what is above may have been cleared since.
  const run::Attempt* before = run.last_attempt(opened.id.key);
  const SimTask* task = task_of(run, opened.id.key);
  if (task != nullptr && task->role == dag::TaskRole::Body &&
      (before == nullptr || before->generation != instance.generation) && !allows(run, *task) &&
      !is_under_way(run, opened.id.key.task))
    accuse(opened.id.str() + " is opened although its rule does not allow it any more");
  for (const auto& [id, attempt] : run.attempts)
    if (id.key == opened.id.key && !run::is_terminal(attempt.state))
      accuse("two open attempts of " + run.header.id.str() + "/" + id.key.str());
  if (task != nullptr && task->service && is_for_backfill(run)) accuse(opened.id.str() + " deploys for a backfill");
  if (task == nullptr || task->service || task->pool == "default") return;
  if (held_in(task->pool) + task->slots > pools_[PoolId(task->pool)])
    accuse("more of pool " + task->pool + " in use than its size at a launch");
}

void Ledger::check_body(const run::Run& run, const run::AttemptEnded& ended) {
  const bool counts = run.attempts.at(ended.id).generation == run.tasks.at(ended.id.key).generation;
  if (counts && ended.task_to == TaskState::Success)
    for (const std::string& uri : ended.datasets) ++updates_[uri];
  if (ended.to == run::AttemptState::Lost || ended.task_to != TaskState::UpForRetry) return;
  const run::TaskInstance& instance = run.tasks.at(ended.id.key);
  if (run.attempts.at(ended.id).generation != instance.generation) return;
  const SimTask* task = task_of(run, ended.id.key);
  if (run.state == RunState::Cancelling && task != nullptr && task->role == dag::TaskRole::Body)
    accuse("a cancelling run retries");
  if (ended.failure != run::FailureClass::User) return;
  if (task != nullptr && ++retries_[{run.header.id, ended.id.key}][instance.generation] > task->retry_limit)
    accuse("more retries than its budget: " + run.header.id.str() + "/" + ended.id.key.str());
}

void Ledger::check_body(const run::Run& run, const run::RunMoved& moved) {
  if (moved.to == RunState::Running) run.backfill.empty() ? check_active_runs(run) : backfills_.started(run, runs_);
  if (!run::is_terminal(moved.to)) return;
  for (const auto& [key, instance] : run.tasks)
    if (!run::is_terminal(instance.state)) accuse("run " + run.header.id.str() + " ended before " + key.str());
  for (const auto& [id, attempt] : run.attempts)
    if (!run::is_terminal(attempt.state)) accuse("run " + run.header.id.str() + " ended before " + id.str());
  if (moved.to == RunState::Failed && moved.failures.empty()) accuse("a run failed without a reason");
  check_teardowns(run);
  // A retry of a run that goes on, or its cancellation, may change its result after one of them has begun.
  const bool first_try =
      run.state != RunState::Cancelling &&
      std::all_of(run.tasks.begin(), run.tasks.end(), [](const auto& entry) { return entry.second.generation == 1; });
  for (const auto& [key, instance] : run.tasks) {
    if (!first_try) break;
    const SimTask* task = task_of(run, key);
    if (task == nullptr || instance.state != TaskState::Success) continue;
    if (task->role == dag::TaskRole::OnFailure && moved.to != RunState::Failed) accuse("on_failure ran for nothing");
    if (task->role == dag::TaskRole::OnSuccess && moved.to != RunState::Success) accuse("on_success ran for nothing");
  }
}

// Limits bind what starts: a smaller one, of a newer version, lets go on what runs.
void Ledger::check_parallel(const run::Run& run, const TaskKey& opened, const SimDag& dag) {
  std::map<std::string, int> open;
  for (const auto& [id, attempt] : run.attempts)
    if (!run::is_terminal(attempt.state) && attempt.generation == run.tasks.at(id.key).generation)
      ++open[id.key.task.str()];  // one that outlives its generation holds its slot, and counts no more
  const std::string task = opened.task.str();
  if (const int limit = dag.tasks.at(task).max_parallel; limit > 0 && open[task] > limit)
    accuse("more instances of " + run.header.id.str() + "/" + task + " than max_parallel");
  for (const SimGroup& group : dag.groups) {
    if (std::find(group.tasks.begin(), group.tasks.end(), task) == group.tasks.end()) continue;
    int count = 0;
    for (const std::string& member : group.tasks) count += open.count(member) == 0 ? 0 : open.at(member);
    if (count > group.max_parallel) accuse("more tasks of a group than its max_parallel: " + run.header.id.str());
  }
}

int Ledger::held_in(const std::string& pool) const {
  int held = 0;
  for (const AttemptId& id : open_) {
    const SimTask* task = task_of(runs_.at(id.run), id.key);
    if (task != nullptr && task->holds_slots() && task->pool == pool) held += task->slots;
  }
  return held;
}

void Ledger::check_limits(const run::Run& run, const TaskKey& opened) {
  const SimDag* dag = dag_of(run.header.id);
  if (dag == nullptr) return;
  check_parallel(run, opened, *dag);
  int used = 0, open = 0;
  for (const AttemptId& id : open_) {
    const run::Run& other = runs_.at(id.run);
    const SimTask* task = task_of(other, id.key);
    if (task != nullptr && task->holds_slots()) used += task->pool == "default" ? task->slots : 1;
    open += other.header.dag == run.header.dag ? 1 : 0;
  }
  if (dag->max_active_tasks > 0 && open > dag->max_active_tasks) accuse("more tasks than max_active_tasks");
  if (dag->tasks.at(opened.task.str()).holds_slots() && used > slots_) accuse("more slots in use than there are");
}

// Unless a run under way waits for what this one brings to an end.
void Ledger::check_active_runs(const run::Run& started) {
  const SimDag* dag = dag_of(started.header.id);
  int active = 1;
  for (const auto& [id, run] : runs_) {
    if (run.state == RunState::Running && run.header.previous == started.header.id) return;
    const bool has_open = std::any_of(run.attempts.begin(), run.attempts.end(),
                                      [](const auto& entry) { return !run::is_terminal(entry.second.state); });
    const bool is_active = run.state == RunState::Running || (run.state == RunState::Cancelling && has_open);
    if (is_active && run.header.dag == started.header.dag && run.backfill.empty()) ++active;
  }
  if (dag != nullptr && active > dag->max_active_runs) accuse("more runs than max_active_runs");
}

void Ledger::compare(const run::Snapshot& snapshot, Instant now) {
  backfills_.compare(snapshot);
  const bool with_sets = ++compared_ % 8 == 0;
  if (with_sets)
    if (const std::string what = test::difference_from_rebuilt(snapshot, now); !what.empty())
      accuse("the snapshot's sets are not those of its state: " + what);
  const std::set<RunId> changed = std::exchange(changed_, {});
  for (const auto& [id, run] : snapshot.runs) {
    if (!with_sets && changed.count(id) == 0) continue;
    if (runs_.count(id) == 0 || runs_.at(id) != run.state)
      return accuse("memory is not what was committed: " + id.str());
    if (with_sets) compare_sets(run);
  }
  for (const auto& [id, run] : runs_)
    if (!run::is_terminal(run.state) && snapshot.runs.count(id) == 0) accuse("a run is forgotten: " + id.str());
}

void Ledger::compare_sets(const run::ActiveRun& run) {
  const run::ActiveRun fresh = run::activate(run.state, run.dag);
  if (fresh.upstream != run.upstream || fresh.open_attempts != run.open_attempts || fresh.retry_due != run.retry_due ||
      fresh.attempt_due != run.attempt_due || fresh.unfinished != run.unfinished || fresh.own != run.own ||
      fresh.active != run.active || fresh.group_active != run.group_active || fresh.undecided != run.undecided ||
      fresh.wait_due != run.wait_due || fresh.waiting != run.waiting || fresh.unfinished_last != run.unfinished_last)
    accuse("the planner's sets are not those of the state: " + run.state.header.id.str());
}

void Ledger::compare(const store::Recovered& recovered) {
  backfills_.compare(recovered);
  std::size_t open = 0;
  for (const auto& [id, run] : runs_) open += run::is_terminal(run.state) ? 0U : 1U;
  if (recovered.runs.size() != open || !recovered.broken.empty()) accuse("the store lost or broke a run");
  for (const run::Run& run : recovered.runs)
    if (runs_.count(run.header.id) == 0 || runs_.at(run.header.id) != run)
      accuse("the store gives back another state of " + run.header.id.str());
}

}  // namespace slipway::sim
