#include "sched/run_result.h"

#include <algorithm>
#include <set>

#include "slipway/sched/outcome.h"

namespace slipway::sched {
namespace {

using dag::TriggerRule;
using run::TaskInstance;
using run::TaskState;

constexpr std::size_t kFailuresMax = 20;

bool is_bad(TaskState state) {
  return state == TaskState::Failed || state == TaskState::UpstreamFailed || state == TaskState::Cancelled;
}

// The worst that became of each task, and which failures the run may overlook.
class Conclusion {
 public:
  explicit Conclusion(const run::ActiveRun& run) : run_(run), tolerated_(run.dag->tasks.size(), false) {
    for (const int index : run.dag->order) tolerated_[at(index)] = is_tolerated(index);
    for (const auto& [key, instance] : run.state.tasks)
      if (instance.state == TaskState::Failed) failed_.insert(key.task);
  }

  [[nodiscard]] std::vector<std::string> failures() const {
    std::vector<std::string> reasons;
    for (const auto& [key, instance] : run_.state.tasks)
      if (is_bad(instance.state) && decides(index_of(key.task), instance)) reasons.push_back(describe(instance));
    if (reasons.size() > kFailuresMax) {
      const std::size_t more = reasons.size() - kFailuresMax;
      reasons.resize(kFailuresMax);
      reasons.push_back("and " + std::to_string(more) + " more");
    }
    return reasons;
  }

 private:
  static std::size_t at(int index) { return static_cast<std::size_t>(index); }
  [[nodiscard]] int index_of(const TaskId& id) const { return run_.dag->index.at(id); }

  [[nodiscard]] const dag::Task& task(int index) const { return run_.dag->tasks[at(index)]; }
  [[nodiscard]] const run::UpstreamCounts& own(int index) const { return run_.own[at(index)]; }
  [[nodiscard]] bool is_bad_task(int index) const { return own(index).failed + own(index).upstream_failed > 0; }

  // Strict: what is not tolerated fails the run; an upstream_failed task repeats what its cause says already.
  [[nodiscard]] bool decides(int index, const TaskInstance& instance) const {
    if (task(index).role != dag::TaskRole::Body || was_halted(index, instance)) return false;
    if (run_.dag->run_result == dag::RunResultRule::Leaves) return is_leaf(index);
    return !tolerated_[at(index)] && !(instance.state == TaskState::UpstreamFailed && has_bad_upstream(index));
  }

  // Cancelled because another instance failed, which is listed.
  [[nodiscard]] bool was_halted(int index, const TaskInstance& instance) const {
    return instance.state == TaskState::Cancelled && instance.key.map_index != TaskKey::kUnmapped &&
           task(index).for_each && task(index).for_each->on_failure == dag::InstanceFailure::Stop &&
           failed_.count(instance.key.task) != 0;
  }

  [[nodiscard]] bool is_leaf(int index) const {
    const auto& below = run_.dag->downstream_of(index);
    return std::none_of(below.begin(), below.end(), [&](int next) { return task(next).role == dag::TaskRole::Body; });
  }

  // One that is listed itself: a teardown is not.
  [[nodiscard]] bool has_bad_upstream(int index) const {
    const auto& needs = task(index).needs;
    return std::any_of(needs.begin(), needs.end(), [&](const TaskId& need) {
      return task(index_of(need)).role == dag::TaskRole::Body && is_bad_task(index_of(need));
    });
  }

  [[nodiscard]] bool is_tolerated(int index) const {
    if (task(index).role != dag::TaskRole::Body) return false;
    if (task(index).continue_on_error || is_consumed(index)) return true;
    return own(index).failed == 0 && inherits(task(index));
  }

  // A direct downstream task was there for this failure, and did its work.
  [[nodiscard]] bool is_consumed(int index) const {
    const auto& below = run_.dag->downstream_of(index);
    return std::any_of(below.begin(), below.end(), [&](int consumer) {
      const TriggerRule rule = task(consumer).trigger_rule;
      return (rule == TriggerRule::OneFailed || rule == TriggerRule::AllFailed) && own(consumer).success > 0;
    });
  }

  // upstream_failed is as tolerable as the failures that caused it; upstream tasks come first in the order.
  [[nodiscard]] bool inherits(const dag::Task& task) const {
    bool caused = false;
    for (const TaskId& need : task.needs) {
      const int index = index_of(need);
      if (!is_bad_task(index)) continue;
      caused = true;
      if (!tolerated_[at(index)]) return false;
    }
    return caused;
  }

  static std::string describe(const TaskInstance& instance) {
    std::string text = instance.key.str() + ": ";
    if (instance.state == TaskState::Failed && instance.failure != run::FailureClass::None)
      return text + instance.reason + " (" + std::string(run::kFailureClasses.text(instance.failure)) + ")";
    text += run::kTaskStates.text(instance.state);
    return instance.reason.empty() ? text : text + ", " + instance.reason;
  }

  const run::ActiveRun& run_;
  std::vector<bool> tolerated_;
  std::set<TaskId> failed_;  // with an instance that failed, not only was cancelled
};

}  // namespace

std::vector<std::string> failures_of(const run::ActiveRun& run) { return Conclusion(run).failures(); }

RunMove conclude(const run::ActiveRun& run) {
  using run::RunState;
  RunMove move{run.state.header.id, RunState::Success, {}};
  if (run.state.state == RunState::Cancelling) {
    const bool timed_out = run.state.cancel_cause == run::FailureClass::Timeout;
    move.to = timed_out ? RunState::Failed : RunState::Cancelled;
    if (timed_out) move.failures.push_back("the run took longer than " + to_text(run.dag->timeout) + " (timeout)");
    return move;
  }
  if (run.state.marked) {
    move.to = *run.state.marked;
    if (move.to == RunState::Failed) move.failures.push_back(run.state.mark_reason);
    return move;
  }
  move.failures = failures_of(run);
  if (!move.failures.empty()) move.to = RunState::Failed;
  return move;
}

}  // namespace slipway::sched
