#include "slipway/ml/lora.h"

#include <gtest/gtest.h>

#include "ml/support/tiny_model.h"

namespace slipway::ml {
namespace {

Lora two_pairs() {
  Lora lora(3);
  lora.add(2, Linear::Down, {40, 96}, 4, 1.5F);
  lora.add(1, Linear::V, {32, 40}, 2, 0.5F);
  return lora;
}

TEST(Lora, ListsItsTensorsInLayerAndModuleOrder) {
  auto lora = two_pairs();
  std::vector<std::string> paths;
  for (const auto& parameter : lora.parameters()) {
    paths.push_back(parameter.path);
    EXPECT_EQ(static_cast<std::int64_t>(parameter.values.size()), parameter.rows * parameter.cols);
  }
  EXPECT_EQ(paths, (std::vector<std::string>{
                       "model.layers.1.self_attn.v_proj.lora_A", "model.layers.1.self_attn.v_proj.lora_B",
                       "model.layers.2.mlp.down_proj.lora_A", "model.layers.2.mlp.down_proj.lora_B"}));
  EXPECT_EQ(lora.parameter_count(), 2 * 40 + 32 * 2 + 4 * 96 + 40 * 4);
  EXPECT_EQ(lora.lowest_layer(), 1);
  EXPECT_EQ(Lora(3).lowest_layer(), 3);
}

TEST(Lora, ZerosAndClonesShareNothing) {
  auto lora = two_pairs();
  lora.dropout = 0.25F;
  lora.fill(3);
  auto copy = lora.clone();
  const auto zeros = lora.zeros_like();
  copy.fill(4);
  EXPECT_EQ(lora.find(1, Linear::V)->a.row(0)[0], 3);
  EXPECT_EQ(zeros.find(1, Linear::V)->a.row(0)[0], 0);
  EXPECT_EQ(zeros.find(2, Linear::Down)->scale, 1.5F);
  EXPECT_EQ(zeros.find(2, Linear::Up), nullptr);
  EXPECT_EQ(zeros.dropout, 0.25F);
  EXPECT_EQ(copy.dropout, 0.25F);
}

TEST(Lora, FitsOnlyItsModel) {
  EXPECT_TRUE(check_fits(two_pairs(), testing::tiny_gemma2()));
  EXPECT_TRUE(check_fits(Lora(3), testing::tiny_gemma2()));
  EXPECT_EQ(check_fits(two_pairs(), testing::tiny_llama()).error().message, "the adapter has 3 layers, the model 2");
  auto wider = testing::tiny_gemma2();
  wider.intermediate_size = 100;
  EXPECT_EQ(check_fits(two_pairs(), wider).error().message,
            "the adapter for model.layers.2.mlp.down_proj does not fit its weight of [40, 100]");
}

}  // namespace
}  // namespace slipway::ml
