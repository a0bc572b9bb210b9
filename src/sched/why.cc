#include <algorithm>
#include <iterator>

#include "sched/launcher.h"
#include "sched/parallel.h"
#include "slipway/sched/outcome.h"
#include "slipway/sched/planner.h"
#include "slipway/sched/trigger_rule.h"

namespace slipway::sched {
namespace {

using run::ActiveRun;
using run::AttemptState;
using run::RunState;
using run::TaskInstance;
using run::TaskState;
using run::UpstreamCounts;

constexpr std::size_t kNamedMax = 5;

// "a, b, c and 4 more"
class List {
 public:
  void add(const std::string& item) {
    if (++count_ <= kNamedMax) text_ += (count_ > 1 ? ", " : "") + item;
  }
  [[nodiscard]] bool empty() const { return count_ == 0; }
  [[nodiscard]] std::string text() const {
    return count_ <= kNamedMax ? text_ : text_ + " and " + std::to_string(count_ - kNamedMax) + " more";
  }

 private:
  std::string text_;
  std::size_t count_ = 0;
};

std::string quoted(std::string_view text) { return "`" + std::string(text) + "`"; }

class Explainer {
 public:
  Explainer(const run::Snapshot& snapshot, const ActiveRun& run, const TaskInstance& instance, Instant now)
      : snapshot_(snapshot), run_(run), instance_(instance), now_(now) {}

  [[nodiscard]] std::string explain() const {
    if (run_.state.state == RunState::Cancelling && !run::is_terminal(instance_.state))
      return "the run is being cancelled: " + by_state();
    if (run_.state.state == RunState::Queued && !run::is_terminal(instance_.state)) return queued_run();
    return by_state();
  }

 private:
  [[nodiscard]] std::string by_state() const {
    switch (instance_.state) {
      case TaskState::None: return undecided();
      case TaskState::Scheduled: return scheduled();
      case TaskState::Waiting: return waiting();
      case TaskState::UpForRetry:
        return "up for retry at " + to_rfc3339(*instance_.retry_at) + ": attempt " +
               std::to_string(instance_.attempts) + " failed: " + instance_.reason;
      case TaskState::Queued:
      case TaskState::Active:
      case TaskState::Stopping: return attempt();
      case TaskState::Success:
      case TaskState::Failed:
      case TaskState::Skipped:
      case TaskState::UpstreamFailed:
      case TaskState::Cancelled: return ended();
      case TaskState::Removed: return removed();
    }
    return {};
  }

  [[nodiscard]] std::string removed() const {
    const UpstreamCounts& own = run_.own[static_cast<std::size_t>(run_.dag->index_of(instance_.key.task))];
    if (instance_.key.map_index != TaskKey::kUnmapped || own.total() == 0) return ended();
    const std::string first = run_.state.mapped(instance_.key.task).begin()->first.str();
    return instance_.reason + ", of which " + std::to_string(own.pending) +
           " are not over; ask for one of them: " + first;
  }

  [[nodiscard]] std::string waiting() const {
    if (!instance_.waiting) return "waits: " + instance_.reason;
    const run::WaitState& waiting = *instance_.waiting;
    std::string text = "waits " + instance_.reason;
    if (waiting.kind() == "for" && waiting.due) text += ", until " + to_rfc3339(*waiting.due);
    if (waiting.kind() == "approve")
      text += "; answer with slipway task approve " + run_.state.header.id.str() + " " + instance_.key.str();
    const RunId awaited(waiting.what.get_string(waiting.kind() == "run" ? "target" : "run"));
    if (const auto run = snapshot_.runs.find(awaited); run != snapshot_.runs.end())
      text += " (" + std::string(run::kRunStates.text(run->second.state.state)) + ")";
    return waiting.deadline ? text + "; it fails at " + to_rfc3339(*waiting.deadline) : text;
  }

  [[nodiscard]] std::string queued_run() const {
    const auto entry = snapshot_.dags.find(run_.state.header.dag);
    if (const auto backfill = snapshot_.backfills.find(run_.state.backfill); backfill != snapshot_.backfills.end())
      return "the run is queued: its backfill has max_active " + std::to_string(backfill->second.state.max_active);
    List earlier;
    if (entry != snapshot_.dags.end())
      for (const RunId& id : entry->second.active)
        if (id != run_.state.header.id && snapshot_.runs.at(id).state.state != RunState::Queued) earlier.add(id.str());
    if (earlier.empty()) return "the run starts at the next step";
    return "the run is queued: max_active_runs is " + std::to_string(entry->second.dag->max_active_runs) +
           ", under way is " + earlier.text();
  }

