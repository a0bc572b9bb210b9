#include <algorithm>
#include <cmath>
#include <limits>

#include "slipway/base/assert.h"
#include "slipway/ml/generator.h"

namespace slipway::ml {
namespace {

constexpr double kGreedyBelow = 1e-5;
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

// Keeps the k likeliest and whatever ties with the k-th.
void keep_top_k(std::vector<Candidate>& candidates, int top_k) {
  if (top_k <= 0 || static_cast<std::size_t>(top_k) >= candidates.size()) return;
  const auto kth = candidates.begin() + (top_k - 1);
  std::nth_element(candidates.begin(), kth, candidates.end(), likelier);
  const double least = kth->weight;
  std::erase_if(candidates, [least](const Candidate& c) { return c.weight < least; });
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
  return std::nullopt;
}

Sampler::Sampler(SamplingParams params, std::uint64_t seed, std::vector<std::int32_t> end_tokens,
                 std::int32_t vocabulary)
    : params_(std::move(params)),
      rng_(seed),
      end_tokens_(std::move(end_tokens)),
      vocabulary_(vocabulary),
      seen_(static_cast<std::size_t>(vocabulary), 0),
      output_count_(static_cast<std::size_t>(vocabulary), 0) {
  SLIPWAY_ASSERT(vocabulary > 0);
}

void Sampler::see_prompt(std::span<const std::int32_t> prompt) {
  for (const auto id : prompt)
    if (id >= 0 && id < vocabulary_) seen_[static_cast<std::size_t>(id)] = 1;
}

void Sampler::penalise(std::span<float> logits) const {
  if (produced_ < params_.min_tokens)
    for (const auto id : end_tokens_)
      if (id >= 0 && id < vocabulary_) logits[static_cast<std::size_t>(id)] = kNever;
  const auto repetition = static_cast<float>(params_.repetition_penalty);
  for (std::size_t id = 0; id < seen_.size(); ++id) {
    float& logit = logits[id];
    if (seen_[id] != 0 && repetition != 1.0F) logit = logit > 0 ? logit / repetition : logit * repetition;
    if (output_count_[id] == 0) continue;
    logit -= static_cast<float>(params_.frequency_penalty) * static_cast<float>(output_count_[id]);
    logit -= static_cast<float>(params_.presence_penalty);
  }
}

std::int32_t Sampler::draw(std::span<const float> logits) {
  const float top = *std::max_element(logits.begin(), logits.end());
  std::vector<Candidate> candidates;
  candidates.reserve(logits.size());
  for (std::size_t id = 0; id < logits.size(); ++id) {
    const double weight = std::exp(static_cast<double>(logits[id] - top) / params_.temperature);
    if (weight > 0 && weight >= params_.min_p) candidates.push_back({static_cast<std::int32_t>(id), weight});
  }
  SLIPWAY_ASSERT(!candidates.empty());
  keep_top_k(candidates, params_.top_k);
  keep_top_p(candidates, params_.top_p);
  double left = rng_.unit() * mass_of(candidates);
  for (const auto& candidate : candidates) {
    left -= candidate.weight;
    if (left < 0) return candidate.id;
  }
  return candidates.back().id;
}

std::int32_t Sampler::next(std::span<float> logits) {
  SLIPWAY_ASSERT(logits.size() >= seen_.size());
  const auto usable = logits.first(seen_.size());
  penalise(usable);
  const std::int32_t id =
      params_.temperature < kGreedyBelow
          ? static_cast<std::int32_t>(std::max_element(usable.begin(), usable.end()) - usable.begin())
          : draw(usable);
  seen_[static_cast<std::size_t>(id)] = 1;
  ++output_count_[static_cast<std::size_t>(id)];
  ++produced_;
  return id;
}

std::optional<std::string> cut_at_stop(const std::string& text, const SamplingParams& params) {
  std::size_t first = std::string::npos;
  std::size_t length = 0;
  for (const auto& stop : params.stop) {
    const std::size_t at = text.find(stop);
    if (at < first) {
      first = at;
      length = stop.size();
    }
  }
  if (first == std::string::npos) return std::nullopt;
  return text.substr(0, params.include_stop ? first + length : first);
}

}  // namespace slipway::ml
