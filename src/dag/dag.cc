#include "slipway/dag/dag.h"

namespace slipway::dag {

int Dag::index_of(const TaskId& task) const {
  const auto found = index.find(task);
  return found == index.end() ? -1 : found->second;
}

const Task* Dag::find(const TaskId& task) const {
  const int at = index_of(task);
  return at < 0 ? nullptr : &tasks[static_cast<std::size_t>(at)];
}

}  // namespace slipway::dag
