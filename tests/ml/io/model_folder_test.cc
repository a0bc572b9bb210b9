#include "slipway/ml/model_folder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "ml/io/fixtures.h"
#include "support/files.h"
#include "support/temp_folder.h"

namespace slipway::ml {
namespace {

using test::slurp;
using test::spill;
using test::TempFolder;

TEST(ModelConfigJson, ReadsGemma2) {
  const auto config = read_model_config(model_fixture("tiny-gemma2", "bf16"));
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->family, ModelFamily::Gemma2);
  EXPECT_EQ(config->hidden_size, 40);
  EXPECT_EQ(config->head_dim, 16);
  EXPECT_EQ(config->kv_heads, 2);
  EXPECT_EQ(config->activation, Activation::GeluTanh);
  EXPECT_TRUE(config->norm_one_plus && config->post_norms && config->tied_head);
  EXPECT_FALSE(config->qkv_bias || config->o_bias || config->mlp_bias);
  EXPECT_EQ(config->sliding_window, (std::vector<std::int64_t>{16, 0, 16}));
  EXPECT_FLOAT_EQ(config->embed_scale, std::sqrt(40.0F));
  EXPECT_FLOAT_EQ(config->attention_scale, 1 / std::sqrt(24.0F));
  EXPECT_EQ(config->attention_softcap, 50);
  EXPECT_EQ(config->final_softcap, 30);
  EXPECT_EQ(config->bos_token, 2);
  EXPECT_EQ(config->eos_tokens, (std::vector<std::int32_t>{1, 8}));
  EXPECT_EQ(config->pad_token, 0);
}

TEST(ModelConfigJson, ReadsLlamaAndQwen2) {
  const auto llama = read_model_config(model_fixture("tiny-llama", "fp32"));
  ASSERT_TRUE(llama) << llama.error().message;
  EXPECT_EQ(llama->family, ModelFamily::Llama);
  EXPECT_FALSE(llama->tied_head || llama->norm_one_plus || llama->qkv_bias);
  EXPECT_TRUE(llama->sliding_window.empty());
  EXPECT_EQ(llama->embed_scale, 1);
  const auto qwen = read_model_config(model_fixture("tiny-qwen2", "fp32"));
  ASSERT_TRUE(qwen) << qwen.error().message;
  EXPECT_TRUE(qwen->qkv_bias && qwen->tied_head);
  EXPECT_FALSE(qwen->o_bias);
  EXPECT_EQ(qwen->head_dim, 12);
  EXPECT_EQ(qwen->rope.theta, 1e6);
  EXPECT_FLOAT_EQ(qwen->attention_scale, 1 / std::sqrt(12.0F));
  EXPECT_EQ(qwen->bos_token, std::nullopt);
  EXPECT_EQ(qwen->eos_tokens, (std::vector<std::int32_t>{502, 500}));
}

Value llama_json() { return *parse_json(slurp(model_fixture("tiny-llama", "fp32") / "config.json")); }

TEST(ModelConfigJson, ReadsBothSpellingsOfRope) {
  Value old = llama_json();
  old["rope_scaling"] = *parse_json(R"({"type":"llama3","factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0,
                                         "original_max_position_embeddings":8192})");
  old["rope_theta"] = 500000.0;
  Value renamed = llama_json();
  renamed["rope_parameters"] = *parse_json(R"({"rope_type":"llama3","rope_theta":500000.0,"factor":8.0,
      "low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":8192})");
  for (const Value& json : {old, renamed}) {
    const auto config = parse_model_config(json, {});
    ASSERT_TRUE(config) << config.error().message;
    EXPECT_EQ(config->rope.theta, 500000);
    EXPECT_EQ(config->rope.scaling, RopeScaling::Llama3);
    EXPECT_EQ(config->rope.factor, 8);
    EXPECT_EQ(config->rope.original_context, 8192);
  }
}

