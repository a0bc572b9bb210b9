// The earliest of several instants.
#pragma once

#include <optional>

#include "slipway/base/time.h"

namespace slipway::sched {

inline void wake_by(std::optional<Instant>& wake_at, Instant instant) {
  if (!wake_at || instant < *wake_at) wake_at = instant;
}

}  // namespace slipway::sched