  [[nodiscard]] std::string undecided() const {
    const dag::Task& task = *run_.task(instance_.key.task);
    if (task.role == dag::TaskRole::OnFailure || task.role == dag::TaskRole::OnSuccess) return last();
    for (const TaskId& setup : task.enclosing_setups)
      if (const int index = run_.dag->index_of(setup); run_.own[static_cast<std::size_t>(index)].pending > 0)
        return "waits for its setup " + pending_of(setup) + ", whatever its rule says";
    List pending;
    for (const TaskId& need : task.needs)
      if (run_.own[static_cast<std::size_t>(run_.dag->index_of(need))].pending > 0) pending.add(pending_of(need));
    const auto index = static_cast<std::size_t>(run_.dag->index_of(task.id));
    const bool cleans_up = task.role == dag::TaskRole::Teardown;
    const bool waits =
        cleans_up ? !pending.empty() : evaluate(task.trigger_rule, run_.upstream[index]) == Verdict::Wait;
    const std::string what = cleans_up ? "cleans up after " + names_of(task.setups) + ": " : "";
    if (waits)
      return what + "waits for " + pending.text() + "; its rule is " +
             std::string(dag::kTriggerRules.text(task.trigger_rule));
    if (const auto past = past_of(snapshot_, run_, task); past && !past_allows(*past)) return past_text(*past);
    return what + "is decided on at the next step";
  }

  // "`load` (active)", "`load` (3 of 20 instances not over)"
  [[nodiscard]] std::string pending_of(const TaskId& task) const {
    const int index = run_.dag->index_of(task);
    const UpstreamCounts& own = run_.own[static_cast<std::size_t>(index)];
    const bool mapped = !run_.state.mapped(task).empty() && own.total() > 1;
    if (mapped)
      return quoted(task.str()) + " (" + std::to_string(own.pending) + " of " + std::to_string(own.total()) +
             " instances not over)";
    return quoted(task.str()) + " (" + std::string(run::kTaskStates.text(outcome_of(run_, index))) + ")";
  }

  static std::string names_of(const std::vector<TaskId>& tasks) {
    List names;
    for (const TaskId& task : tasks) names.add(quoted(task.str()));
    return names.text();
  }

  [[nodiscard]] std::string last() const {
    if (run_.unfinished == run_.unfinished_last) return "is decided on at the next step";
    return "is decided on when every other task is over; " + std::to_string(run_.unfinished - run_.unfinished_last) +
           " are not";
  }

  [[nodiscard]] std::string past_text(const UpstreamCounts& past) const {
    const std::string before = "run " + run_.state.header.previous.str();
    const std::string what = "depends_on_past: waits for " + quoted(instance_.key.task.str()) + " of " + before;
    if (past.pending > 0) return what + ", where it is not over";
    return what + ", where it did not succeed: retry it there, or mark it as success";
  }

  [[nodiscard]] std::string scheduled() const {
    const dag::Task& task = *run_.task(instance_.key.task);
    if (dag_is_full(snapshot_, run_)) {
      const std::string limit = std::to_string(run_.dag->max_active_tasks);
      return "max_active_tasks of the DAG is " + limit + ", all in use";
    }
    if (std::string full = used_up(run_, task); !full.empty()) return full;
    if (run::slots_of(task) == 0) return "is launched at the next step";
    const std::string pool = "pool " + quoted(task.pool.str());
    const auto size = run::pool_size(snapshot_, task.pool);
    if (!size)
      return "there is no " + pool + "; it can start once there is: slipway pool set " + task.pool.str() + " N";
    if (task.slots > *size)
      return "needs " + std::to_string(task.slots) + " slots, and " + pool + " has " + std::to_string(*size) +
             " in all: it cannot start until the pool is larger";
    return queued(task, *size);
  }

  // In a pool that it fits into: what is in use, and who goes first.
  [[nodiscard]] std::string queued(const dag::Task& task, int size) const {
    const bool in_default = task.pool.str() == dag::kDefaultPool;
    const int used = run::pool_used(snapshot_, task.pool);
    const int local = snapshot_.local_held;
    const std::string what = in_default ? std::string("slot") : "slot in pool " + quoted(task.pool.str());
    if (size - used < task.slots) return lack(what, task.slots, used, size) + users(task.pool) + turn(task);
    if (run::local_slots_of(task) > 0 && snapshot_.slots_total - local < run::local_slots_of(task))
      return lack("local slot", 1, local, snapshot_.slots_total) + users(PoolId(std::string(dag::kDefaultPool))) +
             turn(task);
    return behind_large(task);
  }

  static std::string lack(const std::string& what, int needed, int used, int size) {
    // What was opened ahead of free slots waits in the executor, and uses none yet.
    const std::string counts = std::to_string(std::min(used, size)) + " of " + std::to_string(size) + " in use by ";
    if (used >= size) return "no free " + what + ": " + counts;
    return "needs " + std::to_string(needed) + " times a " + what + ": " + counts;
  }

  // Who holds slots of the pool, by DAG: "`a` (2: r1/x/1, r1/y/1), `b` (1: r2/z/1)". The default pool is held by all.
  [[nodiscard]] std::string users(const PoolId& pool) const {
    const bool all = pool.str() == dag::kDefaultPool;
    std::map<DagId, std::pair<int, List>> dags;
    for (const auto& [id, run] : snapshot_.runs)
      for (const AttemptId& attempt : run.open_attempts) {
        const dag::Task& task = *run.task(attempt.key.task);
        const int held = all ? run::local_slots_of(task) : run::slots_of(task);
        if (held == 0 || (!all && task.pool != pool)) continue;
        const bool waits = run.state.attempts.at(attempt).state == AttemptState::Intent;
        if (waits && snapshot_.local_held > snapshot_.slots_total) continue;
        auto& [slots, names] = dags[run.dag->id];
        slots += held;
        names.add(attempt.str());
      }
    List text;
    for (const auto& [id, use] : dags)
      text.add(quoted(id.str()) + " (" + std::to_string(use.first) + ": " + use.second.text() + ")");
    return text.text();
  }