TEST(ModelConfigJson, FamilyDefaultsAndBiases) {
  Value json = llama_json();
  json["attention_bias"] = true;
  json["mlp_bias"] = true;
  json.as_object().erase("head_dim");
  json.as_object().erase("num_key_value_heads");
  json["hidden_size"] = 64;
  json["num_attention_heads"] = 4;
  const auto config = parse_model_config(json, *parse_json(R"({"eos_token_id":[501,7]})"));
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_TRUE(config->qkv_bias && config->o_bias && config->mlp_bias);
  EXPECT_EQ(config->head_dim, 16);
  EXPECT_EQ(config->kv_heads, 4);
  EXPECT_EQ(config->eos_tokens, (std::vector<std::int32_t>{501, 504, 7}));
}

TEST(ModelConfigJson, QwenSlidesOnlyItsUpperLayers) {
  Value json = *parse_json(slurp(model_fixture("tiny-qwen2", "fp32") / "config.json"));
  json["use_sliding_window"] = true;
  json["sliding_window"] = 32;
  json["max_window_layers"] = 1;
  const auto config = parse_model_config(json, {});
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->sliding_window, (std::vector<std::int64_t>{0, 32}));
}

TEST(ModelConfigJson, ReadsQwen3) {
  Value json = *parse_json(slurp(model_fixture("tiny-qwen2", "fp32") / "config.json"));
  json["model_type"] = "qwen3";
  json["head_dim"] = 20;
  const auto plain = parse_model_config(json, {});
  ASSERT_TRUE(plain) << plain.error().message;
  EXPECT_TRUE(plain->qk_norm);
  EXPECT_FALSE(plain->qkv_bias || plain->o_bias);
  EXPECT_EQ(plain->head_dim, 20);
  EXPECT_FLOAT_EQ(plain->attention_scale, 1 / std::sqrt(20.0F));
  json["attention_bias"] = true;
  const auto biased = parse_model_config(json, {});
  ASSERT_TRUE(biased) << biased.error().message;
  EXPECT_TRUE(biased->qkv_bias && biased->o_bias);
  json.as_object().erase("head_dim");
  EXPECT_FALSE(parse_model_config(json, {})) << "its default is not hidden_size / heads";
}

Value gemma3_json() {
  Value json = *parse_json(slurp(model_fixture("tiny-gemma2", "fp32") / "config.json"));
  json["model_type"] = "gemma3_text";
  json["attn_logit_softcapping"] = Value();
  json.as_object().erase("final_logit_softcapping");
  json["rope_local_base_freq"] = 10000.0;
  json["rope_theta"] = 1000000.0;
  json["sliding_window_pattern"] = 3;
  return json;
}

TEST(ModelConfigJson, ReadsGemma3) {
  Value json = gemma3_json();
  json["rope_scaling"] = *parse_json(R"({"rope_type":"linear","factor":8.0})");
  const auto config = parse_model_config(json, {});
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_TRUE(config->qk_norm && config->norm_one_plus && config->post_norms && config->tied_head);
  EXPECT_EQ(config->attention_softcap, 0);
  EXPECT_EQ(config->final_softcap, 0);
  EXPECT_EQ(config->sliding_window, (std::vector<std::int64_t>{16, 16, 0}));
  EXPECT_EQ(config->rope.theta, 1e6);
  EXPECT_EQ(config->rope.factor, 8);
  ASSERT_TRUE(config->local_rope);
  EXPECT_EQ(config->local_rope->theta, 1e4);
  EXPECT_EQ(config->local_rope->scaling, RopeScaling::None);
}

TEST(ModelConfigJson, Gemma3WhoseLayersAllSeeEverything) {
  Value json = gemma3_json();
  json["sliding_window_pattern"] = 1;
  json["attn_logit_softcapping"] = 5.0;
  const auto config = parse_model_config(json, {});
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_TRUE(config->sliding_window.empty());
  EXPECT_FALSE(config->local_rope);
  EXPECT_EQ(config->attention_softcap, 0) << "transformers has no such cap for Gemma 3";
}

TEST(ModelConfigJson, NewerFilesNameEachLayer) {
  Value json = gemma3_json();
  json["layer_types"] = *parse_json(R"(["full_attention","sliding_attention","full_attention"])");
  json["rope_parameters"] = *parse_json(R"({"full_attention":{"rope_type":"default","rope_theta":500000.0},
                                            "sliding_attention":{"rope_type":"default","rope_theta":20000.0}})");
  const auto config = parse_model_config(json, {});
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->sliding_window, (std::vector<std::int64_t>{0, 16, 0}));
  EXPECT_EQ(config->rope.theta, 500000);
  EXPECT_EQ(config->local_rope->theta, 20000);
}

