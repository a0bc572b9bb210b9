// The instruction sets that this machine can run, narrowest first.
#pragma once

#include <vector>

#include "slipway/ml/compute.h"

namespace slipway::ml::testing {

inline std::vector<Isa> supported_isas() {
  std::vector<Isa> list;
  for (const auto& row : kIsas.rows())
    if (row.value <= best_isa()) list.push_back(row.value);
  return list;
}

}  // namespace slipway::ml::testing
