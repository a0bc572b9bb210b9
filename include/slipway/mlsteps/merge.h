// `slipway merge`: a base model and an adapter in, a complete model folder out.
#pragma once

#include <optional>
#include <string>

#include "slipway/ml/tensor.h"
#include "slipway/mlsteps/step.h"

namespace slipway::mlsteps {

struct MergeStepOptions {
  std::string model;    // folder
  std::string adapter;  // PEFT folder
  std::string output;   // folder; must not be the model's
  std::string dtype;    // bf16, fp16, fp32; empty: each tensor keeps its own
};

// Of the name of a dtype as in MergeStepOptions; nullopt if it is empty, InvalidArgument if it is none.
[[nodiscard]] Result<std::optional<ml::Dtype>> merge_dtype(const std::string& name);

// Outputs: {"model", "tensors", "merged", "delta_max"}.
[[nodiscard]] int run_merge(const MergeStepOptions& options, const StepIo& io);

}  // namespace slipway::mlsteps
