// A clock that moves only when told to.
#pragma once

#include "slipway/base/time.h"

namespace slipway::test {

class SimClock final : public Clock {
 public:
  explicit SimClock(Instant start) : now_(start) {}

  [[nodiscard]] Instant now() const override { return now_; }
  [[nodiscard]] MonoInstant monotonic() const override { return MonoInstant(elapsed_); }

  void advance(Duration by) {
    now_ += by;
    elapsed_ += by;
  }
  void advance_to(Instant instant) {
    if (instant > now_) advance(instant - now_);
  }
  // Somebody sets the wall clock: monotonic time does not notice.
  void set_wall(Instant instant) { now_ = instant; }

 private:
  Instant now_;
  Duration elapsed_{1'000'000'000};
};

}  // namespace slipway::test
