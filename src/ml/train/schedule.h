// The learning rate of every optimizer step.
#pragma once

#include <cstdint>

#include "slipway/ml/trainer.h"

namespace slipway::ml {

// How many optimizer steps a training has, and how samples fall into them.
struct StepPlan {
  std::int64_t samples_per_step = 1;  // batch size · accumulation
  std::int64_t steps_per_epoch = 1;
  std::int64_t steps = 0;         // of the whole training
  std::int64_t warmup_steps = 0;  // of them
  // Whether an epoch's leftover samples go into the first step of the next one (transformers before 4.50) or make a
  // short last step of their own. `samples` is the length of one epoch.
  bool carry_leftover = false;
  std::int64_t samples = 0;
};

// Steps per epoch: ceil(micro-batches / accumulation), or under hf compatibility floor with at least 1, and leftovers
// carried; steps = ceil(epochs · steps per epoch) unless max_steps is set; warm-up = ceil(steps · ratio).
// transformers 4.46.1 trainer.py. `samples` > 0.
[[nodiscard]] StepPlan plan_steps(const TrainSettings& settings, std::int64_t samples);

// Factor of the learning rate for the step with index k = 0, 1, …: k / warmup while warming up, then for cosine
// ½·(1 + cos(π·(k − w)/(n − w))), for linear (n − k)/(n − w), for constant 1. transformers optimization.py.
[[nodiscard]] double learning_rate_factor(LrSchedule schedule, std::int64_t k, const StepPlan& plan);

}  // namespace slipway::ml
