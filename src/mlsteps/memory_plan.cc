#include "mlsteps/memory_plan.h"

#include <fmt/format.h>

#include <algorithm>

namespace slipway::mlsteps {
namespace {

// Code, tokenizer, data, scratch memory of the threads, the files' headers.
constexpr std::size_t kRest = std::size_t{128} << 20U;

std::string mib(std::size_t bytes) { return fmt::format("{} MiB", (bytes + (1U << 20U) - 1) >> 20U); }

}  // namespace

Result<MemoryPlan> plan_memory(const MemoryNeed& need, std::size_t usable) {
  const std::size_t fixed = need.weights + need.adapter + need.logits + kRest;
  const std::size_t least = fixed + need.activations_least;
  if (usable < least)
    return Error{ErrorCode::TooLarge,
                 fmt::format("this training needs {} of memory and {} are left", mib(least), mib(usable)),
                 "give it more memory, or choose a smaller model or --max-seq-length"};
  const std::size_t kept = std::min(need.activations, usable - fixed);
  const bool recompute = kept < need.activations;
  return MemoryPlan{.activation_bytes_max = kept,
                    .summary = fmt::format("memory: weights {}, adapter {}, logits {}, activations {}{}",
                                           mib(need.weights), mib(need.adapter), mib(need.logits), mib(kept),
                                           recompute ? " (some layers are computed twice)" : "")};
}

}  // namespace slipway::mlsteps