TEST(ModelConfigJson, YarnTakesTheContextItIsTrainedOn) {
  Value json = llama_json();
  json["rope_scaling"] = *parse_json(R"({"type":"yarn","factor":4.0,"original_max_position_embeddings":512})");
  const auto config = parse_model_config(json, {});
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->rope.scaling, RopeScaling::Yarn);
  EXPECT_EQ(config->rope.original_context, 512);
  EXPECT_NEAR(config->rope.attention_factor, 0.1 * std::log(4.0) + 1, 1e-12);
  json["rope_scaling"] = *parse_json(R"({"type":"yarn","factor":4.0,"attention_factor":1.5})");
  EXPECT_EQ(parse_model_config(json, {})->rope.original_context, 2048) << "the whole context";
  EXPECT_EQ(parse_model_config(json, {})->rope.attention_factor, 1.5);
}

TEST(ModelConfigJson, ErrorsNameTheFieldAndTheCure) {
  struct Row {
    std::string model;
    std::string change;  // merged into the config; null removes
    ErrorCode code;
    std::string says;
  };
  using enum ErrorCode;
  for (const Row& row : std::vector<Row>{
           {"tiny-llama", R"({"model_type":"mistral"})", Unsupported, "mistral"},
           {"tiny-llama", R"({"model_type":null})", Corrupt, "`model_type` is missing"},
           {"tiny-llama", R"({"hidden_size":null})", Corrupt, "`hidden_size` is missing"},
           {"tiny-llama", R"({"hidden_size":"40"})", Corrupt, "`hidden_size` is \"40\""},
           {"tiny-llama", R"({"hidden_act":"relu"})", Unsupported, "relu"},
           {"tiny-llama", R"({"rope_scaling":{"rope_type":"longrope","factor":4}})", Unsupported, "longrope"},
           {"tiny-gemma2", R"({"layer_types":["full_attention"]})", Corrupt, "`layer_types`"},
           {"tiny-gemma2", R"({"layer_types":["full_attention","full_attention","mamba"]})", Corrupt, "mamba"},
           {"tiny-llama", R"({"rope_scaling":{"rope_type":"yarn","factor":4,"beta_slow":40}})", InvalidArgument,
            "beta_slow"},
           {"tiny-gemma2", R"({"model_type":"gemma3_text"})", Corrupt, "`rope_local_base_freq` is missing"},
           {"tiny-llama", R"({"rope_scaling":{"rope_type":"llama3","factor":4}})", Corrupt, "low_freq_factor"},
           {"tiny-llama", R"({"quantization_config":{"quant_method":"gptq"}})", Unsupported, "gptq"},
           {"tiny-llama", R"({"num_hidden_layers":1000000000})", Corrupt, "num_hidden_layers"},
           {"tiny-llama", R"({"num_attention_heads":0,"head_dim":null})", Corrupt, "num_attention_heads"},
           {"tiny-llama", R"({"num_key_value_heads":3})", InvalidArgument, "num_key_value_heads"},
           {"tiny-llama", R"({"eos_token_id":"</s>"})", Corrupt, "eos_token_id"},
           {"tiny-gemma2", R"({"query_pre_attn_scalar":null})", Corrupt, "`query_pre_attn_scalar` is missing"},
           {"tiny-gemma2", R"({"head_dim":null})", Corrupt, "`head_dim` is missing"},
           {"tiny-gemma2", R"({"sliding_window":null})", Corrupt, "`sliding_window` is missing"},
       }) {
    Value json = *parse_json(slurp(model_fixture(row.model, "fp32") / "config.json"));
    const Value change = *parse_json(row.change);
    for (const auto& [key, value] : change.as_object()) json[key] = value;
    const auto config = parse_model_config(json, {});
    ASSERT_FALSE(config) << row.change;
    EXPECT_EQ(config.error().code, row.code) << config.error().message;
    EXPECT_NE(config.error().message.find(row.says), std::string::npos) << config.error().message;
  }
  const auto absent = read_model_config(fixture("models"));
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().code, ErrorCode::NotFound);
  EXPECT_NE(absent.error().message.find("config.json"), std::string::npos);
}

