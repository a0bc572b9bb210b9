// Carries notices to their targets on a thread of its own, trying again with growing pauses.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "slipway/base/log.h"
#include "slipway/base/time.h"
#include "slipway/notify/notifier.h"

namespace slipway::notify {

// The pause after the n-th failed try (n from 1): 5 s, doubling, at most an hour.
[[nodiscard]] Duration pause_after(int tries);
// A notice is given up on when it is this old.
inline constexpr Duration kGiveUpAfter = std::chrono::hours(24);

// What became of a notice. An error is the last one seen.
struct Outcome {
  std::string id;
  Result<void> result;
  int tries = 0;
};

class Courier {
 public:
  // Looked up at every try, so that a secret may be changed meanwhile. An error other than Unavailable is final.
  using FindTarget = std::function<Result<Target>(const std::string& name)>;
  // Both functions are called on the courier's thread, `done` once for every notice that was delivered or given up on.
  // All references must outlive the courier.
  Courier(FindTarget find_target, Notifier& notifier, const Clock& clock, Logger log,
          std::function<void(Outcome)> done);
  // Leaves what is not delivered; whoever stores the notices hands them over again.
  ~Courier();
  Courier(const Courier&) = delete;
  Courier& operator=(const Courier&) = delete;

  // Any thread. A notice that is on its way already is ignored.
  void deliver(run::Notice notice);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace slipway::notify
