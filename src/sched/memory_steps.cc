// `on_oom`: how much memory the next attempt gets, from what is recorded of the last one.
#include <algorithm>
#include <cmath>

#include "slipway/sched/planner.h"

namespace slipway::sched {

std::int64_t memory_of(const run::Attempt& attempt) {
  const Value* resources = attempt.rendered.find("resources");
  return resources == nullptr ? 0 : resources->get_int("memory");
}

bool has_memory_step(const dag::Task& task, const run::Attempt& attempt) {
  return task.on_oom && memory_of(attempt) > 0 && memory_of(attempt) < task.on_oom->max_bytes;
}

int memory_steps_done(const dag::Task& task, const run::Attempt& attempt) {
  const double grown = static_cast<double>(memory_of(attempt)) / static_cast<double>(task.resources.memory_bytes);
  return grown <= 1 ? 0 : static_cast<int>(std::ceil(std::log(grown) / std::log(task.on_oom->factor) - 1e-9));
}

std::int64_t next_memory(const dag::Task& task, const run::Run& run, const TaskKey& key) {
  const run::Attempt* last = run.last_attempt(key);
  const std::int64_t first = task.resources.memory_bytes;
  if (last == nullptr || first == 0 || last->generation != run.tasks.at(key).generation) return first;
  const std::int64_t before = std::max(first, memory_of(*last));
  if (last->failure != run::FailureClass::Oom || !has_memory_step(task, *last)) return before;
  const double more = std::ceil(static_cast<double>(before) * task.on_oom->factor);
  return more >= static_cast<double>(task.on_oom->max_bytes) ? task.on_oom->max_bytes : static_cast<std::int64_t>(more);
}

}  // namespace slipway::sched
