#include "slipway/ml/generator.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "ml/support/files.h"
#include "ml/support/tiny_model.h"
#include "slipway/ml/adapter_folder.h"
#include "slipway/ml/loaded_model.h"

namespace slipway::ml {
namespace {

using testing::fixture;
using testing::golden;
using testing::json_lines;

std::vector<TokenId> ids_of(const Value& row, std::string_view name) {
  std::vector<TokenId> ids;
  for (const auto& id : row.find(name)->as_array()) ids.push_back(static_cast<TokenId>(id.as_int()));
  return ids;
}

class GeneratorTest : public ::testing::TestWithParam<std::string> {
 protected:
  void open(const std::string& name, GeneratorLimits limits = {}) {
    name_ = name;
    loaded_.emplace(load_model(fixture("models/" + name + "-fp32")).value());
    adapter_ = read_adapter(golden(name, "adapter0"), loaded_->model.config()).value();
    generator_.emplace(loaded_->model, loaded_->tokenizer, compute_, limits);
  }
  // Where the continuations of a request arrive.
  std::shared_ptr<std::map<int, Generation>> add(std::vector<TokenId> prompt, const SamplingParams& params,
                                                 const Lora* lora = nullptr) {
    auto results = std::make_shared<std::map<int, Generation>>();
    GenerationRequest request{
        .prompt = std::move(prompt),
        .params = params,
        .lora = lora,
        .seed = 11,
        .events = {.finished = [results](int index, Generation g) { (*results)[index] = std::move(g); }}};
    generator_->add(std::move(request));
    return results;
  }
  void run() {
    while (!generator_->idle()) generator_->step();
  }
  Generation one(const std::vector<TokenId>& prompt, const SamplingParams& params) {
    const auto results = add(prompt, params);
    run();
    return results->at(0);
  }

