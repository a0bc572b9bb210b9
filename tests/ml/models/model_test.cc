// What must hold for any weights: packing, splitting, caching, recomputing and threads change nothing.
#include "slipway/ml/model.h"

#include <gtest/gtest.h>

#include "ml/support/numeric.h"
#include "ml/support/tiny_model.h"

namespace slipway::ml {
namespace {

using testing::TinyModel;

// Of rms. The same sums in another order, through layers that amplify: half of what parity with transformers permits.
constexpr double kDecodeTolerance = 5e-5;

struct Sample {
  std::vector<std::int32_t> ids, labels;
};

class ModelTest : public ::testing::TestWithParam<TinyModel> {
 protected:
  Sample random_sample(std::int64_t length, std::uint64_t seed, double labelled = 0.7) const {
    Rng rng(seed);
    Sample sample;
    for (std::int64_t t = 0; t < length; ++t) {
      sample.ids.push_back(
          static_cast<std::int32_t>(rng.below(static_cast<std::uint64_t>(GetParam().config.vocab_size))));
      sample.labels.push_back(rng.chance(labelled) ? sample.ids.back() : kIgnoreLabel);
    }
    return sample;
  }

  static std::vector<Sequence> sequences(std::span<const Sample> samples) {
    std::vector<Sequence> batch;
    for (std::size_t i = 0; i < samples.size(); ++i)
      batch.push_back({.ids = samples[i].ids, .labels = samples[i].labels, .dropout_stream = i});
    return batch;
  }

  // Gradient of the batch given as consecutive parts.
  Lora gradient(Compute& compute, const std::vector<std::span<const Sequence>>& parts, float dropout = 0,
                std::size_t activation_bytes_max = std::numeric_limits<std::size_t>::max()) {
    lora_.dropout = dropout;
    Lora gradients = lora_.zeros_like();
    for (const auto& part : parts)
      model_.forward_backward(compute, part, lora_, gradients,
                              {.loss_scale = 0.01F, .dropout_seed = 3, .activation_bytes_max = activation_bytes_max});
    return gradients;
  }

  static void expect_same_bits(Lora& a, Lora& b, const std::string& what) {
    const auto left = a.parameters(), right = b.parameters();
    for (std::size_t i = 0; i < left.size(); ++i)
      testing::expect_same_bits(left[i].values, right[i].values, what + " " + left[i].path);
  }

