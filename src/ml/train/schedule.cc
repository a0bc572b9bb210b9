#include "ml/train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "slipway/base/assert.h"

namespace slipway::ml {
namespace {

constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

}  // namespace

StepPlan plan_steps(const TrainSettings& settings, std::int64_t samples) {
  SLIPWAY_ASSERT(samples > 0 && settings.batch_size > 0 && settings.accumulation > 0);
  StepPlan plan;
  plan.samples = samples;
  plan.samples_per_step = std::int64_t{settings.batch_size} * settings.accumulation;
  plan.carry_leftover = settings.compat == Compat::Hf;
  const std::int64_t micro_batches = ceil_div(samples, settings.batch_size);
  plan.steps_per_epoch = plan.carry_leftover ? std::max<std::int64_t>(1, micro_batches / settings.accumulation)
                                             : ceil_div(micro_batches, settings.accumulation);
  const auto by_epochs = std::ceil(settings.epochs * static_cast<double>(plan.steps_per_epoch));
  plan.steps = settings.max_steps > 0 ? settings.max_steps : static_cast<std::int64_t>(by_epochs);
  plan.warmup_steps =
      settings.warmup_steps > 0
          ? settings.warmup_steps
          : static_cast<std::int64_t>(std::ceil(static_cast<double>(plan.steps) * settings.warmup_ratio));
  return plan;
}

double learning_rate_factor(LrSchedule schedule, std::int64_t k, const StepPlan& plan) {
  const auto at = static_cast<double>(k);
  const auto warmup = static_cast<double>(plan.warmup_steps);
  if (k < plan.warmup_steps) return at / std::max(1.0, warmup);
  const double rest = std::max(1.0, static_cast<double>(plan.steps) - warmup);
  switch (schedule) {
    case LrSchedule::Cosine: return std::max(0.0, 0.5 * (1.0 + std::cos(std::numbers::pi * (at - warmup) / rest)));
    case LrSchedule::Linear: return std::max(0.0, (static_cast<double>(plan.steps) - at) / rest);
    case LrSchedule::Constant: return 1.0;
  }
  return 1.0;
}

}  // namespace slipway::ml
