#include "slipway/mlsteps/stop_signals.h"

#include <csignal>
#include <ctime>

namespace slipway::mlsteps {
namespace {

sigset_t stop_set() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  return set;
}

void unblock(const sigset_t& set) { pthread_sigmask(SIG_UNBLOCK, &set, nullptr); }

// Whoever presses Ctrl-C twice means it.
void unblock_interrupt() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  unblock(set);
}

}  // namespace

StopSignals::StopSignals() {
  const sigset_t set = stop_set();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

StopSignals::~StopSignals() { unblock(stop_set()); }

bool StopSignals::requested() {
  if (requested_) return true;
  const sigset_t set = stop_set();
  const timespec no_wait{};
  requested_ = sigtimedwait(&set, nullptr, &no_wait) > 0;
  if (requested_) unblock_interrupt();
  return requested_;
}

void StopSignals::wait() {
  const sigset_t set = stop_set();
  while (!requested_) requested_ = sigwaitinfo(&set, nullptr) > 0;
  unblock_interrupt();
}

}  // namespace slipway::mlsteps
