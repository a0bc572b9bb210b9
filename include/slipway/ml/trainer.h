// LoRA fine-tuning of a decoder: settings, the training loop and what it reports. Semantics are those of transformers
// 4.46.1 + peft 0.13.2 + trl 0.11.4 where `compat` says hf; elsewhere their traps are fixed (docs/trainer.md lists
// both).
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "slipway/base/enum_table.h"
#include "slipway/base/result.h"
#include "slipway/base/time.h"
#include "slipway/base/value.h"
#include "slipway/ml/adapter_folder.h"
#include "slipway/ml/compute.h"
#include "slipway/ml/dataset.h"
#include "slipway/ml/lora.h"
#include "slipway/ml/model.h"

namespace slipway::ml {

enum class LrSchedule : std::uint8_t { Cosine, Linear, Constant };
inline constexpr EnumTable<LrSchedule, 3> kLrSchedules{{{
    {LrSchedule::Cosine, "cosine", "half a cosine from the peak to zero, after a linear warm-up"},
    {LrSchedule::Linear, "linear", "a straight line from the peak to zero, after a linear warm-up"},
    {LrSchedule::Constant, "constant", "the peak throughout, after a linear warm-up"},
}}};

struct TrainSettings {
  double epochs = 1;
  std::int64_t max_steps = 0;  // optimizer steps; > 0 overrides epochs
  int batch_size = 1;          // samples per micro-batch
  int accumulation = 1;        // micro-batches per optimizer step
  double learning_rate = 2e-4;
  LrSchedule schedule = LrSchedule::Cosine;
  double warmup_ratio = 0.03;
  std::int64_t warmup_steps = 0;  // > 0 overrides the ratio
  double weight_decay = 0.001;
  double max_grad_norm = 0.3;  // <= 0: no clipping
  bool shuffle = true;
  bool group_by_length = true;  // only with shuffle
  std::uint64_t seed = 42;      // order, dropout, adapter initialisation
  Compat compat = Compat::None;
  std::int64_t tokens_per_pass = 1024;  // samples of a step are packed into forward passes of at most this size
  std::size_t activation_bytes_max = std::numeric_limits<std::size_t>::max();  // more is computed again in backward
  std::int64_t logging_steps = 1;
  std::int64_t save_steps = 1000;  // 0: only at the end
  bool save_each_epoch = false;    // also after the last step of each epoch
  int save_total_limit = 5;        // complete checkpoints kept; 0: all
  std::int64_t eval_steps = 0;     // steps between two evaluations; 0: only after the last step
  int eval_batch_size = 1;         // under hf compatibility the mean of the means of so many samples is told
};

// One line of metrics.jsonl: the state after optimizer step `step`.
struct StepReport {
  std::int64_t step = 0;   // counts from 1
  std::int64_t steps = 0;  // of the whole training
  double epoch = 0;
  double loss = 0;               // mean over the label tokens; mean of the steps since the last report
  double grad_norm = 0;          // before clipping
  double learning_rate = 0;      // the one this step used
  double tokens_per_second = 0;  // since the last report, all tokens of the samples
  double eta_s = 0;
  std::int64_t tokens = 0;  // since the start of this process
};

// The loss on samples that are not trained on, without dropout.
struct EvalReport {
  std::int64_t step = 0;  // after which
  double epoch = 0;
  double loss = 0;  // mean over the label tokens; under hf compatibility the mean over samples of their batch's mean
  std::int64_t samples = 0;
  std::int64_t labels = 0;
  double seconds = 0;
};

enum class TrainEnd : std::uint8_t { Completed, Interrupted, NonFinite };
inline constexpr EnumTable<TrainEnd, 3> kTrainEnds{{{
    {TrainEnd::Completed, "completed", "every step was taken"},
    {TrainEnd::Interrupted, "interrupted", "asked to stop; a checkpoint of the last step was written"},
    {TrainEnd::NonFinite, "non-finite", "a loss or gradient was not finite; the adapter was not changed by that step"},
}}};

struct TrainSummary {
  TrainEnd end = TrainEnd::Completed;
  std::int64_t step = 0;  // optimizer steps taken in all, those before a resume included
  std::int64_t steps = 0;
  std::int64_t resumed_from = 0;    // 0: from the beginning
  std::optional<double> eval_loss;  // of the last evaluation
  double final_loss = 0;            // of the last step
  double mean_loss = 0;             // over the steps of this process
  double tokens_per_second = 0;     // over this process
  std::int64_t tokens = 0;
  double seconds = 0;
};

// The surroundings of a training; all are called on the caller's thread. Empty functions are not called.
struct TrainContext {
  const Clock& clock;
  std::function<bool()> stop_requested;  // asked between forward passes
  // Once, before the first step: the step of the checkpoint it goes on from, or 0; the note tells what the reader must
  // know about it ("not bit-exact: …"), or is empty.
  std::function<void(std::int64_t step, std::string_view note)> started;
  std::function<void(const StepReport&)> stepped;       // every step, with that step's own loss and rate
  std::function<void(const StepReport&)> report;        // every logging_steps, and at the last step
  std::function<void(std::int64_t step)> checkpointed;  // after a checkpoint became complete
  std::span<const Sample> evaluation;                   // measured by eval_steps; empty: never
  std::function<void(const EvalReport&)> evaluated;
};

enum class Resume : std::uint8_t { Auto, Always, Never };
inline constexpr EnumTable<Resume, 3> kResumes{{{
    {Resume::Auto, "auto", "go on from the newest checkpoint of this training; those of another one are removed"},
    {Resume::Always, "always", "go on from the newest checkpoint; it is an error if it belongs to another training"},
    {Resume::Never, "never", "start over; checkpoints that are there are removed"},
}}};

// Where checkpoints go, and from which to go on.
struct CheckpointSettings {
  std::filesystem::path folder;         // checkpoint-N/ are made below it; it exists
  Resume resume = Resume::Auto;         // without a complete checkpoint all of them start at the beginning
  Value fingerprint = Value::Object{};  // what must be equal for a resume to be the same training
  AdapterConfig config;                 // written beside each adapter
};

// Trains `lora` in place on `samples` (at least one). Deterministic: the result is a function of model, samples,
// adapter, settings and kernel, whatever the number of threads and however often it was interrupted and resumed.
// Errors: Conflict if the checkpoint to resume from belongs to another training; Corrupt, Io.
[[nodiscard]] Result<TrainSummary> train(const Model& model, Compute& compute, Lora& lora,
                                         const std::vector<Sample>& samples, const TrainSettings& settings,
                                         const CheckpointSettings& checkpoints, const TrainContext& context);

// Compute::kernel_id() of the newest complete checkpoint below `folder`; "" if there is none.
[[nodiscard]] std::string checkpoint_kernel(const std::filesystem::path& folder);

// Fresh adapter values as peft 0.13.2 draws them: A uniform in ±1/sqrt(in), rounded to bf16; B zero. Drawn from `seed`
// in the order of lora.parameters().
void initialise(Lora& lora, std::uint64_t seed);

}  // namespace slipway::ml