TEST(FolderTensors, ShardsAndOneFileHoldTheSame) {
  const auto shards = FolderTensors::open(model_fixture("tiny-llama", "fp32"));
  const auto single = FolderTensors::open(model_fixture("tiny-llama", "bf16"));
  ASSERT_TRUE(shards && single);
  std::vector<std::string> a = shards->names();
  std::vector<std::string> b = single->names();
  std::sort(a.begin(), a.end());
  std::sort(b.begin(), b.end());
  EXPECT_EQ(a, b);
  EXPECT_EQ(shards->byte_count(), 2 * single->byte_count());
  EXPECT_EQ(shards->find("model.norm.weight")->dtype, Dtype::F32);
  EXPECT_EQ(shards->find("none").error().code, ErrorCode::NotFound);
}

TEST(FolderTensors, RefusesBrokenIndexes) {
  struct Row {
    std::string index;
    ErrorCode code;
    std::string says;
  };
  for (const Row& row : std::vector<Row>{
           {"{}", ErrorCode::Corrupt, "weight_map"},
           {R"({"weight_map":{"a":"../x.safetensors"}})", ErrorCode::Corrupt, "no file of the folder"},
           {R"({"weight_map":{"a":5}})", ErrorCode::Corrupt, "no file of the folder"},
           {R"({"weight_map":{"a":"gone.safetensors"}})", ErrorCode::NotFound, "gone"},
           {R"({"weight_map":{"a":"s.safetensors","b":"s.safetensors"}})", ErrorCode::Corrupt, "lists 2 tensors"}}) {
    const TempFolder folder;
    const std::byte byte{1};
    ASSERT_TRUE(write_safetensors(folder / "s.safetensors", {{"a", Dtype::U8, {1}}}, {std::span(&byte, 1)}));
    spill(folder / "model.safetensors.index.json", row.index);
    const auto tensors = FolderTensors::open(folder.path());
    ASSERT_FALSE(tensors) << row.index;
    EXPECT_EQ(tensors.error().code, row.code) << tensors.error().message;
    EXPECT_NE(tensors.error().message.find(row.says), std::string::npos) << tensors.error().message;
  }
  const TempFolder empty;
  EXPECT_EQ(FolderTensors::open(empty.path()).error().code, ErrorCode::NotFound);
}

TEST(FolderWriter, CutsIntoShardsAndReplacesOldWeights) {
  const TempFolder folder;
  spill(folder / "model-00001-of-00009.safetensors", "old");
  spill(folder / "notes.txt", "kept");
  const std::vector<TensorSpec> specs = {
      {"a", Dtype::U8, {3}}, {"b", Dtype::U8, {3}}, {"c", Dtype::U8, {9}}, {"d", Dtype::U8, {1}}};
  auto writer = FolderWriter::create(folder.path(), specs, 7);
  ASSERT_TRUE(writer);
  std::vector<std::byte> bytes(16);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i);
  ASSERT_TRUE(writer->write(std::span(bytes).first(5)));  // across the border of a and b
  ASSERT_TRUE(writer->write(std::span(bytes).subspan(5)));
  ASSERT_TRUE(writer->finish());

  const auto index = parse_json(slurp(folder / "model.safetensors.index.json"));
  ASSERT_TRUE(index);
  EXPECT_EQ(index->dump(), R"({"metadata":{"total_size":16},"weight_map":{"a":"model-00001-of-00003.safetensors",)"
                           R"("b":"model-00001-of-00003.safetensors","c":"model-00002-of-00003.safetensors",)"
                           R"("d":"model-00003-of-00003.safetensors"}})");
  const auto tensors = FolderTensors::open(folder.path());
  ASSERT_TRUE(tensors) << tensors.error().message;
  EXPECT_EQ(tensors->find("c")->bytes[0], std::byte{6});
  EXPECT_EQ(tensors->find("d")->bytes[0], std::byte{15});
  EXPECT_FALSE(std::filesystem::exists(folder / "model-00001-of-00009.safetensors"));
  EXPECT_EQ(slurp(folder / "notes.txt"), "kept");
}

}  // namespace
}  // namespace slipway::ml
