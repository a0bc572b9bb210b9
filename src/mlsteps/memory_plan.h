// Whether a training fits the memory, and how much of it activations may take.
#pragma once

#include <cstddef>
#include <string>

#include "slipway/base/result.h"

namespace slipway::mlsteps {

struct MemoryNeed {
  std::size_t weights = 0;            // bytes, mapped: read again from disk if they do not stay
  std::size_t adapter = 0;            // bytes: values, gradients, two moments
  std::size_t logits = 0;             // bytes of one block of them
  std::size_t activations = 0;        // bytes to keep everything for backward
  std::size_t activations_least = 0;  // bytes if every layer is computed again: one layer's
};

struct MemoryPlan {
  std::size_t activation_bytes_max = 0;  // layers beyond it are computed again in backward
  std::string summary;                   // one line for people
};

// TooLarge, with what would fit, if not even the least does.
[[nodiscard]] Result<MemoryPlan> plan_memory(const MemoryNeed& need, std::size_t usable);

}  // namespace slipway::mlsteps
