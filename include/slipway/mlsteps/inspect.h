// `slipway debug logits | eval-loss | grads`: what the model computes, for comparison with other implementations.
#pragma once

#include <string>

#include "slipway/ml/compute.h"
#include "slipway/ml/dataset.h"
#include "slipway/mlsteps/step.h"

namespace slipway::mlsteps {

struct InspectOptions {
  std::string model;    // folder
  std::string adapter;  // PEFT folder; empty: none (needed for gradients)
  std::string input;    // logits: lines {"prompt_ids"}; else lines as for training
  std::string output;
  ml::DatasetRules rules;
  ml::ComputeOptions compute;
};

// A safetensors file with logits_<line> [T, V] fp32, all positions.
[[nodiscard]] int run_logits(const InspectOptions& options, const StepIo& io);
// Lines {"loss_sum", "labels", "tokens"}, one per line of the input.
[[nodiscard]] int run_eval_loss(const InspectOptions& options, const StepIo& io);
// A safetensors file with PEFT's names: the gradient of sum(loss) / sum(labels) over all lines.
[[nodiscard]] int run_gradients(const InspectOptions& options, const StepIo& io);

}  // namespace slipway::mlsteps
