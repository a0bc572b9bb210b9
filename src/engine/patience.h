// What may lie in the engine's queue for a moment, so that it shares a step and a commit with what comes next: ADR 3.
#pragma once

#include <set>

#include "slipway/base/time.h"
#include "slipway/exec/executor.h"

namespace slipway::engine {

enum class Haste : unsigned char {
  Start,   // nothing is decided by it, and after a crash the executor tells it again
  Result,  // a good result of a run whose next attempts are launched already
  Now,
};
// `patient`: the runs for which may_be_patient() holds.
[[nodiscard]] Haste haste_of(const exec::Report& report, const std::set<RunId>& patient);

// Whether a run with so many open attempts on so many slots would not notice: what lies is not what a slot waits for.
[[nodiscard]] bool may_be_patient(std::size_t open_attempts, int slots);

// Counts what lies. Not thread-safe.
class Patience {
 public:
  void add(Haste haste);
  void clear() { *this = Patience(); }
  // How long it may lie from now on, whatever its age: zero if something is due at once, or enough came together.
  [[nodiscard]] Duration left() const;

 private:
  std::size_t results_ = 0;
  bool now_ = false;
};

}  // namespace slipway::engine
