#include "ml/train/schedule.h"

#include <gtest/gtest.h>

#include "ml/train/order.h"

namespace slipway::ml {
namespace {

struct PlanRow {
  std::int64_t samples;
  double epochs;
  int batch, accumulation;
  std::int64_t max_steps;
  Compat compat;
  std::int64_t per_epoch, steps, warmup;
};

class PlanTest : public testing::TestWithParam<PlanRow> {};

TEST_P(PlanTest, CountsSteps) {
  const PlanRow& row = GetParam();
  TrainSettings settings;
  settings.epochs = row.epochs;
  settings.batch_size = row.batch;
  settings.accumulation = row.accumulation;
  settings.max_steps = row.max_steps;
  settings.compat = row.compat;
  const StepPlan plan = plan_steps(settings, row.samples);
  EXPECT_EQ(plan.steps_per_epoch, row.per_epoch);
  EXPECT_EQ(plan.steps, row.steps);
  EXPECT_EQ(plan.warmup_steps, row.warmup);
}

INSTANTIATE_TEST_SUITE_P(Rows, PlanTest,
                         testing::Values(PlanRow{1000, 1, 1, 1, 0, Compat::Hf, 1000, 1000, 30},
                                         PlanRow{500, 1, 1, 1, 0, Compat::None, 500, 500, 15},
                                         PlanRow{48, 2, 1, 4, 20, Compat::Hf, 12, 20, 1},
                                         PlanRow{10, 3, 1, 4, 0, Compat::Hf, 2, 6, 1},    // floor: 2 left over
                                         PlanRow{10, 3, 1, 4, 0, Compat::None, 3, 9, 1},  // ceil: a short third step
                                         PlanRow{3, 1, 1, 8, 0, Compat::Hf, 1, 1, 1},     // at least one
                                         PlanRow{10, 0.5, 3, 2, 0, Compat::None, 2, 1, 1}));

TEST(Schedule, CosineAfterWarmup) {
  const StepPlan plan{.steps = 12, .warmup_steps = 2};
  EXPECT_DOUBLE_EQ(learning_rate_factor(LrSchedule::Cosine, 0, plan), 0.0);
  EXPECT_DOUBLE_EQ(learning_rate_factor(LrSchedule::Cosine, 1, plan), 0.5);
  EXPECT_DOUBLE_EQ(learning_rate_factor(LrSchedule::Cosine, 2, plan), 1.0);
  EXPECT_NEAR(learning_rate_factor(LrSchedule::Cosine, 3, plan), 0.9755282581475768, 1e-15);  // ½(1 + cos 18°)
  EXPECT_NEAR(learning_rate_factor(LrSchedule::Cosine, 7, plan), 0.5, 1e-15);
  EXPECT_NEAR(learning_rate_factor(LrSchedule::Cosine, 12, plan), 0.0, 1e-15);
}

TEST(Schedule, LinearAndConstant) {
  const StepPlan plan{.steps = 10, .warmup_steps = 2};
  EXPECT_DOUBLE_EQ(learning_rate_factor(LrSchedule::Linear, 6, plan), 0.5);
  EXPECT_DOUBLE_EQ(learning_rate_factor(LrSchedule::Linear, 10, plan), 0.0);
  EXPECT_DOUBLE_EQ(learning_rate_factor(LrSchedule::Constant, 1, plan), 0.5);
  EXPECT_DOUBLE_EQ(learning_rate_factor(LrSchedule::Constant, 9, plan), 1.0);
}

std::vector<std::uint32_t> visited(const std::vector<std::uint32_t>& lengths, const TrainSettings& settings) {
  const StepPlan plan = plan_steps(settings, std::ssize(lengths));
  StepOrder order(lengths, settings, plan);
  std::vector<std::uint32_t> all;
  for (std::int64_t k = 0; k < plan.steps; ++k)
    for (const auto index : order.samples(k)) all.push_back(index);
  return all;
}

TEST(Order, FileOrderWithoutShuffle) {
  TrainSettings settings;
  settings.shuffle = false;
  settings.accumulation = 4;
  settings.epochs = 2;
  const std::vector<std::uint32_t> lengths(6, 1);
  using Indexes = std::vector<std::uint32_t>;
  EXPECT_EQ(visited(lengths, settings), (Indexes{0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5})) << "short last step";
  settings.compat = Compat::Hf;
  EXPECT_EQ(visited(lengths, settings), (Indexes{0, 1, 2, 3, 4, 5, 0, 1})) << "leftovers carried";
}

TEST(Order, IsAPermutationThatDependsOnSeedAndEpoch) {
  std::vector<std::uint32_t> lengths(100);
  for (std::uint32_t i = 0; i < 100; ++i) lengths[i] = i % 17;
  TrainSettings settings;
  for (const bool grouped : {false, true}) {
    settings.group_by_length = grouped;
    settings.seed = 1;
    const auto first = epoch_order(lengths, settings, 0);
    EXPECT_EQ(first, epoch_order(lengths, settings, 0));
    EXPECT_NE(first, epoch_order(lengths, settings, 1));
    settings.seed = 2;
    EXPECT_NE(first, epoch_order(lengths, settings, 0));
    auto sorted = first;
    std::sort(sorted.begin(), sorted.end());
    for (std::uint32_t i = 0; i < 100; ++i) EXPECT_EQ(sorted[i], i);
  }
}

// 100 samples, 4 per step: chunks of min(100 / 16, 50) = 6 steps = 24 samples, each falling but for the one swap that
// brings the longest to the front.
TEST(Order, GroupsByLength) {
  std::vector<std::uint32_t> lengths(100);
  for (std::uint32_t i = 0; i < 100; ++i) lengths[i] = (i * 37) % 101;
  TrainSettings settings;
  settings.accumulation = 4;
  const auto order = epoch_order(lengths, settings, 0);
  EXPECT_EQ(lengths[order[0]], *std::max_element(lengths.begin(), lengths.end()));
  int rises = 0;
  for (std::size_t i = 1; i < order.size(); ++i)
    if (i % 24 != 0 && lengths[order[i]] > lengths[order[i - 1]]) ++rises;
  EXPECT_LE(rises, 1);
}

TEST(Order, AnyStepCanBeAskedFirst) {
  TrainSettings settings;
  settings.accumulation = 3;
  settings.epochs = 4;
  const std::vector<std::uint32_t> lengths(11, 5);
  const StepPlan plan = plan_steps(settings, 11);
  StepOrder forward(lengths, settings, plan);
  std::vector<std::vector<std::uint32_t>> wanted;
  for (std::int64_t k = 0; k < plan.steps; ++k) wanted.push_back(forward.samples(k));
  for (std::int64_t k = plan.steps; k-- > 0;) {
    StepOrder fresh(lengths, settings, plan);
    EXPECT_EQ(fresh.samples(k), wanted[static_cast<std::size_t>(k)]) << k;
  }
}

}  // namespace
}  // namespace slipway::ml