  // Who goes before it.
  [[nodiscard]] std::string turn(const dag::Task& task) const {
    const run::Waiting* first = first_in_pool(snapshot_, task.pool);
    if (first == nullptr || is_me(*first)) return "; it is next";
    const ActiveRun& other = snapshot_.runs.at(first->run);
    if (other.dag->id == run_.dag->id) return "; " + std::to_string(ahead(task)) + " of its DAG go before it";
    const dag::PriorityClass theirs = snapshot_.dags.at(other.dag->id).dag->priority_class;
    if (theirs != snapshot_.dags.at(run_.dag->id).dag->priority_class)
      return "; DAG " + quoted(other.dag->id.str()) + " goes first, its class is " +
             std::string(dag::kPriorityClasses.text(theirs));
    return "; DAG " + quoted(other.dag->id.str()) + " goes first, it has used less of the pool by its weight";
  }

  // There is room for it, so something larger that goes first must be waiting for more.
  [[nodiscard]] std::string behind_large(const dag::Task& task) const {
    for (const PoolId& pool : {task.pool, PoolId(std::string(dag::kDefaultPool))}) {
      const run::Waiting* first = first_in_pool(snapshot_, pool);
      const int free = run::pool_size(snapshot_, pool).value_or(0) - run::pool_used(snapshot_, pool);
      if (first != nullptr && !is_me(*first) && first->slots > free)
        return "waits behind " + quoted(first->run.str() + "/" + first->key.str()) + ", which goes first and needs " +
               std::to_string(first->slots) + " slots of pool " + quoted(pool.str()) + " while " +
               std::to_string(free) + " are free";
    }
    return "is launched at the next step";
  }

  [[nodiscard]] bool is_me(const run::Waiting& waiting) const {
    return waiting.run == run_.state.header.id && waiting.key == instance_.key;
  }

  // Instances of its DAG that wait in the same pool and come first.
  [[nodiscard]] std::ptrdiff_t ahead(const dag::Task& task) const {
    const auto& waiting = snapshot_.queues.at(task.pool).lanes.at(run_.dag->id).waiting;
    return std::distance(waiting.begin(), std::find_if(waiting.begin(), waiting.end(),
                                                       [this](const run::Waiting& each) { return is_me(each); }));
  }

  [[nodiscard]] std::string attempt() const {
    const run::Attempt& attempt = *run_.state.last_attempt(instance_.key);
    const std::string name = "attempt " + std::to_string(attempt.id.number);
    switch (attempt.state) {
      case AttemptState::Intent: return name + " is committed, its start is awaited";
      case AttemptState::Launched: return name + " was taken by executor " + attempt.executor + ", it starts";
      case AttemptState::Running: {
        const std::string limit = attempt.deadline ? ", it may run until " + to_rfc3339(*attempt.deadline) : "";
        return name + " runs since " + to_rfc3339(attempt.started_at.value_or(now_)) + limit;
      }
      case AttemptState::Stopping:
        return name + " was asked to stop (" + std::string(run::kFailureClasses.text(attempt.stop_cause)) +
               "), its end is awaited";
      case AttemptState::Lost: return lost(attempt, name);
      case AttemptState::Succeeded:
      case AttemptState::Failed:
      case AttemptState::Cancelled: return ended();
    }
    return {};
  }

  [[nodiscard]] std::string lost(const run::Attempt& attempt, const std::string& name) const {
    const auto& lost_after = run_.task(instance_.key.task)->retry.lost_after;
    const std::string next = lost_after ? "is given up at " + to_rfc3339(*attempt.ended_at + *lost_after)
                                        : "holds its slot until its end is proved";
    return name + " is lost: " + attempt.reason + "; the process may still run, it " + next;
  }

  [[nodiscard]] std::string ended() const {
    std::string text(run::kTaskStates.text(instance_.state));
    if (instance_.ended_at) text += " since " + to_rfc3339(*instance_.ended_at);
    return instance_.reason.empty() ? text : text + ": " + instance_.reason;
  }

  const run::Snapshot& snapshot_;
  const ActiveRun& run_;
  const TaskInstance& instance_;
  Instant now_;
};

}  // namespace

std::string why(const run::Snapshot& snapshot, const RunId& run, const TaskKey& key, Instant now) {
  const auto active = snapshot.runs.find(run);
  if (active == snapshot.runs.end()) return "run " + run.str() + " is over or does not exist";
  const auto instance = active->second.state.tasks.find(key);
  if (instance == active->second.state.tasks.end()) return "run " + run.str() + " has no task " + quoted(key.str());
  return Explainer(snapshot, active->second, instance->second, now).explain();
}

}  // namespace slipway::sched
