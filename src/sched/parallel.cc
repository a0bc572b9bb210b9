#include "sched/parallel.h"

namespace slipway::sched {
namespace {

// No id begins with a bracket.
std::string group_name(const dag::Group& group) { return "[" + group.id; }

bool is_limited(const dag::Task& task) {
  return !task.groups.empty() || (task.for_each && task.for_each->max_parallel > 0);
}

}  // namespace

int ParallelLimits::started(const run::ActiveRun& run, const std::string& what) const {
  const auto found = started_.find({run.state.header.id, what});
  return found == started_.end() ? 0 : found->second;
}

bool ParallelLimits::admits(const run::ActiveRun& run, const TaskId& id) const {
  const auto index = static_cast<std::size_t>(run.dag->index.at(id));
  const dag::Task& task = run.dag->tasks[index];
  if (plan_.halted.count({run.state.header.id, id}) != 0) return false;
  if (!is_limited(task)) return true;
  if (task.for_each && task.for_each->max_parallel > 0 &&
      run.active[index] + started(run, id.str()) >= task.for_each->max_parallel)
    return false;
  for (const int at : task.groups) {
    const dag::Group& group = run.dag->groups[static_cast<std::size_t>(at)];
    if (run.group_active[static_cast<std::size_t>(at)] + started(run, group_name(group)) >= group.max_parallel)
      return false;
  }
  return true;
}

void ParallelLimits::launched(const run::ActiveRun& run, const TaskId& id) {
  const dag::Task& task = *run.task(id);
  if (!is_limited(task)) return;
  ++started_[{run.state.header.id, id.str()}];
  for (const int at : task.groups)
    ++started_[{run.state.header.id, group_name(run.dag->groups[static_cast<std::size_t>(at)])}];
}

std::string used_up(const run::ActiveRun& run, const dag::Task& task) {
  const auto index = static_cast<std::size_t>(run.dag->index.at(task.id));
  const auto text = [](const std::string& of, int limit) {
    return "max_parallel of " + of + " is " + std::to_string(limit) + ", all in use";
  };
  if (task.for_each && task.for_each->max_parallel > 0 && run.active[index] >= task.for_each->max_parallel)
    return text("the fan-out", task.for_each->max_parallel);
  for (const int at : task.groups) {
    const dag::Group& group = run.dag->groups[static_cast<std::size_t>(at)];
    if (run.group_active[static_cast<std::size_t>(at)] >= group.max_parallel)
      return text("group `" + group.id + "`", group.max_parallel);
  }
  return {};
}

}  // namespace slipway::sched
