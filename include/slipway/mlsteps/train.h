// `slipway train`: a model folder and a JSONL file in, an adapter, checkpoints and a merged model out.
#pragma once

#include <string>
#include <vector>

#include "slipway/ml/dataset.h"
#include "slipway/ml/trainer.h"
#include "slipway/mlsteps/step.h"

namespace slipway::mlsteps {

// Names and defaults follow TRL, PEFT and TrainingArguments; the command line has the same with dashes.
struct TrainOptions {
  std::string model;      // folder, or ORGANISATION/NAME of a hub (hf://); this and the three below also file://, gs://
  std::string data;       // JSONL file or folder of such
  std::string eval_data;  // the same, to measure the loss on; empty: none
  std::string output;     // folder
  std::int64_t limit = 0;    // samples of `data` that are used, the first ones; 0: all
  std::string init_adapter;  // start from this PEFT folder; its rank, alpha and targets win
  std::int64_t lora_r = 8;
  double lora_alpha = 16;
  double lora_dropout = 0.1;
  bool rslora = false;
  std::vector<std::string> target_modules = {"q_proj",    "k_proj",  "v_proj",   "o_proj",
                                             "gate_proj", "up_proj", "down_proj"};
  ml::TrainSettings settings;
  ml::DatasetRules rules;  // `compat` is that of the settings
  ml::Resume resume = ml::Resume::Auto;
  bool merge = true;         // write OUTPUT/final_model
  std::string merge_dtype;   // "bf16", "fp16", "fp32"; empty: each tensor keeps its own
  std::string upload;        // gs:// URI that gets the output folder, however the training ends; empty: none
  std::string upload_model;  // gs:// URI that gets the merged model; empty: none
  std::string mlruns;        // folder that gets the run in MLflow's layout; empty: as MLFLOW_TRACKING_URI says
  std::string experiment;    // of the tracker; empty: $MLFLOW_EXPERIMENT_NAME, $EXPERIMENT, "Default"
  std::string run_name;      // of the tracker; empty: the name of the output folder
  ml::ComputeOptions compute;
};

// The folder of this machine where the checkpoints of such a training are. The newest of an output or `upload` in a
// bucket is brought there, as run_train does by itself: for who wants to know its kernel before.
[[nodiscard]] Result<std::string> checkpoint_folder(const TrainOptions& options, const StepIo& io);

// Outputs: {"model", "adapter", "loss", "eval_loss", "tokens_per_second", "steps", "samples",
// "samples_without_labels"}. Exit codes: 0, 2, 3, 65, 70, 75. `io.stop_requested` ends it with a checkpoint and 75.
[[nodiscard]] int run_train(const TrainOptions& options, const StepIo& io);

}  // namespace slipway::mlsteps