  std::string name_;
  Compute compute_{{.threads = 1, .isa = {}}};
  std::optional<LoadedModel> loaded_;
  Adapter adapter_;
  std::optional<Generator> generator_;
};

constexpr SamplingParams greedy(int max_tokens) {
  SamplingParams params;
  params.temperature = 0;
  params.max_tokens = max_tokens;
  params.ignore_eos = true;
  return params;
}

// All prompts, with and without adapter, decoded together, long prompts in pieces: each says what transformers says.
TEST_P(GeneratorTest, GreedyIsThatOfTransformers) {
  open(GetParam(), {.step_tokens = 64});
  const auto rows = json_lines(golden(name_, "generate.jsonl"));
  std::vector<std::shared_ptr<std::map<int, Generation>>> results;
  for (const auto& row : rows)
    results.push_back(
        add(ids_of(row, "prompt_ids"), greedy(64), row.get_string("model") == "base" ? nullptr : &adapter_.lora));
  run();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto want = ids_of(rows[i], "ids");
    const auto got = results[i]->at(0).ids;
    const auto [at, other] = std::mismatch(got.begin(), got.end(), want.begin(), want.end());
    // From a near tie on both ways are right.
    if (at == got.end() && got.size() == want.size()) continue;
    ASSERT_NE(at, got.end()) << "row " << i;
    const auto gap = rows[i].find("top2_gap")->as_array()[static_cast<std::size_t>(at - got.begin())].as_double();
    EXPECT_LE(gap, 2e-3) << "row " << i << " differs at " << at - got.begin();
  }
}

// 2,000 draws of each setting against the probabilities of the reference: every share within 5 standard deviations.
TEST_P(GeneratorTest, DrawsFollowTheReferenceProbabilities) {
  open(GetParam());
  constexpr int kDraws = 2000;
  for (const auto& row : json_lines(golden(name_, "sampling.jsonl"))) {
    SamplingParams params;
    params.temperature = row.find("temperature")->as_double();
    params.top_k = static_cast<int>(row.get_int("top_k"));
    params.top_p = row.find("top_p")->as_double();
    params.repetition_penalty = row.find("repetition_penalty")->as_double();
    params.n = kDraws;
    params.max_tokens = 1;
    params.ignore_eos = true;
    const auto results = add(ids_of(row, "prompt_ids"), params);
    run();
    ASSERT_EQ(results->size(), kDraws);
    std::map<TokenId, int> counts;
    for (const auto& [index, generation] : *results) ++counts[generation.ids.at(0)];
    std::size_t listed = 0;
    for (const auto& pair : row.find("top")->as_array()) {
      const double p = pair.as_array()[1].as_double();
      const int count = counts[static_cast<TokenId>(pair.as_array()[0].as_int())];
      EXPECT_NEAR(count, kDraws * p, 5 * std::sqrt(kDraws * p * (1 - p)) + 1) << row.dump().substr(0, 120);
      listed += count > 0 ? 1 : 0;
    }
    EXPECT_LE(listed, static_cast<std::size_t>(row.get_int("support")));
  }
}

INSTANTIATE_TEST_SUITE_P(Models, GeneratorTest, ::testing::Values("tiny-gemma2", "tiny-llama", "tiny-qwen2"),
                         [](const auto& row) { return row.param.substr(5); });

TEST_F(GeneratorTest, NeighboursDoNotMatter) {
  open("tiny-gemma2");
  SamplingParams params = greedy(12);
  params.temperature = 1;
  params.seed = 3;
  const std::vector<TokenId> prompt{2, 7, 341, 339};
  const auto alone = one(prompt, params).ids;
  const auto first = add(prompt, params);
  add({2, 9, 299, 401, 340, 325}, greedy(20), &adapter_.lora);
  add({2, 9}, greedy(3));
  run();
  EXPECT_EQ(first->at(0).ids, alone);
}

TEST_F(GeneratorTest, MoreRequestsThanPlacesAllFinish) {
  open("tiny-gemma2", {.sequences_max = 2});
  std::vector<std::shared_ptr<std::map<int, Generation>>> results;
  for (int i = 0; i < 7; ++i) results.push_back(add({2, 7, 9 + i}, greedy(4 + i)));
  run();
  for (int i = 0; i < 7; ++i) EXPECT_EQ(results[static_cast<std::size_t>(i)]->at(0).ids.size(), 4U + i);
}

TEST_F(GeneratorTest, ContinuationsOfOnePromptDiffer) {
  open("tiny-gemma2");
  SamplingParams params;
  params.temperature = 3;
  params.n = 4;
  params.max_tokens = 10;
  params.ignore_eos = true;
  const auto results = add({2, 9, 299}, params);
  run();
  ASSERT_EQ(results->size(), 4U);
  EXPECT_NE(results->at(0).ids, results->at(1).ids);
  // Each is what it would be alone after the same first draws: a fork copies the cache, not a neighbour's.
  const auto again = add({2, 9, 299}, params);
  run();
  for (int i = 0; i < 4; ++i) EXPECT_EQ(again->at(i).ids, results->at(i).ids) << i;
}

// Of a long prompt in pieces and a short one, with and without kept beginnings: what the logits of the whole say.
TEST_F(GeneratorTest, LogprobsOfThePrompt) {
  open("tiny-qwen2", {.step_tokens = 64, .prefix_cache = true});
  Rng rng(3);
  for (const int length : {150, 150, 5, 1}) {
    std::vector<TokenId> prompt;
    for (int i = 0; i < length; ++i)
      prompt.push_back(static_cast<TokenId>(3 + (length == 150 ? i % 90 : rng.below(90))));
    SamplingParams params = greedy(3);
    params.logprobs = 2;
    params.prompt_logprobs = true;
    params.n = 2;
    const auto results = add(prompt, params);
    run();
    const Matrix logits = loaded_->model.logits(compute_, prompt, nullptr);
    for (const int index : {0, 1}) {
      const auto& got = results->at(index).prompt_logprobs;
      ASSERT_EQ(std::ssize(got), length - 1);
      for (std::size_t t = 0; t < got.size(); ++t) {
        const std::span row(logits.row(static_cast<std::int64_t>(t)), static_cast<std::size_t>(logits.cols()));
        const auto want = logprobs_of(row, static_cast<std::int32_t>(logits.cols()), prompt[t + 1], 2);
        EXPECT_EQ(got[t].chosen.id, prompt[t + 1]);
        EXPECT_NEAR(got[t].chosen.logprob, want.chosen.logprob, 1e-4F);
        EXPECT_NEAR(got[t].likeliest[0].logprob, want.likeliest[0].logprob, 1e-4F);
      }
      EXPECT_EQ(results->at(index).logprobs.size(), 3U);
    }
  }
  EXPECT_EQ(generator_->load().prefix_tokens_found, 0) << "who asks for a prompt's logits computes it";
}

TEST_F(GeneratorTest, StopsAtATokenAndLeavesItOutOfTheText) {
  open("tiny-gemma2");
  const std::vector<TokenId> prompt{2, 7, 341, 339, 383};
  const auto free = one(prompt, greedy(8));
  SamplingParams params = greedy(8);
  params.stop_token_ids = {free.ids[2]};
  const auto stopped = one(prompt, params);
  EXPECT_EQ(stopped.finish, FinishReason::Stop);
  EXPECT_EQ(stopped.ids.back(), free.ids[2]);
  EXPECT_LT(stopped.text.size(), free.text.size());
  EXPECT_EQ(free.finish, FinishReason::Length);
}

TEST_F(GeneratorTest, StopsAtAString) {
  open("tiny-gemma2");
  const std::vector<TokenId> prompt{2, 7, 341, 339, 383};
  const auto free = one(prompt, greedy(20));
  ASSERT_GT(free.text.size(), 6U);
  SamplingParams params = greedy(20);
  params.stop = {free.text.substr(3, 2)};
  const auto stopped = one(prompt, params);
  EXPECT_EQ(stopped.finish, FinishReason::Stop);
  EXPECT_EQ(stopped.text, free.text.substr(0, free.text.find(params.stop[0])));
  EXPECT_LT(stopped.ids.size(), free.ids.size());
}

TEST_F(GeneratorTest, EndsWhereTheContextEnds) {
  open("tiny-gemma2");
  const auto context = loaded_->model.config().context_length;
  const auto result = one(std::vector<TokenId>(static_cast<std::size_t>(context) - 3, 9), greedy(50));
  EXPECT_EQ(result.ids.size(), 3U);
  EXPECT_EQ(result.finish, FinishReason::Length);
}

TEST_F(GeneratorTest, CancelledRequestsLeave) {
  open("tiny-gemma2", {.sequences_max = 2});
  std::vector<std::pair<int, FinishReason>> ends;
  const auto request = [&](int n) {
    auto params = greedy(1000);
    params.n = n;
    return GenerationRequest{
        .prompt = {2, 9}, .params = params, .events = {.finished = [&, n](int index, const Generation& g) {
                                              ends.emplace_back(10 * n + index, g.finish);
                                            }}};
  };
  const auto first = generator_->add(request(1));
  generator_->step();
  const auto second = generator_->add(request(2));
  generator_->step();
  generator_->cancel(second);
  EXPECT_EQ(ends,
            (std::vector<std::pair<int, FinishReason>>{{21, FinishReason::Cancelled}, {20, FinishReason::Cancelled}}))
      << "it waited; all its continuations end";
  generator_->cancel(second);
  EXPECT_EQ(ends.size(), 2U);
  generator_->cancel(first);
  EXPECT_EQ(ends.back(), (std::pair{10, FinishReason::Cancelled}));
  EXPECT_TRUE(generator_->idle());
  EXPECT_EQ(generator_->load().pages_used, 0);
}

TEST(LoadModel, KnowsWhatEndsAText) {
  const auto loaded = load_model(fixture("models/tiny-gemma2-bf16"));
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ(loaded->tokenizer.token(loaded->text_end), "<eos>");
  EXPECT_EQ(load_model(fixture("models/none")).error().code, ErrorCode::NotFound);
}

}  // namespace
}  // namespace slipway::ml