  testing::SafetensorsTensors tensors_ = GetParam().tensors("bf16");
  Model model_ = Model::load(GetParam().config, tensors_).value();
  Lora lora_ = testing::adapter0(GetParam());
  Compute compute_{{.threads = 2}};
};

TEST_P(ModelTest, PackedSamplesAreAsAlone) {
  const Sample samples[] = {random_sample(30, 1), random_sample(1, 2), random_sample(90, 3)};
  const auto batch = sequences(samples);
  const auto packed = model_.losses(compute_, batch, &lora_);
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const auto alone = model_.loss(compute_, std::span(batch).subspan(i, 1), &lora_);
    EXPECT_EQ(packed[i].label_count, alone.label_count);
    EXPECT_NEAR(packed[i].loss_sum, alone.loss_sum, 1e-5 * std::max(1.0, alone.loss_sum));
  }
}

TEST_P(ModelTest, AccumulatedGradientIsTheGradientOfTheBatch) {
  const Sample samples[] = {random_sample(30, 1), random_sample(17, 2), random_sample(64, 3), random_sample(5, 4)};
  const auto batch = sequences(samples);
  const std::span<const Sequence> all(batch);
  for (const float dropout : {0.0F, 0.2F}) {
    Lora together = gradient(compute_, {all}, dropout);
    Lora apart =
        gradient(compute_, {all.subspan(0, 1), all.subspan(1, 1), all.subspan(2, 1), all.subspan(3, 1)}, dropout);
    const auto left = apart.parameters(), right = together.parameters();
    for (std::size_t i = 0; i < left.size(); ++i)
      EXPECT_LE(testing::relative_l2(left[i].values, right[i].values), 1e-5) << left[i].path << " dropout " << dropout;
  }
}

// The loss with dropout is a smooth function of A and B for fixed masks: its slope along the gradient must be the
// gradient's squared length.
TEST_P(ModelTest, GradientIsTheSlopeOfTheLossUnderDropout) {
  const Sample samples[] = {random_sample(40, 1), random_sample(20, 2)};
  const auto batch = sequences(samples);
  Lora gradients = gradient(compute_, {batch}, 0.3F);
  const auto direction = gradients.parameters();
  double squares = 0;
  for (const auto& parameter : direction)
    for (const float value : parameter.values) squares += static_cast<double>(value) * static_cast<double>(value);
  const auto loss_at = [&](double step) {
    Lora moved = lora_.clone();
    moved.dropout = 0.3F;
    const auto parameters = moved.parameters();
    for (std::size_t i = 0; i < parameters.size(); ++i)
      for (std::size_t j = 0; j < parameters[i].values.size(); ++j)
        parameters[i].values[j] += static_cast<float>(step * static_cast<double>(direction[i].values[j]));
    Lora unused = moved.zeros_like();
    return 0.01 * model_.forward_backward(compute_, batch, moved, unused, {.dropout_seed = 3}).loss_sum;
  };
  const double step = 1e-2 / std::sqrt(squares);
  const double slope = (loss_at(step) - loss_at(-step)) / (2 * step);
  EXPECT_NEAR(slope, squares, 0.01 * squares);
}

TEST_P(ModelTest, RecomputingActivationsKeepsEveryBit) {
  const Sample samples[] = {random_sample(30, 1), random_sample(50, 2)};
  const auto batch = sequences(samples);
  Lora kept = gradient(compute_, {batch}, 0.1F);
  const std::size_t one_layer = model_.activation_bytes_per_token_layer() * 80;
  for (const std::size_t budget : {std::size_t{0}, one_layer}) {
    Lora again = gradient(compute_, {batch}, 0.1F, budget);
    expect_same_bits(again, kept, std::to_string(budget) + " bytes");
  }
}

TEST_P(ModelTest, ThreadCountChangesNoBit) {
  const Sample samples[] = {random_sample(100, 1), random_sample(120, 2), random_sample(80, 3)};
  const auto batch = sequences(samples);
  Compute one({.threads = 1});
  Lora want = gradient(one, {batch}, 0.1F);
  const auto logits = model_.logits(one, samples[1].ids, &lora_);
  for (const int threads : {2, 5}) {
    Compute many({.threads = threads});
    Lora got = gradient(many, {batch}, 0.1F);
    expect_same_bits(got, want, std::to_string(threads) + " threads");
    testing::expect_same_bits(model_.logits(many, samples[1].ids, &lora_).values(), logits.values());
  }
}

// Activations rounded to 8 or 11 bits of mantissa: near, not equal.
class RoundedProductsTest : public ModelTest {
 protected:
  void expect_near(Products products, double most);
};

void RoundedProductsTest::expect_near(Products products, double most) {
  if (!has_products(products)) GTEST_SKIP() << "this CPU has no " << kProducts.text(products) << " products";
  const auto sample = random_sample(60, 1);
  Compute rounding({.threads = 2, .products = products});
  const auto want = model_.logits(compute_, sample.ids, &lora_), got = model_.logits(rounding, sample.ids, &lora_);
  const double error = testing::relative_l2(got.values(), want.values());
  EXPECT_GT(error, 1e-5);
  EXPECT_LT(error, most);
}

TEST_P(ModelTest, Int8WeightsStayNear) {
  const auto sample = random_sample(60, 1);
  const Model bytes = Model::load(GetParam().config, tensors_, WeightForm::Int8).value();
  const auto want = model_.logits(compute_, sample.ids, &lora_), got = bytes.logits(compute_, sample.ids, &lora_);
  const double error = testing::relative_l2(got.values(), want.values());
  EXPECT_GT(error, 1e-5);
  EXPECT_LT(error, 6e-2) << "half a percent per product, through layers that amplify";
}

TEST_P(RoundedProductsTest, Bf16StaysNear) { expect_near(Products::Bf16, 2e-2); }
TEST_P(RoundedProductsTest, Bf16TilesStayNear) { expect_near(Products::Bf16Tiles, 2e-2); }
TEST_P(RoundedProductsTest, Fp16StaysNearer) { expect_near(Products::Fp16, 1e-2); }

TEST_P(ModelTest, CachedDecodingEqualsTheFullForward) {
  const auto long_one = random_sample(50, 1), short_one = random_sample(20, 2);
  const auto want_long = model_.logits(compute_, long_one.ids, &lora_),
             want_short = model_.logits(compute_, short_one.ids, nullptr);
  KvPool pool(model_.config(), 2);
  KvCache a(pool), b(pool);
  ASSERT_TRUE(a.reserve(50) && b.reserve(20));
  const std::span<const std::int32_t> ids_a(long_one.ids), ids_b(short_one.ids);
  const auto row = [](const Matrix& matrix, std::int64_t r) {
    return std::span(matrix.row(r), static_cast<std::size_t>(matrix.cols()));
  };
  // A prompt in two chunks beside another sequence without an adapter, then token by token.
  const DecodeInput first[] = {{&a, ids_a.first(11), &lora_}};
  auto got = model_.decode(compute_, first);
  EXPECT_LE(testing::error_by_rms(row(got, 0), row(want_long, 10)), kDecodeTolerance);
  const DecodeInput mixed[] = {{&a, ids_a.subspan(11, 20), &lora_}, {&b, ids_b.first(6), nullptr}};
  got = model_.decode(compute_, mixed);
  EXPECT_LE(testing::error_by_rms(row(got, 0), row(want_long, 30)), kDecodeTolerance);
  EXPECT_LE(testing::error_by_rms(row(got, 1), row(want_short, 5)), kDecodeTolerance);
  for (std::size_t step = 0; step < 14; ++step) {
    const DecodeInput inputs[] = {{&b, ids_b.subspan(6 + step, 1), nullptr}, {&a, ids_a.subspan(31 + step, 1), &lora_}};
    got = model_.decode(compute_, inputs);
    EXPECT_LE(testing::error_by_rms(row(got, 0), row(want_short, 6 + static_cast<std::int64_t>(step))),
              kDecodeTolerance);
    EXPECT_LE(testing::error_by_rms(row(got, 1), row(want_long, 31 + static_cast<std::int64_t>(step))),
              kDecodeTolerance);
  }
  EXPECT_EQ(a.size(), 45);
  EXPECT_EQ(b.size(), 20);
}

TEST_P(ModelTest, ATruncatedCacheForgets) {
  const auto sample = random_sample(30, 1), other = random_sample(30, 2);
  KvPool pool(model_.config(), 1);
  KvCache cache(pool);
  ASSERT_TRUE(cache.reserve(40));
  const std::span<const std::int32_t> ids(sample.ids);
  const DecodeInput prompt[] = {{&cache, ids.first(20), nullptr}}, detour[] = {{&cache, other.ids, nullptr}};
  (void)model_.decode(compute_, prompt);
  cache.truncate(10);
  (void)model_.decode(compute_, detour);
  cache.truncate(10);
  const DecodeInput rest[] = {{&cache, ids.subspan(10), nullptr}};
  const auto want = model_.logits(compute_, ids, nullptr);
  const auto got = model_.decode(compute_, rest);
  EXPECT_LE(testing::error_by_rms(got.values(), std::span(want.row(29), static_cast<std::size_t>(want.cols()))),
            kDecodeTolerance);
}

TEST_P(ModelTest, ABatchWithoutLabelsHasNoLossAndNoGradient) {
  const Sample samples[] = {random_sample(12, 1, 0), random_sample(1, 2, 1)};
  const auto batch = sequences(samples);
  Lora gradients = lora_.zeros_like();
  const auto loss = model_.forward_backward(compute_, batch, lora_, gradients, {});
  EXPECT_EQ(loss.label_count, 0);
  EXPECT_EQ(loss.loss_sum, 0);
  for (const auto& parameter : gradients.parameters())
    for (const float value : parameter.values) ASSERT_EQ(value, 0) << parameter.path;
}

// Targets in the upper layer only: the same numbers, less work.
TEST_P(ModelTest, PartialAdapterHasThePartOfTheGradient) {
  const Sample samples[] = {random_sample(25, 1)};
  const auto batch = sequences(samples);
  const std::int64_t top = model_.config().layers - 1;
  Lora part(model_.config().layers), full(model_.config().layers);
  for (const auto& row : kLinears.rows()) {
    for (std::int64_t layer = 0; layer <= top; ++layer) {
      const auto& from = *lora_.find(layer, row.value);
      const auto shape = linear_shape(model_.config(), row.value);
      const bool wanted = layer == top && (row.value == Linear::V || row.value == Linear::Down);
      auto& pair = full.add(layer, row.value, shape, 4, from.scale);
      if (!wanted) continue;  // a pair of zeros changes nothing
      auto& kept = part.add(layer, row.value, shape, 4, from.scale);
      for (auto* to : {&pair, &kept}) {
        to->a = from.a.clone();
        to->b = from.b.clone();
      }
    }
  }
  EXPECT_EQ(part.lowest_layer(), top);
  Lora part_gradient = part.zeros_like(), full_gradient = full.zeros_like();
  model_.forward_backward(compute_, batch, part, part_gradient, {});
  model_.forward_backward(compute_, batch, full, full_gradient, {});
  for (const auto which : {Linear::V, Linear::Down}) {
    const auto &got = *part_gradient.find(top, which), &want = *full_gradient.find(top, which);
    EXPECT_LE(testing::relative_l2(got.a.values(), want.a.values()), 1e-5);
    EXPECT_LE(testing::relative_l2(got.b.values(), want.b.values()), 1e-5);
  }
}

TEST_P(ModelTest, WeightsAreTheBytesOfTheSource) {
  const auto view = model_.weight(1, Linear::Down);
  const auto source = tensors_.find("model.layers.1.mlp.down_proj.weight").value();
  EXPECT_EQ(view.dtype, Dtype::BF16);
  EXPECT_EQ(view.shape, source.shape);
  EXPECT_EQ(view.bytes.data(), source.bytes.data());
  EXPECT_EQ(view.bytes.size(), source.bytes.size());
}

std::string name_of(const ::testing::TestParamInfo<TinyModel>& parameter) {
  auto name = parameter.param.name;
  std::ranges::replace(name, '-', '_');
  return name;
}
INSTANTIATE_TEST_SUITE_P(Families, ModelTest, ::testing::ValuesIn(testing::tiny_models()), name_of);
INSTANTIATE_TEST_SUITE_P(Families, RoundedProductsTest, ::testing::ValuesIn(testing::tiny_models()), name_of);

}  // namespace
}  // namespace slipway::ml
