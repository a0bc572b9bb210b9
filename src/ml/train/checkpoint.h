// Checkpoints of a training:
//
//   OUTPUT/checkpoint-40/adapter_model.safetensors, adapter_config.json    the adapter, as PEFT reads it
//                        optimizer.safetensors                             exp_avg.<path>, exp_avg_sq.<path>, fp32
//                        trainer_state.json                                step, fingerprint, running sums
//                        complete                                          written last; without it the folder is
//                        ignored
//
// A checkpoint is built under a temporary name, synced, renamed, and only then marked. Whatever instant the process
// dies at, every marked folder is whole.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "ml/train/optimizer.h"
#include "slipway/ml/trainer.h"

namespace slipway::ml {

// What besides tensors a training needs to go on as if it had never stopped.
struct TrainState {
  std::int64_t step = 0;
  std::int64_t optimizer_steps = 0;
  double loss_since_report = 0;  // sum of the losses of the steps since the last report
  std::int64_t steps_since_report = 0;
  double last_loss = 0;
  std::int64_t evaluated_step = 0;  // after which the last evaluation was made
  std::optional<double> eval_loss;  // what it found
  std::string kernel_id;
};

// A state and the training it belongs to.
struct SavedState {
  TrainState state;
  Value fingerprint;
};

// Writes FOLDER/checkpoint-<step> and then removes the oldest complete ones beyond `limit` (0: none), by step number,
// never the one just written.
[[nodiscard]] Result<void> save_checkpoint(const CheckpointSettings& settings, Lora& lora, const AdamW& optimizer,
                                           const TrainState& state, int limit);

// Step of the newest complete checkpoint below `folder`, if any.
[[nodiscard]] std::optional<std::int64_t> newest_checkpoint(const std::filesystem::path& folder);

// The state of checkpoint-<step>; Corrupt if it is none.
[[nodiscard]] Result<SavedState> read_train_state(const std::filesystem::path& folder, std::int64_t step);

// The keys in which two fingerprints differ, as "`data`, `seed`"; empty if they are equal.
[[nodiscard]] std::string fingerprint_differences(const Value& a, const Value& b);

// Reads the tensors of checkpoint-<step> into `lora` and `optimizer`, which must have its shapes.
[[nodiscard]] Result<void> load_tensors(const std::filesystem::path& folder, const TrainState& state,
                                        const ModelConfig& model, Lora& lora, AdamW& optimizer);

// Removes every checkpoint below `folder`, complete or torn.
[[nodiscard]] Result<void> remove_checkpoints(const std::filesystem::path& folder);

}  // namespace slipway::ml
