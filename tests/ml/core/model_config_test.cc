#include "slipway/ml/model_config.h"

#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "ml/support/tiny_model.h"

namespace slipway::ml {
namespace {

TEST(ModelConfig, TheFamiliesAreValid) {
  for (const auto& model : testing::tiny_models()) EXPECT_TRUE(validate(model.config)) << model.name;
}

struct Fault {
  const char* name;
  std::function<void(ModelConfig&)> make;
};

TEST(ModelConfig, EveryFaultIsNamed) {
  const Fault faults[] = {
      {"vocab_size", [](auto& c) { c.vocab_size = 0; }},
      {"hidden_size", [](auto& c) { c.hidden_size = std::numeric_limits<std::int64_t>::max(); }},
      {"intermediate_size", [](auto& c) { c.intermediate_size = -1; }},
      {"num_hidden_layers", [](auto& c) { c.layers = 1 << 20; }},
      {"num_key_value_heads", [](auto& c) { c.kv_heads = 3; }},
      {"head_dim", [](auto& c) { c.head_dim = 15; }},
      {"rms_norm_eps", [](auto& c) { c.norm_eps = std::numeric_limits<float>::quiet_NaN(); }},
      {"attn_logit_softcapping", [](auto& c) { c.attention_softcap = -1; }},
      {"final_logit_softcapping", [](auto& c) { c.final_softcap = std::numeric_limits<float>::infinity(); }},
      {"attention scale", [](auto& c) { c.attention_scale = 0; }},
      {"sliding window", [](auto& c) { c.sliding_window.pop_back(); }},
      {"sliding_window", [](auto& c) { c.sliding_window[0] = -1; }},
      {"rope_theta", [](auto& c) { c.rope.theta = 0; }},
      {"rope_scaling.factor", [](auto& c) { c.rope.factor = 0; }},
      {"high_freq_factor",
       [](auto& c) {
         c.rope.scaling = RopeScaling::Llama3;
         c.rope.high_freq_factor = c.rope.low_freq_factor;
       }},
  };
  for (const auto& fault : faults) {
    auto config = testing::tiny_gemma2();
    fault.make(config);
    const auto result = validate(config);
    ASSERT_FALSE(result) << fault.name;
    EXPECT_EQ(result.error().code, ErrorCode::InvalidArgument);
    EXPECT_NE(result.error().message.find(fault.name), std::string::npos) << result.error().message;
  }
}

TEST(ModelConfig, ShapesAndPathsOfTheModules) {
  const auto config = testing::tiny_gemma2();
  EXPECT_EQ(linear_shape(config, Linear::Q), (LinearShape{64, 40}));
  EXPECT_EQ(linear_shape(config, Linear::V), (LinearShape{32, 40}));
  EXPECT_EQ(linear_shape(config, Linear::O), (LinearShape{40, 64}));
  EXPECT_EQ(linear_shape(config, Linear::Up), (LinearShape{96, 40}));
  EXPECT_EQ(linear_shape(config, Linear::Down), (LinearShape{40, 96}));
  EXPECT_EQ(linear_path(12, Linear::Gate), "model.layers.12.mlp.gate_proj");
}

}  // namespace
}  // namespace slipway::ml
