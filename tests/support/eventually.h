// Waiting for what happens on other threads, without a sleep of a fixed length.
#pragma once

#include <poll.h>

#include <chrono>

#include "slipway/base/time.h"

namespace slipway::test {

// How long a test waits for what must come: so long that a loaded machine does not fail it.
inline constexpr auto kPatience = std::chrono::seconds(30);

// Until `holds` does, asked every few milliseconds; false if it never does.
template <class Condition>
bool eventually(Condition holds) {
  const SystemClock clock;
  for (const auto deadline = clock.monotonic() + kPatience; clock.monotonic() < deadline; ::poll(nullptr, 0, 2))
    if (holds()) return true;
  return false;
}

}  // namespace slipway::test
