// Qwen3 and Gemma 3 as their files describe them, against transformers 4.51.3 and peft 0.13.2 in fp32.
#include <gtest/gtest.h>

#include "ml/support/files.h"
#include "ml/support/tiny_model.h"
#include "slipway/ml/adapter_folder.h"
#include "slipway/ml/model.h"
#include "slipway/ml/model_folder.h"

namespace slipway::ml {
namespace {

using testing::golden;
using testing::SafetensorsTensors;

class NewerFamiliesTest : public ::testing::TestWithParam<std::string> {
 protected:
  NewerFamiliesTest()
      : tensors_(FolderTensors::open(folder()).value()),
        model_(Model::load(read_model_config(folder()).value(), tensors_).value()) {}

  static std::string folder() { return testing::fixture("models/" + GetParam() + "-bf16"); }

  FolderTensors tensors_;
  Model model_;
  Compute compute_{{.threads = 2}};
};

TEST_P(NewerFamiliesTest, Logits) {
  const SafetensorsTensors want({golden(GetParam(), "forward.safetensors")});
  for (const std::string sample : {"0", "1"}) {
    const auto got = model_.logits(compute_, want.ints("ids_" + sample), nullptr);
    EXPECT_LE(testing::error_by_rms(got.values(), want.floats("logits_" + sample)), 1e-4);
  }
}

TEST_P(NewerFamiliesTest, AdapterGradients) {
  const SafetensorsTensors want({golden(GetParam(), "grads.safetensors")});
  const auto ids = SafetensorsTensors({golden(GetParam(), "forward.safetensors")}).ints("ids_0");
  const Adapter adapter = read_adapter(golden(GetParam(), "adapter0"), model_.config()).value();
  const Value case_ = parse_json(testing::bytes_of(golden(GetParam(), "grads.json"))).value();
  Lora gradients = adapter.lora.zeros_like();
  const Sequence sample{.ids = ids, .labels = ids};
  const float scale = 1.0F / static_cast<float>(case_.get_int("labels"));
  const LossSum loss = model_.forward_backward(compute_, {&sample, 1}, adapter.lora, gradients, {.loss_scale = scale});
  EXPECT_EQ(loss.label_count, case_.get_int("labels"));
  EXPECT_NEAR(loss.loss_sum * static_cast<double>(scale), case_.find("loss")->as_double(), 1e-4);
  const auto parameters = gradients.parameters();
  EXPECT_EQ(parameters.size(), want.all().size());
  for (const auto& parameter : parameters)
    EXPECT_LE(testing::relative_l2(parameter.values, want.floats("base_model.model." + parameter.path + ".weight")),
              5e-4)
        << parameter.path;
}

INSTANTIATE_TEST_SUITE_P(Families, NewerFamiliesTest, ::testing::Values("tiny-qwen3", "tiny-gemma3"),
                         [](const auto& parameter) { return parameter.param.substr(5); });

}  // namespace
}  // namespace slipway::ml
