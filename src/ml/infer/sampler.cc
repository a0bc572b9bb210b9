#include <algorithm>
#include <cmath>
#include <limits>
#include <queue>

#include "slipway/base/assert.h"
#include "slipway/ml/sampling.h"

namespace slipway::ml {
namespace {

constexpr double kGreedyBelow = 1e-5;
// exp of less is nothing beside 1 in double, even 10^9 times.
constexpr double kLeastLogWeight = -60;
constexpr float kNever = -std::numeric_limits<float>::infinity();

struct Candidate {
  std::int32_t id;
  double weight;  // unnormalised probability, the likeliest token has 1
};

bool likelier(const Candidate& a, const Candidate& b) {
  return a.weight != b.weight ? a.weight > b.weight : a.id < b.id;
}

double mass_of(const std::vector<Candidate>& candidates) {
  double mass = 0;
  for (const auto& candidate : candidates) mass += candidate.weight;
  return mass;
}

// The k-th largest, or the smallest if there are fewer.
float kth_largest(std::span<const float> logits, std::size_t k) {
  std::priority_queue<float, std::vector<float>, std::greater<>> best;
  for (const float logit : logits) {
    if (best.size() == k) {
      if (!(logit > best.top())) continue;
      best.pop();
    }
    best.push(logit);
  }
  return best.top();
}

void keep_top_p(std::vector<Candidate>& candidates, double top_p) {
  if (top_p >= 1.0) return;
  const double mass = mass_of(candidates);
  // All that are this small weigh less than 1 − p together, so none is needed to reach p: they need no sorting.
  const double negligible = (1.0 - top_p) * mass / static_cast<double>(candidates.size());
  std::erase_if(candidates, [negligible](const Candidate& c) { return c.weight < negligible; });
  std::sort(candidates.begin(), candidates.end(), likelier);
  double reached = 0;
  std::size_t kept = 0;
  while (kept < candidates.size() && reached < top_p * mass) reached += candidates[kept++].weight;
  candidates.resize(std::max<std::size_t>(kept, 1));
}

}  // namespace

std::optional<std::string> invalid_reason(const SamplingParams& params) {
  const auto finite = [](double x) { return std::isfinite(x); };
  if (!finite(params.temperature) || params.temperature < 0) return "temperature must be at least 0";
  if (!finite(params.top_p) || params.top_p <= 0 || params.top_p > 1) return "top_p must be in (0, 1]";
  if (params.top_k < -1) return "top_k must be -1 (off), 0 (off) or at least 1";
  if (!finite(params.min_p) || params.min_p < 0 || params.min_p > 1) return "min_p must be in [0, 1]";
  if (!finite(params.repetition_penalty) || params.repetition_penalty <= 0) return "repetition_penalty must be above 0";
  if (!finite(params.frequency_penalty) || std::abs(params.frequency_penalty) > 2)
    return "frequency_penalty must be in [-2, 2]";
  if (!finite(params.presence_penalty) || std::abs(params.presence_penalty) > 2)
    return "presence_penalty must be in [-2, 2]";
  if (params.max_tokens < 1) return "max_tokens must be at least 1";
  if (params.min_tokens < 0 || params.min_tokens > params.max_tokens) return "min_tokens must be in [0, max_tokens]";
  if (params.n < 1) return "n must be at least 1";
  if (std::any_of(params.stop.begin(), params.stop.end(), [](const std::string& s) { return s.empty(); }))
    return "a stop string must not be empty";
  if (params.logprobs && (*params.logprobs < 0 || *params.logprobs > kLogprobsMax))
    return "logprobs must be in [0, " + std::to_string(kLogprobsMax) + "]";
  for (const auto& [id, bias] : params.logit_bias)
    if (id < 0 || !finite(bias) || std::abs(bias) > 100)
      return "logit_bias must map token ids to numbers in [-100, 100]";
  return std::nullopt;
}

Sampler::Sampler(SamplingParams params, std::uint64_t seed, std::vector<TokenId> end_tokens, std::int32_t vocabulary)
    : params_(std::move(params)), rng_(seed), end_tokens_(std::move(end_tokens)), vocabulary_(vocabulary) {
  SLIPWAY_ASSERT(vocabulary > 0);
}

void Sampler::see_prompt(std::span<const TokenId> prompt) {
  if (params_.repetition_penalty == 1.0) return;
  for (const auto id : prompt)
    if (id >= 0 && id < vocabulary_) seen_.insert(id);
}

void Sampler::penalise(std::span<float> logits) const {
  if (produced_ < params_.min_tokens)
    for (const auto id : end_tokens_)
      if (id >= 0 && id < vocabulary_) logits[static_cast<std::size_t>(id)] = kNever;
  for (const auto& [id, bias] : params_.logit_bias)
    if (id < vocabulary_) logits[static_cast<std::size_t>(id)] += static_cast<float>(bias);
  const auto repetition = static_cast<float>(params_.repetition_penalty);
  for (const auto id : seen_) {
    float& logit = logits[static_cast<std::size_t>(id)];
    logit = logit > 0 ? logit / repetition : logit * repetition;
  }
  for (const auto& [id, count] : output_count_) {
    float& logit = logits[static_cast<std::size_t>(id)];
    logit -= static_cast<float>(params_.frequency_penalty) * static_cast<float>(count);
    logit -= static_cast<float>(params_.presence_penalty);
  }
}

TokenId Sampler::draw(std::span<const float> logits) {
  const float top = *std::max_element(logits.begin(), logits.end());
  // Weights are relative to the likeliest token's. Those below the least one allowed need no exponential.
  const double least = std::max(kLeastLogWeight, params_.min_p > 0 ? std::log(params_.min_p) - 1e-6 : kLeastLogWeight);
  auto floor = static_cast<float>(static_cast<double>(top) + least * params_.temperature);
  if (params_.top_k > 0 && static_cast<std::size_t>(params_.top_k) < logits.size())
    floor = std::max(floor, kth_largest(logits, static_cast<std::size_t>(params_.top_k)));
  std::vector<Candidate> candidates;
  for (std::size_t id = 0; id < logits.size(); ++id) {
    if (!(logits[id] >= floor)) continue;
    const double weight = std::exp(static_cast<double>(logits[id] - top) / params_.temperature);
    if (weight > 0 && weight >= params_.min_p) candidates.push_back({static_cast<TokenId>(id), weight});
  }
  SLIPWAY_ASSERT(!candidates.empty());
  keep_top_p(candidates, params_.top_p);
  double left = rng_.unit() * mass_of(candidates);
  for (const auto& candidate : candidates) {
    left -= candidate.weight;
    if (left < 0) return candidate.id;
  }
  return candidates.back().id;
}

TokenId Sampler::next(std::span<float> logits) {
  SLIPWAY_ASSERT(std::ssize(logits) >= vocabulary_);
  const auto usable = logits.first(static_cast<std::size_t>(vocabulary_));
  penalise(usable);
  const TokenId id = params_.temperature < kGreedyBelow
                         ? static_cast<TokenId>(std::max_element(usable.begin(), usable.end()) - usable.begin())
                         : draw(usable);
  if (params_.repetition_penalty != 1.0) seen_.insert(id);
  if (params_.frequency_penalty != 0 || params_.presence_penalty != 0) ++output_count_[id];
  ++produced_;
  return id;
}

Logprobs logprobs_of(std::span<const float> logits, std::int32_t vocabulary, TokenId chosen, int likeliest) {
  const auto usable = logits.first(static_cast<std::size_t>(vocabulary));
  const double top = *std::max_element(usable.begin(), usable.end());
  double sum = 0;
  for (const float logit : usable) sum += std::exp(static_cast<double>(logit) - top);
  const double log_sum = top + std::log(sum);
  const auto logprob = [&](TokenId id) {
    return TokenLogprob{id, static_cast<float>(static_cast<double>(usable[static_cast<std::size_t>(id)]) - log_sum)};
  };
  Logprobs result{logprob(chosen), {}};
  if (likeliest == 0) return result;
  const float least = kth_largest(usable, static_cast<std::size_t>(likeliest));
  for (std::size_t id = 0; id < usable.size(); ++id)
    if (usable[id] >= least) result.likeliest.push_back(logprob(static_cast<TokenId>(id)));
  std::ranges::stable_sort(result.likeliest, std::greater<>(), &TokenLogprob::logprob);
  if (std::ssize(result.likeliest) > likeliest) result.likeliest.resize(static_cast<std::size_t>(likeliest));
  return result;
}

}  // namespace slipway::ml
