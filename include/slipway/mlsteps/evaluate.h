// `slipway evaluate`: how often a model gives the right answer, how well it expects it, and what its base did.
#pragma once

#include <string>
#include <vector>

#include "slipway/base/enum_table.h"
#include "slipway/ml/model.h"
#include "slipway/mlsteps/step.h"

namespace slipway::mlsteps {

enum class EvaluateMetric : std::uint8_t { Accuracy, Perplexity, All };
inline constexpr EnumTable<EvaluateMetric, 3> kEvaluateMetrics{{{
    {EvaluateMetric::Accuracy, "accuracy", "share of prompts that the model continues by the right answer"},
    {EvaluateMetric::Perplexity, "perplexity", "exp of the mean loss per token of the answers"},
    {EvaluateMetric::All, "all", "both"},
}}};

struct EvaluateOptions {
  std::string model;     // folder
  std::string adapter;   // PEFT folder; empty: none
  std::string baseline;  // folder of a model to compare with; empty: none
  std::string data;      // JSONL as for training
  // Ends the prompt in a `text` line; what follows is the right answer. Other lines need none, and for perplexity a
  // line without it counts whole.
  std::string answer_marker = "Answer:";
  // The answers that exist. Given, the model's answer is the one its text begins with; else its whole text must be
  // right, of which only the first line counts if the right answer has one line.
  std::vector<std::string> labels;
  EvaluateMetric metric = EvaluateMetric::Accuracy;
  std::string output;       // JSONL {"prompt", "answer", "generated", "correct"}; empty: none
  double accuracy_min = 0;  // below it the exit code is 1
  int max_new_tokens = 32;
  ml::WeightForm weights = ml::WeightForm::Stored;
  ml::ComputeOptions compute;
};

// Greedy decoding. Prints and leaves as outputs {"examples"} and, by metric, {"accuracy"} and {"loss", "perplexity",
// "tokens"}; with a baseline also "accuracy_before", "perplexity_before".
[[nodiscard]] int run_evaluate(const EvaluateOptions& options, const StepIo& io);

}  // namespace slipway::mlsteps
