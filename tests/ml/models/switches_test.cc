// Every switch of ModelConfig, alone and mixed, against the double-precision decoder; gradients against its slope.
#include <gtest/gtest.h>

#include <functional>

#include "ml/support/numeric.h"
#include "ml/support/random_tensors.h"
#include "ml/support/reference_decoder.h"
#include "ml/support/tiny_model.h"
#include "slipway/ml/model.h"

namespace slipway::ml {
namespace {

using testing::RandomTensors;
using testing::ReferenceDecoder;

struct Variant {
  const char* name;
  std::function<void(ModelConfig&)> change;
  friend std::ostream& operator<<(std::ostream& out, const Variant& variant) { return out << variant.name; }
};

ModelConfig plain() {
  ModelConfig config;
  config.family = ModelFamily::Llama;
  config.vocab_size = 61;
  config.hidden_size = 18;
  config.intermediate_size = 26;
  config.layers = 2;
  config.heads = 6;
  config.kv_heads = 3;
  config.head_dim = 4;  // 24, not the hidden size
  config.context_length = 64;
  config.attention_scale = 0.5F;
  return config;
}

const Variant kVariants[] = {
    {"plain", [](ModelConfig&) {}},
    {"every_bias", [](ModelConfig& c) { c.qkv_bias = c.o_bias = c.mlp_bias = true; }},
    {"one_key_head", [](ModelConfig& c) { c.kv_heads = 1; }},
    {"every_head_its_key", [](ModelConfig& c) { c.kv_heads = c.heads; }},
    {"post_norms", [](ModelConfig& c) { c.post_norms = true; }},
    {"one_plus", [](ModelConfig& c) { c.norm_one_plus = true; }},
    {"gelu", [](ModelConfig& c) { c.activation = Activation::GeluTanh; }},
    {"soft_caps",
     [](ModelConfig& c) {
       c.attention_softcap = 2;
       c.final_softcap = 3;
     }},
    {"windows",
     [](ModelConfig& c) {
       c.sliding_window = {3, 7};
     }},
    {"tied_and_scaled",
     [](ModelConfig& c) {
       c.tied_head = true;
       c.embed_scale = 4.25F;
     }},
    {"llama3_rope",
     [](ModelConfig& c) {
       c.rope = {.theta = 300,
                 .scaling = RopeScaling::Llama3,
                 .factor = 4,
                 .low_freq_factor = 1,
                 .high_freq_factor = 3,
                 .original_context = 40};
     }},
    {"linear_rope", [](ModelConfig& c) { c.rope = {.theta = 100, .scaling = RopeScaling::Linear, .factor = 2.5}; }},
    {"yarn_rope",
     [](ModelConfig& c) {
       c.head_dim = 12;
       c.rope = {.theta = 50,
                 .scaling = RopeScaling::Yarn,
                 .factor = 4,
                 .original_context = 30,
                 .beta_fast = 3,
                 .attention_factor = 1.2};
     }},
    {"dynamic_rope",
     [](ModelConfig& c) {
       c.context_length = 6;
       c.rope = {.theta = 50, .scaling = RopeScaling::Dynamic, .factor = 3, .original_context = 6};
     }},
    {"head_norms", [](ModelConfig& c) { c.qk_norm = true; }},
    {"all_of_gemma3",
     [](ModelConfig& c) {
       c.post_norms = c.norm_one_plus = c.tied_head = c.qk_norm = true;
       c.activation = Activation::GeluTanh;
       c.sliding_window = {5, 0};
       c.rope = {.theta = 1000, .scaling = RopeScaling::Linear, .factor = 8};
       c.local_rope = Rope{.theta = 30};
     }},
    {"one_layer", [](ModelConfig& c) { c.layers = 1; }},
    {"all_of_gemma_with_biases",
     [](ModelConfig& c) {
       c.post_norms = c.norm_one_plus = c.tied_head = c.qkv_bias = c.o_bias = c.mlp_bias = true;
       c.activation = Activation::GeluTanh;
       c.attention_softcap = 5;
       c.final_softcap = 4;
       c.sliding_window = {4, 0};
     }},
};

class SwitchesTest : public ::testing::TestWithParam<Variant> {
 protected:
  SwitchesTest() : config_(changed()), tensors_(config_), lora_(random_adapter()) {}

  static ModelConfig changed() {
    auto config = plain();
    GetParam().change(config);
    return config;
  }

