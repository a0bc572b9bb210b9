// Whether a service's front lives, as its supervisor sees it; a dead one is started again.
#pragma once

#include <cstdint>

#include "exec/shimd/service.h"

namespace slipway::exec::shim {

struct FrontWatch {
  int process = -1;             // pidfd of the front, readable once it died
  std::int64_t look_at_ms = 0;  // boot clock; 0 = when `process` says so
};

// From the promotion of the revision on.
void begin_watch(FrontWatch& watch);
// The front has died.
void on_front_end(FrontWatch& watch);
// Looks, if it is time to: finds the front, or starts another one while this revision is the live one.
void keep_front(FrontWatch& watch, const RevisionSpec& spec);

}  // namespace slipway::exec::shim
