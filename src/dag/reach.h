// Which tasks come before which. Most questions are about a task's near upstream, some ask ten thousand times about the
// same far one.
#pragma once

#include <map>
#include <vector>

#include "slipway/dag/dag.h"

namespace slipway::dag {

// Refers to `dag`, whose downstream lists and order must be made. Not thread-safe: it remembers answers.
class Reach {
 public:
  explicit Reach(const Dag& dag);

  // Whether `task` waits, directly or through others, for `other`. Where there are cycles, every task in one comes
  // before itself.
  [[nodiscard]] bool is_upstream(int other, int task);

 private:
  [[nodiscard]] const std::vector<bool>& below(int task);

  const Dag& dag_;
  std::vector<std::vector<int>> upstream_;
  std::map<int, std::vector<bool>> below_;  // all tasks that wait for the key
};

}  // namespace slipway::dag
