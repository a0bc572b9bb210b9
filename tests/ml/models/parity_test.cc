// The decoder against transformers 4.46.1 and peft 0.13.2 in fp32, for every family and instruction set.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "ml/support/supported_isas.h"
#include "ml/support/tiny_model.h"
#include "slipway/ml/model.h"
#include "slipway/ml/tokenizer.h"

namespace slipway::ml {
namespace {

using testing::golden;
using testing::SafetensorsTensors;
using testing::TinyModel;

constexpr double kLogitsTolerance = 1e-4;    // of rms
constexpr double kGradientTolerance = 5e-4;  // relative L2 of a tensor
constexpr double kLossTolerance = 1e-5;      // relative

std::vector<Value> json_lines(const std::string& path) {
  std::ifstream file(path);
  std::vector<Value> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(parse_json(line).value());
  return lines;
}

struct Sample {
  std::vector<std::int32_t> ids, labels;
};

// trl's completion-only collator with pad == eos: labels after the last response template, no eos.
Sample make_sample(const Tokenizer& tokenizer, const TinyModel& model, const std::string& prompt,
                   bool completion_only) {
  Sample sample{tokenizer.encode(prompt + "\n" + model.eos, SpecialTokens::Omit), {}};
  sample.ids.resize(std::min<std::size_t>(sample.ids.size(), 128));
  sample.labels = sample.ids;
  std::ranges::replace(sample.labels, tokenizer.find(model.eos).value(), kIgnoreLabel);
  if (!completion_only) return sample;
  const auto response = tokenizer.encode(model.response_template, SpecialTokens::Omit);
  const auto match = std::ranges::find_end(sample.ids, response);
  std::fill_n(sample.labels.begin(), match.end() - sample.ids.begin(), kIgnoreLabel);
  return sample;
}

class ParityTest : public ::testing::TestWithParam<std::tuple<TinyModel, Isa>> {
 protected:
  [[nodiscard]] const TinyModel& tiny() const { return std::get<0>(GetParam()); }
  [[nodiscard]] ComputeOptions options() const { return {.threads = 2, .isa = std::get<1>(GetParam())}; }

  std::vector<Sample> samples(const std::vector<std::pair<std::int64_t, bool>>& rows) {
    const auto tokenizer = Tokenizer::load(testing::fixture("models/" + tiny().name + "-fp32")).value();
    const auto lines = json_lines(testing::fixture("models/" + tiny().name + ".train.jsonl"));
    std::vector<Sample> made;
    for (const auto& [row, completion_only] : rows)
      made.push_back(
          make_sample(tokenizer, tiny(), lines[static_cast<std::size_t>(row)].get_string("prompt"), completion_only));
    return made;
  }

  static std::vector<Sequence> sequences(const std::vector<Sample>& samples) {
    std::vector<Sequence> batch;
    for (const auto& sample : samples) batch.push_back({.ids = sample.ids, .labels = sample.labels});
    return batch;
  }
};

TEST_P(ParityTest, LogitsOfBothPrecisions) {
  const SafetensorsTensors want({golden(tiny().name, "forward.safetensors")});
  Compute compute(options());
  for (const std::string precision : {"fp32", "bf16"}) {
    const auto tensors = tiny().tensors(precision);
    const auto model = Model::load(tiny().config, tensors).value();
    for (const std::string sample : {"0", "1", "2"}) {
      const auto got = model.logits(compute, want.ints("ids_" + sample), nullptr);
      EXPECT_LE(testing::error_by_rms(got.values(), want.floats("logits_" + sample)), kLogitsTolerance) << precision;
    }
  }
}

TEST_P(ParityTest, LogitsWithAdapter) {
  const SafetensorsTensors want({golden(tiny().name, "forward_adapter0.safetensors")});
  const auto tensors = tiny().tensors("fp32");
  const auto model = Model::load(tiny().config, tensors).value();
  const auto lora = testing::adapter0(tiny());
  Compute compute(options());
  const auto got = model.logits(compute, want.ints("ids"), &lora);
  EXPECT_LE(testing::error_by_rms(got.values(), want.floats("logits")), kLogitsTolerance);
}

TEST_P(ParityTest, Losses) {
  const auto want = json_lines(golden(tiny().name, "eval.jsonl"));
  std::vector<std::pair<std::int64_t, bool>> rows;
  for (const auto& line : want) rows.emplace_back(line.get_int("row"), line.find("completion_only")->as_bool());
  const auto made = samples(rows);
  const auto tensors = tiny().tensors("fp32");
  const auto model = Model::load(tiny().config, tensors).value();
  Compute compute(options());
  const auto got = model.losses(compute, sequences(made), nullptr);
  ASSERT_EQ(got.size(), want.size());
  for (std::size_t i = 0; i < want.size(); ++i) {
    EXPECT_EQ(static_cast<std::int64_t>(made[i].ids.size()), want[i].get_int("tokens"));
    EXPECT_EQ(got[i].label_count, want[i].get_int("labels"));
    const double loss = want[i].find("loss_sum")->as_double();
    EXPECT_NEAR(got[i].loss_sum, loss, kLossTolerance * std::max(1.0, loss));
  }
}

TEST_P(ParityTest, AdapterGradients) {
  const SafetensorsTensors want({golden(tiny().name, "grads.safetensors")});
  const auto case_ = json_lines(golden(tiny().name, "grads.json")).front();
  std::vector<std::pair<std::int64_t, bool>> rows;
  for (const auto& row : case_.find("rows")->as_array()) rows.emplace_back(row.as_int(), true);
  const auto made = samples(rows);
  const auto tensors = tiny().tensors("fp32");
  const auto model = Model::load(tiny().config, tensors).value();
  const auto lora = testing::adapter0(tiny());
  Lora gradients = lora.zeros_like();
  Compute compute(options());
  const auto items = case_.get_int("num_items");
  const auto loss = model.forward_backward(compute, sequences(made), lora, gradients,
                                           {.loss_scale = 1.0F / static_cast<float>(items)});
  EXPECT_EQ(loss.label_count, items);
  EXPECT_NEAR(loss.loss_sum / static_cast<double>(items), case_.find("loss")->as_double(), 1e-4);
  const auto parameters = gradients.parameters();
  EXPECT_EQ(parameters.size(), want.all().size());
  for (const auto& parameter : parameters) {
    const auto values = want.floats("base_model.model." + parameter.path + ".weight");
    EXPECT_LE(testing::relative_l2(parameter.values, values), kGradientTolerance) << parameter.path;
  }
}

INSTANTIATE_TEST_SUITE_P(Families, ParityTest,
                         ::testing::Combine(::testing::ValuesIn(testing::tiny_models()),
                                            ::testing::ValuesIn(testing::supported_isas())),
                         [](const auto& parameter) {
                           auto name = std::get<0>(parameter.param).name + "_" +
                                       std::string(kIsas.text(std::get<1>(parameter.param)));
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace slipway::ml
