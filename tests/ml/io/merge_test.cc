#include "slipway/ml/merge.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

#include "ml/io/fixtures.h"
#include "ml/io/half.h"
#include "slipway/ml/bf16.h"
#include "slipway/ml/model_folder.h"
#include "slipway/ml/tokenizer.h"
#include "support/files.h"
#include "support/temp_folder.h"

namespace slipway::ml {
namespace {

using test::slurp;
using test::TempFolder;

std::vector<float> floats(const TensorView& tensor) {
  std::vector<float> values(tensor.bytes.size() / byte_size(tensor.dtype));
  EXPECT_TRUE(widen(tensor, values));
  return values;
}
bool same_bytes(const TensorView& a, const TensorView& b) {
  return a.dtype == b.dtype && a.shape == b.shape &&
         std::equal(a.bytes.begin(), a.bytes.end(), b.bytes.begin(), b.bytes.end());
}

class Merge : public testing::TestWithParam<std::string> {};

TEST_P(Merge, RoundsOnceAndCopiesTheRest) {
  const auto base_folder = model_fixture(GetParam(), "bf16");
  const TempFolder out;
  const auto report = merge_adapter(base_folder, golden(GetParam(), "adapter0"), out / "m", {.dtype = Dtype::BF16});
  ASSERT_TRUE(report) << report.error().message;
  const auto base = FolderTensors::open(base_folder);
  const auto merged = FolderTensors::open(out / "m");
  const auto want = SafetensorsFile::open(golden(GetParam(), "merged_bf16_targets.safetensors"));
  ASSERT_TRUE(base && merged && want);
  EXPECT_EQ(merged->names(), base->names());
  EXPECT_EQ(report->merged, want->names().size());
  std::size_t values = 0;
  std::size_t different = 0;
  for (const std::string& name : base->names()) {
    const TensorView got = *merged->find(name);
    const auto target = want->find(name);
    if (!target) {
      EXPECT_TRUE(same_bytes(got, *base->find(name))) << name;
      continue;
    }
    const auto a = floats(got);
    const auto b = floats(*target);
    ASSERT_EQ(a.size(), b.size());
    for (std::size_t i = 0; i < a.size(); ++i) {
      ++values;
      different += a[i] != b[i] ? 1 : 0;  // the sum over the rank may be taken in another order
      EXPECT_LE(std::abs(a[i] - b[i]), 0.01F * std::max(std::abs(b[i]), 1e-3F)) << name;
    }
  }
  EXPECT_LE(static_cast<double>(different), 1e-3 * static_cast<double>(values));
  for (const char* file :
       {"config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"})
    EXPECT_EQ(slurp(out / "m" / file), slurp(base_folder / file)) << file;
  EXPECT_TRUE(Tokenizer::load(out / "m"));
}

INSTANTIATE_TEST_SUITE_P(Tiny, Merge, testing::ValuesIn(kTinyModels),
                         [](const auto& tested) { return tested.param.substr(5); });

TEST(MergeFolder, ChangesDtypeOnRequestOnly) {
  const auto base_folder = model_fixture("tiny-llama", "fp32");
  const auto adapter = golden("tiny-llama", "adapter0");
  const TempFolder out;
  ASSERT_TRUE(merge_adapter(base_folder, adapter, out / "kept"));
  ASSERT_TRUE(merge_adapter(base_folder, adapter, out / "half", {.dtype = Dtype::F16, .shard_bytes_max = 40'000}));
  const auto kept = FolderTensors::open(out / "kept");
  const auto half = FolderTensors::open(out / "half");
  ASSERT_TRUE(kept && half);
  EXPECT_TRUE(std::filesystem::exists(out / "half/model.safetensors.index.json"));
  for (const std::string& name : kept->names()) {
    EXPECT_EQ(kept->find(name)->dtype, Dtype::F32);
    const auto a = floats(*kept->find(name));
    const auto b = floats(*half->find(name));
    for (std::size_t i = 0; i < a.size(); ++i) ASSERT_EQ(b[i], half_to_float(float_to_half(a[i]))) << name;
  }
  EXPECT_EQ(slurp(out / "kept/config.json"), slurp(base_folder / "config.json"));
  std::string config = slurp(base_folder / "config.json");
  config.replace(config.find("float32"), 7, "float16");
  EXPECT_EQ(slurp(out / "half/config.json"), config);
}

TEST(MergeFolder, RunsAgainOverItsOwnResult) {
  const auto base_folder = model_fixture("tiny-qwen2", "bf16");
  const auto adapter = golden("tiny-qwen2", "adapter0");
  const TempFolder out;
  ASSERT_TRUE(merge_adapter(base_folder, adapter, out / "m", {.shard_bytes_max = 40'000}));
  ASSERT_TRUE(merge_adapter(base_folder, adapter, out / "m"));
  EXPECT_FALSE(std::filesystem::exists(out / "m/model.safetensors.index.json"));
  EXPECT_TRUE(FolderTensors::open(out / "m"));
}

TEST(MergeFolder, RefusesTheBaseModelAsOutputAndForeignAdapters) {
  const auto base_folder = model_fixture("tiny-qwen2", "bf16");
  const auto self = merge_adapter(base_folder, golden("tiny-qwen2", "adapter0"), base_folder);
  ASSERT_FALSE(self);
  EXPECT_EQ(self.error().code, ErrorCode::InvalidArgument);
  EXPECT_TRUE(FolderTensors::open(base_folder));
  const TempFolder out;
  EXPECT_FALSE(merge_adapter(base_folder, golden("tiny-llama", "adapter0"), out / "m"));
  EXPECT_FALSE(merge_adapter(base_folder, golden("tiny-qwen2", "adapter0"), out / "m", {.dtype = Dtype::I8}));
  EXPECT_FALSE(std::filesystem::exists(out / "m/config.json"));
}

TEST(MergeFolder, StopsAtNumbersThatAreNotFinite) {
  const auto base_folder = model_fixture("tiny-qwen2", "bf16");
  const auto model = read_model_config(base_folder);
  ASSERT_TRUE(model);
  auto lora = make_lora({.target_modules = {"v_proj"}}, *model);
  ASSERT_TRUE(lora);
  lora->fill(std::numeric_limits<float>::infinity());
  const TempFolder out;
  const auto merged = merge_lora(base_folder, *lora, out / "m");
  ASSERT_FALSE(merged);
  EXPECT_EQ(merged.error().code, ErrorCode::Corrupt);
  EXPECT_NE(merged.error().message.find("v_proj"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(out / "m/config.json"));
}

TEST(MergeFolder, StopsAtNumbersThatHalfPrecisionCannotHold) {
  const auto base_folder = model_fixture("tiny-qwen2", "bf16");
  auto lora = make_lora({.target_modules = {"v_proj"}}, *read_model_config(base_folder));
  ASSERT_TRUE(lora);
  lora->fill(300);
  const TempFolder out;
  EXPECT_TRUE(merge_lora(base_folder, *lora, out / "wide"));
  const auto merged = merge_lora(base_folder, *lora, out / "half", {.dtype = Dtype::F16});
  ASSERT_FALSE(merged);
  EXPECT_EQ(merged.error().code, ErrorCode::Unsupported);
  EXPECT_NE(merged.error().message.find("v_proj"), std::string::npos);
  EXPECT_NE(merged.error().help.find("bf16"), std::string::npos);
}

TEST(Half, InvertsEveryHalfAndRoundsToNearestEven) {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const float value = half_to_float(static_cast<std::uint16_t>(bits));
    if (std::isnan(value)) continue;
    ASSERT_EQ(float_to_half(value), bits);
  }
  EXPECT_EQ(float_to_half(65519.0F), 0x7BFF);
  EXPECT_EQ(float_to_half(65520.0F), 0x7C00);
  EXPECT_EQ(float_to_half(-1e30F), 0xFC00);
  EXPECT_EQ(float_to_half(0x1p-25F), 0);  // half of the smallest: to even
  EXPECT_EQ(float_to_half(0x1.000002p-25F), 1);
  EXPECT_EQ(float_to_half(2049.0F), float_to_half(2048.0F));
  EXPECT_EQ(float_to_half(2051.0F), float_to_half(2052.0F));
  EXPECT_TRUE(std::isnan(half_to_float(float_to_half(std::numeric_limits<float>::quiet_NaN()))));
}

}  // namespace
}  // namespace slipway::ml
