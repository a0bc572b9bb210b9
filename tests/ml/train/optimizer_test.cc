#include "ml/train/optimizer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace slipway::ml {
namespace {

std::vector<LoraParameter> parameters_of(std::vector<std::vector<float>>& tensors) {
  std::vector<LoraParameter> all;
  for (auto& tensor : tensors) all.push_back({.path = "p", .values = tensor, .rows = 1, .cols = std::ssize(tensor)});
  return all;
}

TEST(Clip, NormIsOverAllTensors) {
  std::vector<std::vector<float>> tensors{{3.0F, 0.0F}, {4.0F}};
  const auto gradients = parameters_of(tensors);
  EXPECT_DOUBLE_EQ(gradient_norm(gradients), 5.0);
}

TEST(Clip, ScalesOnlyDown) {
  std::vector<std::vector<float>> tensors{{3.0F, 0.0F}, {4.0F}};
  const auto gradients = parameters_of(tensors);
  clip_gradients(gradients, 5.0, 10.0);
  EXPECT_EQ(tensors[1][0], 4.0F) << "below the limit";
  clip_gradients(gradients, 5.0, 0.0);
  EXPECT_EQ(tensors[1][0], 4.0F) << "0 is no limit";
  clip_gradients(gradients, 5.0, 0.5);
  EXPECT_NEAR(tensors[0][0], 0.3, 1e-6);
  EXPECT_NEAR(tensors[1][0], 0.4, 1e-6);
}

TEST(Clip, NormShowsEveryNonFinite) {
  std::vector<std::vector<float>> tensors{{0.0F}, {std::numeric_limits<float>::quiet_NaN()}};
  EXPECT_FALSE(std::isfinite(gradient_norm(parameters_of(tensors))));
  tensors[1][0] = std::numeric_limits<float>::infinity();
  EXPECT_FALSE(std::isfinite(gradient_norm(parameters_of(tensors))));
}

// By hand, lr 0.1, decay 0.1, gradients 0.5 then -0.25:
//   t = 1: p = 0.99 - 1·0.05/0.5 = 0.89;  t = 2: m = 0.02, v = 0.00031225, p = 0.8811 - 0.5263·0.0506.
TEST(AdamW, TwoStepsByHand) {
  std::vector<std::vector<float>> values{{1.0F}};
  std::vector<std::vector<float>> slopes{{0.5F}};
  const auto parameters = parameters_of(values);
  const auto gradients = parameters_of(slopes);
  AdamW optimizer({.weight_decay = 0.1}, parameters);
  optimizer.step(parameters, gradients, 0.1);
  EXPECT_NEAR(values[0][0], 0.89, 1e-6);
  slopes[0][0] = -0.25F;
  optimizer.step(parameters, gradients, 0.1);
  EXPECT_NEAR(values[0][0], 0.8544664, 1e-6);
  EXPECT_NEAR(optimizer.moments()[0].first[0], 0.02, 1e-8);
  EXPECT_NEAR(optimizer.moments()[0].second[0], 0.00031225, 1e-9);
  EXPECT_EQ(optimizer.steps(), 2);
}

TEST(AdamW, DecaysBeforeTheMove) {
  std::vector<std::vector<float>> values{{2.0F}};
  std::vector<std::vector<float>> slopes{{0.0F}};
  const auto parameters = parameters_of(values);
  AdamW optimizer({.weight_decay = 0.5}, parameters);
  optimizer.step(parameters, parameters_of(slopes), 0.1);
  EXPECT_FLOAT_EQ(values[0][0], 1.9F) << "no gradient: only the decay acts";
}

TEST(AdamW, RateZeroChangesNothingButTheMoments) {
  std::vector<std::vector<float>> values{{2.0F}};
  std::vector<std::vector<float>> slopes{{1.0F}};
  const auto parameters = parameters_of(values);
  AdamW optimizer({.weight_decay = 0.5}, parameters);
  optimizer.step(parameters, parameters_of(slopes), 0.0);
  EXPECT_EQ(values[0][0], 2.0F);
  EXPECT_FLOAT_EQ(optimizer.moments()[0].first[0], 0.1F);
}

}  // namespace
}  // namespace slipway::ml
