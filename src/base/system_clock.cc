#include <sys/random.h>
#include <time.h>

#include <fstream>

#include "slipway/base/assert.h"
#include "slipway/base/rng.h"
#include "slipway/base/time.h"

namespace slipway {
namespace {

Duration read(clockid_t id) {
  timespec spec{};
  SLIPWAY_ASSERT(clock_gettime(id, &spec) == 0);
  return std::chrono::duration_cast<Duration>(std::chrono::seconds(spec.tv_sec) +
                                              std::chrono::nanoseconds(spec.tv_nsec));
}

}  // namespace

Instant SystemClock::now() const { return Instant(read(CLOCK_REALTIME)); }
// BOOTTIME counts while the machine sleeps, so a deadline means the same on a laptop.
MonoInstant SystemClock::monotonic() const { return MonoInstant(read(CLOCK_BOOTTIME)); }

std::uint64_t SystemClock::boot() const {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  std::getline(file, id);
  return stable_hash(id);
}

std::uint64_t entropy() {
  std::uint64_t bits = 0;
  SLIPWAY_ASSERT(getrandom(&bits, sizeof bits, 0) == static_cast<ssize_t>(sizeof bits));
  return bits;
}

}  // namespace slipway
