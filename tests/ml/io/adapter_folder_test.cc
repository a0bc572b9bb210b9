#include "slipway/ml/adapter_folder.h"

#include <gtest/gtest.h>

#include "ml/io/adapter_config_json.h"
#include "ml/io/fixtures.h"
#include "slipway/ml/model_folder.h"
#include "support/files.h"
#include "support/temp_folder.h"

namespace slipway::ml {
namespace {

using test::slurp;
using test::spill;
using test::TempFolder;

ModelConfig model_of(const std::string& name) {
  auto config = read_model_config(model_fixture(name, "fp32"));
  EXPECT_TRUE(config) << config.error().message;
  return *std::move(config);
}

class AdapterFolder : public testing::TestWithParam<std::string> {};

// What PEFT wrote is written again byte for byte; the tensors, too.
TEST_P(AdapterFolder, RoundTripsWhatPeftWrote) {
  const ModelConfig model = model_of(GetParam());
  auto adapter = read_adapter(golden(GetParam(), "adapter0"), model);
  ASSERT_TRUE(adapter) << adapter.error().message;
  EXPECT_TRUE(check_fits(adapter->lora, model));
  EXPECT_EQ(adapter->lora.find(0, Linear::Q)->a.rows(), adapter->config.rank);
  EXPECT_FLOAT_EQ(adapter->lora.find(0, Linear::Q)->scale,
                  static_cast<float>(adapter->config.alpha / static_cast<double>(adapter->config.rank)));
  const TempFolder folder;
  ASSERT_TRUE(write_adapter(folder / "adapter", adapter->config, adapter->lora));
  EXPECT_EQ(slurp(folder / "adapter/adapter_config.json"), slurp(golden(GetParam(), "adapter0/adapter_config.json")));
  const auto written = SafetensorsFile::open(folder / "adapter/adapter_model.safetensors");
  const auto original = SafetensorsFile::open(golden(GetParam(), "adapter0/adapter_model.safetensors"));
  ASSERT_TRUE(written && original);
  EXPECT_EQ(written->metadata(), original->metadata());
  EXPECT_EQ(written->names(), original->names());
  for (const std::string& name : original->names()) {
    const auto a = *written->find(name);
    const auto b = *original->find(name);
    EXPECT_EQ(a.dtype, Dtype::F32);
    EXPECT_EQ(a.shape, b.shape) << name;
    EXPECT_TRUE(std::equal(a.bytes.begin(), a.bytes.end(), b.bytes.begin(), b.bytes.end())) << name;
  }
}

INSTANTIATE_TEST_SUITE_P(Tiny, AdapterFolder, testing::ValuesIn(kTinyModels),
                         [](const auto& tested) { return tested.param.substr(5); });

TEST(MakeLora, MatchesTargetsAndPatternsAsPeft) {
  const ModelConfig model = model_of("tiny-llama");
  AdapterConfig config{.rank = 4, .alpha = 8, .dropout = 0.1, .target_modules = {"self_attn.q_proj", "down_proj"}};
  config.rank_pattern = {{"layers.0.mlp.down_proj", 2}};
  config.alpha_pattern = {{"q_proj", 12}};
  const auto lora = make_lora(config, model);
  ASSERT_TRUE(lora) << lora.error().message;
  EXPECT_EQ(lora->find(0, Linear::Down)->a.rows(), 2);
  EXPECT_EQ(lora->find(1, Linear::Down)->a.rows(), 4);
  EXPECT_FLOAT_EQ(lora->find(0, Linear::Down)->scale, 4);
  EXPECT_FLOAT_EQ(lora->find(1, Linear::Q)->scale, 3);
  EXPECT_EQ(lora->find(0, Linear::K), nullptr);
  EXPECT_FLOAT_EQ(lora->dropout, 0.1F);
  config.rslora = true;
  EXPECT_FLOAT_EQ(make_lora(config, model)->find(1, Linear::Down)->scale, 4);
}

TEST(SetTargets, NamesAWordOrAnExpression) {
  const ModelConfig model = model_of("tiny-llama");
  AdapterConfig config;
  set_targets(config, {"all-linear"});
  EXPECT_EQ(config.target_modules.size(), 7U);  // PEFT knows the word only where it is no list
  const auto all = make_lora(config, model);
  ASSERT_TRUE(all) << all.error().message;
  for (const auto& row : kLinears.rows()) EXPECT_NE(all->find(0, row.value), nullptr) << row.text;

  set_targets(config, {"self_attn.q_proj", "v_proj"});
  EXPECT_EQ(config.target_modules, (std::vector<std::string>{"self_attn.q_proj", "v_proj"}));

  set_targets(config, {R"(.*\.[1-9]{1)", R"(2}\..*(q|down)_proj)"});  // as a list of flags cuts it
  EXPECT_EQ(config.target_pattern, R"(.*\.[1-9]{1,2}\..*(q|down)_proj)");
  EXPECT_TRUE(config.target_modules.empty());
  const auto some = make_lora(config, model);
  ASSERT_TRUE(some) << some.error().message;
  EXPECT_EQ(some->find(0, Linear::Q), nullptr);
  EXPECT_NE(some->find(1, Linear::Q), nullptr);
  EXPECT_NE(some->find(1, Linear::Down), nullptr);
  EXPECT_EQ(some->find(1, Linear::V), nullptr);
}

TEST(SetTargets, ExpressionsThatMatchNothingOrAreNone) {
  for (const char* pattern : {"q_pro+", "(q_proj", "lm_.*"}) {
    AdapterConfig config;
    set_targets(config, {pattern});
    const auto lora = make_lora(config, model_of("tiny-llama"));
    ASSERT_FALSE(lora) << pattern;
    EXPECT_EQ(lora.error().code, ErrorCode::InvalidArgument);
    EXPECT_NE(lora.error().message.find(pattern), std::string::npos);
    EXPECT_NE(lora.error().help.find("model.layers.0"), std::string::npos);
  }
}

TEST(MakeLora, AlphaThatVersionsOfPeftTakeDifferently) {
  AdapterConfig config{.rank = 4, .alpha = 8, .target_modules = {"q_proj"}};
  config.rank_pattern = {{"q_proj", 2}};
  config.alpha_pattern = {{"q_proj", 3}};
  const auto agreed = make_lora(config, model_of("tiny-llama"));
  ASSERT_TRUE(agreed) << agreed.error().message;
  EXPECT_FLOAT_EQ(agreed->find(0, Linear::Q)->scale, 1.5F);
  config.alpha_pattern = {{"layers.0.self_attn.q_proj", 3}};
  const auto not_agreed = make_lora(config, model_of("tiny-llama"));
  ASSERT_FALSE(not_agreed);
  EXPECT_EQ(not_agreed.error().code, ErrorCode::Unsupported);
  EXPECT_NE(not_agreed.error().message.find("layers.0.self_attn.q_proj"), std::string::npos);
}

TEST(MakeLora, RefusesUnknownTargetsAndRanks) {
  const ModelConfig model = model_of("tiny-llama");
  for (const char* name : {"c_attn", "lm_head", "proj", "embed_tokens"}) {
    const auto lora = make_lora({.target_modules = {"q_proj", name}}, model);
    ASSERT_FALSE(lora) << name;
    EXPECT_EQ(lora.error().code, ErrorCode::InvalidArgument);
    EXPECT_NE(lora.error().message.find(name), std::string::npos);
    EXPECT_NE(lora.error().help.find("q_proj"), std::string::npos);
  }
  EXPECT_FALSE(make_lora({.rank = 0, .target_modules = {"q_proj"}}, model));
}

TEST(AdapterConfigJson, RefusesWhatItCannotCompute) {
  const std::string base = slurp(golden("tiny-llama", "adapter0/adapter_config.json"));
  struct Row {
    std::string change;
    ErrorCode code;
    std::string says;
  };
  using enum ErrorCode;
  for (const Row& row : std::vector<Row>{{R"({"use_dora":true})", Unsupported, "use_dora"},
                                         {R"({"bias":"all"})", Unsupported, "bias"},
                                         {R"({"modules_to_save":["lm_head"]})", Unsupported, "modules_to_save"},
                                         {R"({"init_lora_weights":"pissa_niter_4"})", Unsupported, "pissa_niter_4"},
                                         {R"({"peft_type":"IA3"})", Unsupported, "IA3"},
                                         {R"({"r":null})", Corrupt, "`r` is missing"},
                                         {R"({"lora_alpha":"16"})", Corrupt, "lora_alpha"},
                                         {R"({"target_modules":null})", Corrupt, "target_modules"},
                                         {R"({"target_modules":[]})", Corrupt, "target_modules"},
                                         {R"({"rank_pattern":{"q_.*":3}})", Unsupported, "q_.*"},
                                         {R"({"rank_pattern":{"q_proj":1.5}})", Corrupt, "rank_pattern"}}) {
    Value json = *parse_json(base);
    const Value change = *parse_json(row.change);
    for (const auto& [key, value] : change.as_object()) json[key] = value;
    const auto config = parse_adapter_config(json);
    ASSERT_FALSE(config) << row.change;
    EXPECT_EQ(config.error().code, row.code) << config.error().message;
    EXPECT_NE(config.error().message.find(row.says), std::string::npos) << config.error().message;
  }
}

TEST(AdapterConfigJson, NewerPeftAndExpressionsAreRead) {
  Value json = *parse_json(slurp(golden("tiny-llama", "adapter0/adapter_config.json")));
  json["lora_bias"] = false;
  json["eva_config"] = nullptr;
  json["target_modules"] = ".*proj";
  const auto config = parse_adapter_config(json);
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->target_pattern, ".*proj");
  EXPECT_NE(to_json(*config).find(R"("target_modules": ".*proj")"), std::string::npos) << to_json(*config);

