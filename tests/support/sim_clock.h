// A clock that moves only when told to.
#pragma once

#include "slipway/base/time.h"

namespace slipway::test {

class SimClock final : public Clock {
 public:
  explicit SimClock(Instant start) : now_(start) {}

  [[nodiscard]] Instant now() const override { return now_; }
  [[nodiscard]] MonoInstant monotonic() const override { return MonoInstant(elapsed_); }
  [[nodiscard]] std::uint64_t boot() const override { return boot_; }

  void advance(Duration by) {
    now_ += by;
    elapsed_ += by;
  }
  void advance_to(Instant instant) {
    if (instant > now_) advance(instant - now_);
  }
  // Somebody sets the wall clock: monotonic time does not notice.
  void set_wall(Instant instant) { now_ = instant; }
  // The machine is off for a while; what counts since its start begins anew.
  void reboot(Duration off) {
    now_ += off;
    elapsed_ = Duration(0);
    ++boot_;
  }

 private:
  Instant now_;
  Duration elapsed_{1'000'000'000};
  std::uint64_t boot_ = 1;
};

}  // namespace slipway::test
