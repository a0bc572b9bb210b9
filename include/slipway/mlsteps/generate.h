// `slipway generate`: batch inference from a JSONL file to a JSONL file, or one prompt to stdout.
#pragma once

#include <string>

#include "slipway/ml/generator.h"
#include "slipway/mlsteps/step.h"

namespace slipway::mlsteps {

struct GenerateOptions {
  std::string model;    // folder
  std::string adapter;  // PEFT folder; empty: none
  // Lines {"prompt_ids": […]}, {"prompt": "…"} (tokenised with special tokens) or {"messages": […]} (by the model's
  // chat template).
  std::string input;
  std::string output;  // lines {"ids", "text", "finish_reason"}, new tokens only; several per prompt: see run_generate
  std::string prompt;  // instead of input and output: the text goes to stdout as it comes
  bool chat = false;   // `prompt` is what a user says: by the chat template
  ml::SamplingParams params;
  std::uint64_t seed = 42;
  ml::WeightForm weights = ml::WeightForm::Stored;
  ml::ComputeOptions compute;
};

// With params.n > 1 a line is {"ids", "samples"}: if max_tokens is 1, `ids` are the n draws of the next token; else
// each of `samples` is an object as above and `ids` are those of the first.
[[nodiscard]] int run_generate(const GenerateOptions& options, const StepIo& io);

}  // namespace slipway::mlsteps