  const TempFolder folder;
  spill(folder / "adapter_config.json", json.dump());
  std::filesystem::copy_file(golden("tiny-llama", "adapter0/adapter_model.safetensors"),
                             folder / "adapter_model.safetensors");
  const auto adapter = read_adapter(folder.path(), model_of("tiny-llama"));
  ASSERT_TRUE(adapter) << adapter.error().message;
  EXPECT_EQ(adapter->lora.parameter_count(),
            read_adapter(golden("tiny-llama", "adapter0"), model_of("tiny-llama"))->lora.parameter_count());
}

// What is left out by layer is written by its paths, which every PEFT takes.
TEST(ReadAdapter, ChosenLayersAndModulesAreThoseWithTensors) {
  const ModelConfig model = model_of("tiny-llama");
  for (const char* choice : {R"({"layers_to_transform":[1]})", R"({"layers_to_transform":1,"layers_pattern":null})",
                             R"({"exclude_modules":["layers.0.self_attn.q_proj"]})",
                             R"({"target_modules":"model\\.layers\\.1\\.self_attn\\.(q)_proj"})"}) {
    AdapterConfig one{.target_modules = {"model.layers.1.self_attn.q_proj"}};
    auto lora = make_lora(one, model);
    ASSERT_TRUE(lora);
    lora->find(1, Linear::Q)->a.fill(0.25F);
    const TempFolder folder;
    ASSERT_TRUE(write_adapter(folder.path(), {.target_modules = {"q_proj"}}, *lora));
    Value json = *parse_json(slurp(folder / "adapter_config.json"));
    const Value change = *parse_json(choice);
    for (const auto& [key, value] : change.as_object()) json[key] = value;
    spill(folder / "adapter_config.json", json.dump());
    auto read = read_adapter(folder.path(), model);
    ASSERT_TRUE(read) << choice << ": " << read.error().message;
    EXPECT_EQ(read->lora.find(0, Linear::Q), nullptr);
    ASSERT_NE(read->lora.find(1, Linear::Q), nullptr);
    EXPECT_EQ(read->lora.find(1, Linear::Q)->a.view().at(0, 0), 0.25F);
    ASSERT_TRUE(write_adapter(folder.path(), read->config, read->lora));
    EXPECT_TRUE(read_adapter(folder.path(), model)) << "what was written from " << choice;
  }
}

TEST(ReadAdapter, AnotherModelsAdapterIsRefused) {
  const auto adapter = read_adapter(golden("tiny-llama", "adapter0"), model_of("tiny-gemma2"));
  ASSERT_FALSE(adapter);
  EXPECT_EQ(adapter.error().code, ErrorCode::Corrupt);
  EXPECT_NE(adapter.error().help.find("this base model"), std::string::npos);
}

TEST(ReadAdapter, MissingAndSurplusTensorsAreErrors) {
  const ModelConfig model = model_of("tiny-llama");
  const TempFolder folder;
  auto lora = make_lora({.target_modules = {"q_proj", "v_proj"}}, model);
  ASSERT_TRUE(lora);
  ASSERT_TRUE(write_adapter(folder.path(), {.target_modules = {"q_proj"}}, *lora));
  const auto surplus = read_adapter(folder.path(), model);
  ASSERT_FALSE(surplus);
  EXPECT_NE(surplus.error().message.find("holds 8 tensors"), std::string::npos) << surplus.error().message;
  ASSERT_TRUE(write_adapter(folder.path(), {.target_modules = {"q_proj", "v_proj", "k_proj"}}, *lora));
  const auto missing = read_adapter(folder.path(), model);
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().message.find("k_proj"), std::string::npos);
  EXPECT_EQ(read_adapter(folder / "none", model).error().code, ErrorCode::NotFound);
}

}  // namespace
}  // namespace slipway::ml
