#include "slipway/sched/outcome.h"

#include <algorithm>

namespace slipway::sched {

using run::ActiveRun;
using run::TaskState;
using run::UpstreamCounts;

TaskState outcome_of(const ActiveRun& run, int task) {
  const auto index = static_cast<std::size_t>(task);
  const auto placeholder = run.state.tasks.find({run.dag->tasks[index].id, TaskKey::kUnmapped});
  if (placeholder != run.state.tasks.end() && placeholder->second.state != TaskState::Removed)
    return placeholder->second.state;
  const UpstreamCounts& own = run.own[index];
  if (own.pending > 0) return TaskState::Active;
  if (own.failed > 0) return TaskState::Failed;
  if (own.upstream_failed > 0) return TaskState::UpstreamFailed;
  if (own.success > 0) return TaskState::Success;
  return own.skipped > 0 ? TaskState::Skipped : TaskState::Removed;
}

bool is_to_clean_up(const run::Run& run, const dag::Task& teardown) {
  const run::Attempt* last = run.last_attempt({teardown.id, TaskKey::kUnmapped});
  for (const TaskId& setup : teardown.setups) {
    const auto first = run.tasks.lower_bound({setup, TaskKey::kUnmapped});
    for (auto it = first; it != run.tasks.end() && it->first.task == setup; ++it) {
      if (it->second.state == TaskState::Success) return true;
      const run::Attempt* begun = run.last_attempt(it->first);
      if (begun == nullptr) continue;
      const bool now = begun->generation == it->second.generation && it->second.state != TaskState::Removed;
      if (now || last == nullptr || begun->intent_at > last->intent_at) return true;
    }
  }
  return false;
}

std::optional<UpstreamCounts> past_of(const run::Snapshot& snapshot, const ActiveRun& run, const dag::Task& task) {
  if (!task.depends_on_past || run.state.header.previous.empty()) return std::nullopt;
  const auto before = snapshot.runs.find(run.state.header.previous);
  if (before != snapshot.runs.end()) {
    const int index = before->second.dag->index_of(task.id);
    return index < 0 ? std::nullopt : std::optional(before->second.own[static_cast<std::size_t>(index)]);
  }
  const auto known = run.past.find(task.id);
  return known == run.past.end() ? std::nullopt : std::optional(known->second);
}

bool past_allows(const UpstreamCounts& past) { return past.pending + past.failed + past.upstream_failed == 0; }

}  // namespace slipway::sched
