#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "slipway/ml/sampling.h"

namespace slipway::ml {
namespace {

constexpr int kDraws = 40'000;

// Shares of each id over many draws of the first token.
std::map<std::int32_t, double> shares(const SamplingParams& params, std::vector<float> logits,
                                      const std::vector<std::int32_t>& prompt = {}) {
  std::map<std::int32_t, double> counts;
  for (int i = 0; i < kDraws; ++i) {
    Sampler sampler(params, static_cast<std::uint64_t>(i), {}, static_cast<std::int32_t>(logits.size()));
    sampler.see_prompt(prompt);
    auto own = logits;
    counts[sampler.next(own)] += 1.0 / kDraws;
  }
  return counts;
}

// Logits of the given probabilities.
std::vector<float> logits_of(const std::vector<double>& probabilities) {
  std::vector<float> logits;
  for (const double p : probabilities) logits.push_back(static_cast<float>(std::log(p)));
  return logits;
}

TEST(Sampler, FollowsTheDistribution) {
  const auto got = shares({}, logits_of({0.5, 0.3, 0.2}));
  EXPECT_NEAR(got.at(0), 0.5, 0.01);
  EXPECT_NEAR(got.at(1), 0.3, 0.01);
  EXPECT_NEAR(got.at(2), 0.2, 0.01);
}

TEST(Sampler, TemperatureSharpens) {
  const auto got = shares({.temperature = 0.5}, logits_of({0.5, 0.3, 0.2}));  // squares: 25 9 4
  EXPECT_NEAR(got.at(0), 25.0 / 38, 0.01);
  EXPECT_NEAR(got.at(2), 4.0 / 38, 0.01);
}

TEST(Sampler, ColdIsGreedy) {
  const auto got = shares({.temperature = 0.0}, {1.0F, 5.0F, 5.0F, 2.0F});
  EXPECT_EQ(got.size(), 1U);
  EXPECT_TRUE(got.contains(1)) << "the first of equals";
}

TEST(Sampler, TopKKeepsTies) {
  const auto got = shares({.top_k = 2}, logits_of({0.4, 0.25, 0.25, 0.1}));
  EXPECT_EQ(got.size(), 3U);
  EXPECT_NEAR(got.at(0), 0.4 / 0.9, 0.01);
}

TEST(Sampler, TopPKeepsTheSmallestSetThatReachesIt) {
  EXPECT_EQ(shares({.top_p = 0.7}, logits_of({0.5, 0.3, 0.2})).size(), 2U);
  EXPECT_EQ(shares({.top_p = 0.81}, logits_of({0.5, 0.3, 0.2})).size(), 3U);
  EXPECT_EQ(shares({.top_p = 1e-9}, logits_of({0.5, 0.3, 0.2})).size(), 1U) << "never empty";
}

// top_k = 2 leaves 5/8 and 3/8; top_p = 0.6 of that keeps one, though 0.5 alone would not reach 0.6 before top_k.
TEST(Sampler, TopPActsOnWhatTopKLeft) {
  EXPECT_EQ(shares({.top_k = 2, .top_p = 0.6}, logits_of({0.5, 0.3, 0.2})).size(), 1U);
}

TEST(Sampler, MinPIsRelativeToTheLikeliest) {
  EXPECT_EQ(shares({.min_p = 0.5}, logits_of({0.5, 0.3, 0.2})).size(), 2U);
}

TEST(Sampler, RepetitionPenaltyDividesPositiveAndMultipliesNegative) {
  const SamplingParams params{.temperature = 0.0, .repetition_penalty = 2.0};
  EXPECT_TRUE(shares(params, {4.0F, 2.5F}, {0}).contains(1)) << "4 / 2 < 2.5";
  EXPECT_TRUE(shares(params, {-1.0F, -1.5F}, {0}).contains(1)) << "-1 * 2 < -1.5";
  EXPECT_TRUE(shares(params, {4.0F, 2.5F}, {}).contains(0)) << "unseen: no penalty";
}

TEST(Sampler, FrequencyAndPresenceCountTheOutputOnly) {
  Sampler sampler({.temperature = 0.0, .frequency_penalty = 1.0, .presence_penalty = 0.5}, 0, {}, 2);
  sampler.see_prompt(std::array<std::int32_t, 1>{0});
  std::vector<std::int32_t> got;
  for (int i = 0; i < 4; ++i) {
    std::vector<float> logits{2.0F, 0.0F};
    got.push_back(sampler.next(logits));
  }
  // 2.0; 2 - 1.5 = 0.5; 2 - 2.5 = -0.5 < 0; then 0 - 1.5 < -0.5.
  EXPECT_EQ(got, (std::vector<std::int32_t>{0, 0, 1, 0}));
}

TEST(Sampler, MinTokensMasksTheEnd) {
  Sampler sampler({.temperature = 0.0, .min_tokens = 1}, 0, {1}, 2);
  std::vector<float> first{0.0F, 9.0F};
  std::vector<float> second{0.0F, 9.0F};
  EXPECT_EQ(sampler.next(first), 0);
  EXPECT_EQ(sampler.next(second), 1);
}

TEST(Sampler, NeverChoosesARowWithoutToken) {
  Sampler sampler({.temperature = 0.0}, 0, {}, 2);
  std::vector<float> logits{0.0F, 1.0F, 9.0F};
  EXPECT_EQ(sampler.next(logits), 1);
}

TEST(Sampler, ReplaysFromItsSeed) {
  const auto run = [](std::uint64_t seed) {
    Sampler sampler({}, seed, {}, 50);
    std::vector<std::int32_t> ids;
    for (int i = 0; i < 20; ++i) {
      std::vector<float> logits(50, 0.0F);
      ids.push_back(sampler.next(logits));
    }
    return ids;
  };
  EXPECT_EQ(run(5), run(5));
  EXPECT_NE(run(5), run(6));
}

struct InvalidRow {
  SamplingParams params;
  std::string word;
};
class InvalidTest : public testing::TestWithParam<InvalidRow> {};
TEST_P(InvalidTest, NamesTheParameter) {
  const auto reason = invalid_reason(GetParam().params);
  ASSERT_TRUE(reason.has_value());
  EXPECT_TRUE(reason->find(GetParam().word) != std::string::npos) << *reason;
}
INSTANTIATE_TEST_SUITE_P(
    Rows, InvalidTest,
    testing::Values(InvalidRow{{.temperature = -0.1}, "temperature"},
                    InvalidRow{{.temperature = std::nan("")}, "temperature"}, InvalidRow{{.top_k = -2}, "top_k"},
                    InvalidRow{{.top_p = 0.0}, "top_p"}, InvalidRow{{.top_p = 1.1}, "top_p"},
                    InvalidRow{{.min_p = 2.0}, "min_p"}, InvalidRow{{.repetition_penalty = 0.0}, "repetition_penalty"},
                    InvalidRow{{.max_tokens = 0}, "max_tokens"},
                    InvalidRow{{.max_tokens = 3, .min_tokens = 4}, "min_tokens"}, InvalidRow{{.n = 0}, "n must"},
                    InvalidRow{{.stop = {""}}, "stop"}, InvalidRow{{.logit_bias = {{3, 101}}}, "logit_bias"},
                    InvalidRow{{.logit_bias = {{-1, 1}}}, "logit_bias"}, InvalidRow{{.logprobs = 21}, "logprobs"}));

// Two steps of the order at a time: with the two swapped, the other token would be chosen.
struct OrderRow {
  const char* name;
  SamplingParams params;
  std::vector<float> logits;
  std::vector<std::int32_t> prompt, ends;
  std::vector<std::int32_t> possible;
};
class OrderTest : public testing::TestWithParam<OrderRow> {};
TEST_P(OrderTest, IsThatOfVllm) {
  const auto& row = GetParam();
  std::vector<std::int32_t> got;
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    Sampler sampler(row.params, seed, row.ends, static_cast<std::int32_t>(row.logits.size()));
    sampler.see_prompt(row.prompt);
    auto logits = row.logits;
    got.push_back(sampler.next(logits));
  }
  std::ranges::sort(got);
  got.erase(std::ranges::unique(got).begin(), got.end());
  EXPECT_EQ(got, row.possible);
}
INSTANTIATE_TEST_SUITE_P(
    Rows, OrderTest,
    testing::Values(
        // A bias cannot bring back what min_tokens forbids.
        OrderRow{"min_tokens_wins_over_bias",
                 {.temperature = 0, .min_tokens = 1, .logit_bias = {{0, 100}}},
                 {1, 0},
                 {},
                 {0},
                 {1}},
        OrderRow{"bias", {.temperature = 0, .logit_bias = {{1, 2}}}, {1, 0}, {}, {}, {1}},
        // 1 + 4 = 5, halved 2.5 < 3; halved first, 4.5 would win.
        OrderRow{"bias_before_repetition",
                 {.temperature = 0, .repetition_penalty = 2, .logit_bias = {{0, 4}}},
                 {1, 3},
                 {0},
                 {},
                 {1}},
        // Halved it is no longer the likeliest; greedy takes what penalties left.
        OrderRow{"penalties_before_greedy", {.temperature = 0, .repetition_penalty = 2}, {4, 3}, {0}, {}, {1}},
        // At temperature 1 token 1 has e^-2 = 0.14 of the likeliest; at 4 it has e^-0.5 = 0.6.
        OrderRow{"temperature_before_min_p", {.temperature = 4, .min_p = 0.5}, {2, 0}, {}, {}, {0, 1}},
        OrderRow{"min_p_when_cold", {.temperature = 1, .min_p = 0.5}, {2, 0}, {}, {}, {0}},
        // At temperature 1 token 0 alone has 0.87 of the mass; at 8 it has 0.56.
        OrderRow{"temperature_before_top_p", {.temperature = 8, .top_p = 0.7}, {2, 0}, {}, {}, {0, 1}},
        // Of four equal tokens top_k 3 keeps all by ties; top_p 0.6 of them three.
        OrderRow{"ties_of_top_k_count_for_top_p", {.top_k = 3, .top_p = 0.6}, {1, 1, 1, 1}, {}, {}, {0, 1, 2}},
        // min_p leaves two of 0.44 each of what was 0.4, 0.4, 0.2; 0.45 of the rest is one, of all it were two.
        OrderRow{"min_p_before_top_p", {.top_p = 0.45, .min_p = 0.9}, {2, 2, 1.307F}, {}, {}, {0}},
        OrderRow{"unknown_ids_have_no_bias", {.temperature = 0, .logit_bias = {{7, 9}}}, {1, 0}, {}, {}, {0}}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(Logprobs, AreOfTheModelsDistribution) {
  const auto logits = logits_of({0.5, 0.2, 0.2, 0.1});
  const auto got = logprobs_of(logits, 4, 3, 2);
  EXPECT_EQ(got.chosen.id, 3);
  EXPECT_NEAR(got.chosen.logprob, std::log(0.1), 1e-6);
  ASSERT_EQ(got.likeliest.size(), 2U) << "ties are cut";
  EXPECT_EQ(got.likeliest[0].id, 0);
  EXPECT_NEAR(got.likeliest[0].logprob, std::log(0.5), 1e-6);
  EXPECT_EQ(got.likeliest[1].id, 1);
  EXPECT_TRUE(logprobs_of(logits, 4, 3, 0).likeliest.empty());
  EXPECT_NEAR(logprobs_of(logits, 2, 0, 1).chosen.logprob, std::log(0.5 / 0.7), 1e-6) << "rows without token count not";
}

}  // namespace
}  // namespace slipway::ml
