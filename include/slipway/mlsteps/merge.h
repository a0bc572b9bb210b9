// `slipway merge`: a base model and an adapter in, a complete model folder out.
#pragma once

#include <string>

#include "slipway/mlsteps/step.h"

namespace slipway::mlsteps {

struct MergeStepOptions {
  std::string model;    // folder
  std::string adapter;  // PEFT folder
  std::string output;   // folder; must not be the model's
  std::string dtype;    // bf16, fp16, fp32; empty: each tensor keeps its own
};

// Outputs: {"model", "tensors", "merged", "delta_max"}.
[[nodiscard]] int run_merge(const MergeStepOptions& options, const StepIo& io);

}  // namespace slipway::mlsteps
