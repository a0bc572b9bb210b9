// `slipway evaluate`: how often a model gives the right answer, and how often its base did.
#pragma once

#include <string>
#include <vector>

#include "slipway/ml/compute.h"
#include "slipway/mlsteps/step.h"

namespace slipway::mlsteps {

struct EvaluateOptions {
  std::string model;     // folder
  std::string adapter;   // PEFT folder; empty: none
  std::string baseline;  // folder of a model to compare with; empty: none
  std::string data;      // JSONL as for training
  // Ends the prompt in a `text` line; what follows is the right answer. Prompt and completion need none.
  std::string answer_marker = "Answer:";
  // The answers that exist. Given, the model's answer is the one its text begins with; else its whole first line.
  std::vector<std::string> labels;
  double accuracy_min = 0;  // below it the exit code is 1
  int max_new_tokens = 32;
  ml::ComputeOptions compute;
};

// Greedy decoding. Prints and leaves as outputs {"accuracy", "accuracy_before" (with a baseline), "examples"}.
[[nodiscard]] int run_evaluate(const EvaluateOptions& options, const StepIo& io);

}  // namespace slipway::mlsteps
