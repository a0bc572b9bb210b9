// max_parallel of fan-outs and groups, and what else keeps an instance that is ready from starting within its own run.
#pragma once

#include <map>
#include <string>

#include "slipway/sched/planner.h"

namespace slipway::sched {

// One round of launches. Whoever launches asks admits() first and tells launched() after; all instances of a task get
// the same answer, so one that is refused speaks for the rest of its task.
class ParallelLimits {
 public:
  // `plan` holds the moves of this round.
  explicit ParallelLimits(const Plan& plan) : plan_(plan) {}

  [[nodiscard]] bool admits(const run::ActiveRun& run, const TaskId& task) const;
  void launched(const run::ActiveRun& run, const TaskId& task);

 private:
  [[nodiscard]] int started(const run::ActiveRun& run, const std::string& what) const;

  const Plan& plan_;
  std::map<std::pair<RunId, std::string>, int> started_;  // in this round, by task and by group
};

// Which max_parallel is used up ("max_parallel of group `g` is 2, all in use"); empty: none.
[[nodiscard]] std::string used_up(const run::ActiveRun& run, const dag::Task& task);

}  // namespace slipway::sched
