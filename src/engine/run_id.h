// Makes run ids: ULIDs, in order of creation.
#pragma once

#include <cstdint>

#include "slipway/base/ids.h"
#include "slipway/base/rng.h"
#include "slipway/base/time.h"

namespace slipway::engine {

// 48 bits of milliseconds, 80 random bits. Ids of one maker rise strictly, also within a millisecond and when the clock
// is set back: then the last id is counted up.
class RunIdMaker {
 public:
  explicit RunIdMaker(Rng& rng) : rng_(rng) {}

  // Later ids sort after `id`: for the newest run of the store.
  void continue_after(const RunId& id);
  [[nodiscard]] RunId next(Instant now);

 private:
  Rng& rng_;
  std::uint64_t high_ = 0;  // 48 bits of time, 16 random
  std::uint64_t low_ = 0;   // 64 random bits
};

}  // namespace slipway::engine
