#include "slipway/sched/planner.h"

namespace slipway::sched {
namespace {

using run::ActiveRun;
using run::AttemptState;
using run::RunState;
using run::TaskInstance;
using run::TaskState;

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
      case TaskState::None: return upstream();
      case TaskState::Scheduled: return slots();
      case TaskState::Waiting: return "waits: " + instance_.reason;
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
      case TaskState::Removed:
      case TaskState::Cancelled: return ended();
    }
    return {};
  }

  [[nodiscard]] std::string queued_run() const {
    const auto entry = snapshot_.dags.find(run_.state.header.dag);
    List earlier;
    if (entry != snapshot_.dags.end())
      for (const RunId& id : entry->second.active)
        if (id != run_.state.header.id && snapshot_.runs.at(id).state.state != RunState::Queued) earlier.add(id.str());
    if (earlier.empty()) return "the run starts at the next step";
    return "the run is queued: max_active_runs is " + std::to_string(entry->second.dag->max_active_runs) +
           ", under way is " + earlier.text();
  }

  [[nodiscard]] std::string upstream() const {
    const dag::Task& task = *run_.task(instance_.key.task);
    List pending;
    for (const TaskId& need : task.needs)
      for (auto it = run_.state.tasks.lower_bound({need, TaskKey::kUnmapped});
           it != run_.state.tasks.end() && it->first.task == need; ++it)
        if (!run::is_terminal(it->second.state))
          pending.add(quoted(it->first.str()) + " (" + std::string(run::kTaskStates.text(it->second.state)) + ")");
    if (pending.empty()) return "is decided on at the next step";
    return "waits for " + pending.text() + "; its rule is " + std::string(dag::kTriggerRules.text(task.trigger_rule));
  }

  [[nodiscard]] std::string slots() const {
    List users;
    std::size_t open = 0;
    for (const auto& [id, run] : snapshot_.runs) {
      if (run.dag->id == run_.dag->id) open += run.open_attempts.size();
      for (const AttemptId& attempt : run.open_attempts)
        if (run::slots_of(*run.task(attempt.key.task)) > 0) users.add(attempt.str());
    }
    const int used = run::slots_used(snapshot_);
    const int limit = run_.dag->max_active_tasks;
    if (limit > 0 && open >= static_cast<std::size_t>(limit))
      return "max_active_tasks of the DAG is " + std::to_string(limit) + ", all in use";
    const bool needs_slot = run_.task(instance_.key.task)->kind != dag::TaskKind::Service;
    if (!needs_slot || used < snapshot_.slots_total) return "is launched at the next step";
    return "no free slot: " + std::to_string(used) + " of " + std::to_string(snapshot_.slots_total) + " in use by " +
           users.text();
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
