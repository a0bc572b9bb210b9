// What a sequence says does not depend on what else is decoded: bits, not tolerances.
#include <gtest/gtest.h>

#include <map>

#include "ml/support/files.h"
#include "ml/support/tiny_model.h"
#include "slipway/ml/adapter_folder.h"
#include "slipway/ml/generator.h"
#include "slipway/ml/loaded_model.h"

namespace slipway::ml {
namespace {

using testing::fixture;
using testing::golden;

// A request whose every logit shows in its log-probabilities.
struct Asked {
  std::vector<TokenId> prompt;
  SamplingParams params;
  bool adapted = false;
};

class BatchingTest : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    loaded_.emplace(load_model(fixture("models/" + GetParam() + "-fp32")).value());
    adapter_ = read_adapter(golden(GetParam(), "adapter0"), loaded_->model.config()).value();
    Rng rng(4);
    for (const int length : {1, 3, 70, 130, 200, 64, 9, 128, 17}) {
      Asked asked;
      for (int i = 0; i < length; ++i) asked.prompt.push_back(static_cast<TokenId>(3 + rng.below(300)));
      asked.params = {.max_tokens = 20 + length % 7, .seed = rng.next(), .logprobs = 5, .ignore_eos = true};
      asked.adapted = length % 2 == 0;
      asked_.push_back(std::move(asked));
    }
    asked_[3].params.n = 3;
    asked_[4].params.temperature = 0;
  }
  GenerationRequest request(std::size_t which) {
    return {.prompt = asked_[which].prompt,
            .params = asked_[which].params,
            .lora = asked_[which].adapted ? &adapter_.lora : nullptr,
            .events = {.finished = [this, which](int index, Generation generation) {
              results_[{which, index}] = std::move(generation);
            }}};
  }
  std::map<std::pair<std::size_t, int>, Generation> alone() {
    for (std::size_t i = 0; i < asked_.size(); ++i) {
      Generator generator(loaded_->model, loaded_->tokenizer, compute_, {});
      generator.add(request(i));
      while (!generator.idle()) generator.step();
    }
    return std::exchange(results_, {});
  }
  static void expect_same(const std::map<std::pair<std::size_t, int>, Generation>& got,
                          const std::map<std::pair<std::size_t, int>, Generation>& want) {
    ASSERT_EQ(got.size(), want.size());
    for (const auto& [key, one] : want) {
      const auto& other = got.at(key);
      EXPECT_EQ(other.ids, one.ids) << "request " << key.first;
      EXPECT_EQ(other.text, one.text);
      ASSERT_EQ(other.logprobs.size(), one.logprobs.size());
      for (std::size_t i = 0; i < one.logprobs.size(); ++i) {
        EXPECT_EQ(other.logprobs[i].chosen.logprob, one.logprobs[i].chosen.logprob) << key.first << " token " << i;
        for (std::size_t k = 0; k < one.logprobs[i].likeliest.size(); ++k)
          EXPECT_EQ(other.logprobs[i].likeliest[k].logprob, one.logprobs[i].likeliest[k].logprob);
      }
    }
  }

  Compute compute_{{.threads = 2}};
  std::optional<LoadedModel> loaded_;
  Adapter adapter_;
  std::vector<Asked> asked_;
  std::map<std::pair<std::size_t, int>, Generation> results_;
};

TEST_P(BatchingTest, NeighboursChangeNoBit) {
  const auto want = alone();
  Generator generator(loaded_->model, loaded_->tokenizer, compute_, {.sequences_max = 6, .step_tokens = 128});
  // Some come while others are in work.
  for (std::size_t i = 0; i < asked_.size(); ++i) {
    generator.add(request(i));
    for (std::size_t step = 0; step < i % 4; ++step) generator.step();
  }
  while (!generator.idle()) generator.step();
  expect_same(results_, want);
  EXPECT_EQ(generator.load().preemptions, 0);
}

// Pages for a third of them: sequences give theirs back and compute them again.
TEST_P(BatchingTest, PreemptionChangesNoBit) {
  const auto want = alone();
  const std::size_t page = KvPool::bytes_per_token(loaded_->model.config()) * KvPool::kPageTokens;
  Generator generator(loaded_->model, loaded_->tokenizer, compute_, {.sequences_max = 16, .kv_bytes_max = 5 * page});
  ASSERT_EQ(generator.load().pages, 5);
  for (std::size_t i = 0; i < asked_.size(); ++i) generator.add(request(i));
  while (!generator.idle()) {
    generator.step();
    EXPECT_LE(generator.load().pages_used, 5);
  }
  expect_same(results_, want);
  EXPECT_GT(generator.load().preemptions, 0);
  EXPECT_EQ(generator.load().pages_used, 0);
}

TEST_P(BatchingTest, ThreadsAndChunksChangeNoBit) {
  const auto want = alone();
  Compute one({.threads = 1});
  Generator generator(loaded_->model, loaded_->tokenizer, one, {.step_tokens = 1000});
  for (std::size_t i = 0; i < asked_.size(); ++i) generator.add(request(i));
  while (!generator.idle()) generator.step();
  expect_same(results_, want);
}

// Prompts that begin alike, one after the other and together, with little room and with much: found pages have the bits
// that would have been computed, and no sequence waits for ever on what is kept.
TEST_P(BatchingTest, KeptBeginningsChangeNoBit) {
  for (const std::size_t which : {std::size_t{3}, std::size_t{4}, std::size_t{7}}) {
    asked_.push_back(asked_[which]);
    asked_.back().prompt.resize(asked_.back().prompt.size() - 1);
    asked_.push_back(asked_[which]);
    asked_.back().prompt.push_back(5);
    asked_.push_back(asked_[which]);
    asked_.back().adapted = !asked_.back().adapted;
    asked_.push_back(asked_[which]);
    asked_.back().prompt[70] ^= 1;
  }
  const auto want = alone();
  const std::size_t page = KvPool::bytes_per_token(loaded_->model.config()) * KvPool::kPageTokens;
  for (const std::size_t pages : {5, 9, 100}) {
    Generator generator(loaded_->model, loaded_->tokenizer, compute_,
                        {.step_tokens = 96, .kv_bytes_max = pages * page, .prefix_cache = true});
    for (const bool together : {false, true}) {
      for (std::size_t i = 0; i < asked_.size(); ++i) {
        generator.add(request(i));
        while (!together && !generator.idle()) generator.step();
      }
      while (!generator.idle()) generator.step();
      expect_same(std::exchange(results_, {}), want);
      EXPECT_EQ(generator.load().pages_used, 0);
    }
    const auto load = generator.load();
    EXPECT_GT(load.prefix_tokens_found, 0) << pages;
    EXPECT_LT(load.prefix_tokens_found, load.prefix_tokens_asked);
    // With room for all: the second round finds whatever its prompts have in full pages.
    if (pages == 100) {
      EXPECT_GT(load.prefix_tokens_found, load.prefix_tokens_asked / 2);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, BatchingTest, ::testing::Values("tiny-gemma2", "tiny-llama", "tiny-qwen2"),
                         [](const auto& row) { return row.param.substr(5); });

}  // namespace
}  // namespace slipway::ml
