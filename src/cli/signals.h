// Ctrl-C and TERM as values: the signals are blocked and waited for, so no handler runs and nothing global is written.
#pragma once

#include <csignal>
#include <optional>

#include "slipway/base/time.h"

namespace slipway::cli {

// Blocks SIGINT and SIGTERM in the calling thread and in threads it starts later; make it before any thread. Restores
// on destruction.
class SignalWaiter {
 public:
  SignalWaiter();
  ~SignalWaiter();
  SignalWaiter(const SignalWaiter&) = delete;

  // The signal that came within `limit`, or nullopt.
  [[nodiscard]] std::optional<int> wait(Duration limit) const;
  // Blocks until one comes.
  [[nodiscard]] int wait() const;

 private:
  sigset_t mask_{};
  sigset_t before_{};
};

}  // namespace slipway::cli
