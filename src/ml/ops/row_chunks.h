// Rows shared among threads in chunks whose size depends on the width alone.
#pragma once

#include <algorithm>
#include <cstdint>

#include "slipway/ml/compute.h"

namespace slipway::ml {

inline constexpr std::int64_t kChunkElements = 1 << 14;

// Calls body(row) for every row in [0, rows).
template <class Body>
void for_each_row(Compute& compute, std::int64_t rows, std::int64_t cols, Body body) {
  const std::int64_t chunk = std::max<std::int64_t>(1, kChunkElements / std::max<std::int64_t>(1, cols));
  compute.parallel((rows + chunk - 1) / chunk, [&](std::int64_t index, Arena&) {
    const std::int64_t last = std::min(rows, (index + 1) * chunk);
    for (std::int64_t row = index * chunk; row < last; ++row) body(row);
  });
}

}  // namespace slipway::ml
