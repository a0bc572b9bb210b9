#include "cli/signals.h"

#include <pthread.h>

#include <cerrno>

namespace slipway::cli {

SignalWaiter::SignalWaiter() {
  sigemptyset(&mask_);
  sigaddset(&mask_, SIGINT);
  sigaddset(&mask_, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &mask_, &before_);
}

SignalWaiter::~SignalWaiter() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

std::optional<int> SignalWaiter::wait(Duration limit) const {
  const timespec spec{limit.count() / 1'000'000, (limit.count() % 1'000'000) * 1'000};
  const int number = sigtimedwait(&mask_, nullptr, &spec);
  return number > 0 ? std::optional<int>(number) : std::nullopt;
}

int SignalWaiter::wait() const {
  int number = 0;
  while (sigwait(&mask_, &number) != 0) {
  }
  return number;
}

}  // namespace slipway::cli