  [[nodiscard]] Lora random_adapter() const {
    Lora lora(config_.layers);
    for (std::int64_t layer = 0; layer < config_.layers; ++layer)
      for (const auto& row : kLinears.rows()) lora.add(layer, row.value, linear_shape(config_, row.value), 3, 0.7F);
    Rng rng(5);
    for (auto& parameter : lora.parameters())
      for (auto& value : parameter.values) value = static_cast<float>(rng.unit() - 0.5) * 0.5F;
    return lora;
  }

  // Sum of the losses of the labelled rows, in double.
  [[nodiscard]] double reference_loss(const Lora& lora) const {
    const auto logits = ReferenceDecoder(config_, tensors_, &lora).logits(ids_);
    double loss = 0;
    for (std::size_t t = 0; t + 1 < ids_.size(); ++t) {
      if (labels_[t + 1] == kIgnoreLabel) continue;
      double total = 0;
      for (const double z : logits[t]) total += std::exp(z);
      loss += std::log(total) - logits[t][static_cast<std::size_t>(labels_[t + 1])];
    }
    return loss;
  }

  const std::vector<std::int32_t> ids_ = {3, 60, 0, 17, 17, 42, 5, 9, 33, 21, 8};
  const std::vector<std::int32_t> labels_ = {3, 60, kIgnoreLabel, 17, kIgnoreLabel, 42, 5, kIgnoreLabel, 33, 21, 8};
  const ModelConfig config_;
  const RandomTensors tensors_;
  Lora lora_;
  Compute compute_{{.threads = 2}};
};

TEST_P(SwitchesTest, LogitsFollowTheFormulas) {
  const auto model = Model::load(config_, tensors_).value();
  for (const Lora* lora : {static_cast<const Lora*>(nullptr), static_cast<const Lora*>(&lora_)}) {
    const auto got = model.logits(compute_, ids_, lora);
    testing::Doubles want;
    for (const auto& row : ReferenceDecoder(config_, tensors_, lora).logits(ids_))
      want.insert(want.end(), row.begin(), row.end());
    testing::expect_close(got.values(), want, 2e-5, lora != nullptr ? "adapted" : "base");
  }
}

// Each tensor's gradient against central differences of the double decoder along a few of its elements.
TEST_P(SwitchesTest, GradientsAreSlopesOfTheFormulas) {
  const auto model = Model::load(config_, tensors_).value();
  Lora gradients = lora_.zeros_like();
  const Sequence sequence{.ids = ids_, .labels = labels_};
  const auto loss = model.forward_backward(compute_, {&sequence, 1}, lora_, gradients, {});
  EXPECT_NEAR(loss.loss_sum, reference_loss(lora_), 1e-4);
  const auto parameters = lora_.parameters(), slopes = gradients.parameters();
  for (std::size_t p = 0; p < parameters.size(); ++p) {
    double squares = 0;
    for (const float slope : slopes[p].values) squares += static_cast<double>(slope) * static_cast<double>(slope);
    const double rms = std::sqrt(squares / static_cast<double>(slopes[p].values.size()));
    ASSERT_GT(rms, 0) << parameters[p].path;
    for (const std::size_t at : {std::size_t{0}, parameters[p].values.size() / 2}) {
      float& value = parameters[p].values[at];
      const float before = value;
      value = before + 0x1p-9F;
      const double step_up = static_cast<double>(value) - static_cast<double>(before), above = reference_loss(lora_);
      value = before - 0x1p-9F;
      const double step_down = static_cast<double>(before) - static_cast<double>(value), below = reference_loss(lora_);
      value = before;
      const double slope = (above - below) / (step_up + step_down);
      EXPECT_NEAR(static_cast<double>(slopes[p].values[at]), slope, 2e-3 * std::max(rms, std::abs(slope)))
          << parameters[p].path;
    }
  }
}

// Packed with others, shorter and longer ones, none loses or gains by it.
TEST_P(SwitchesTest, TextsInOnePassAreTextsAlone) {
  const auto model = Model::load(config_, tensors_).value();
  std::vector<Sequence> batch;
  for (const std::size_t length : {4U, 11U, 2U, 9U})
    batch.push_back({.ids = std::span(ids_).first(length), .labels = std::span(labels_).first(length)});
  const auto together = model.losses(compute_, batch, &lora_);
  ASSERT_EQ(together.size(), batch.size());
  for (std::size_t i = 0; i < batch.size(); ++i)
    EXPECT_NEAR(together[i].loss_sum, model.loss(compute_, {&batch[i], 1}, &lora_).loss_sum, 1e-5) << i;
}

INSTANTIATE_TEST_SUITE_P(Variants, SwitchesTest, ::testing::ValuesIn(kVariants),
                         [](const auto& parameter) { return std::string(parameter.param.name); });

}  // namespace
}  // namespace slipway::ml
