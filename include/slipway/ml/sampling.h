// The choice of a token from logits, by vLLM's rules in vLLM's order.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "slipway/base/rng.h"
#include "slipway/ml/tokenizer.h"

namespace slipway::ml {

struct SamplingParams {
  double temperature = 1.0;         // below 1e-5: always the likeliest token
  int top_k = 0;                    // 0 or -1: off
  double top_p = 1.0;               // (0, 1]
  double min_p = 0.0;               // [0, 1]
  double repetition_penalty = 1.0;  // > 0, over prompt and output
  double frequency_penalty = 0.0;   // per occurrence in the output
  double presence_penalty = 0.0;    // once per token of the output
  int max_tokens = 16;              // new tokens, > 0
  int min_tokens = 0;  // before these no end-of-sequence or stop token may be chosen, no stop string counts
  int n = 1;           // independent continuations of one prompt
  std::optional<std::uint64_t> seed = {};
  std::vector<std::string> stop = {};        // ends the text; not part of it unless include_stop
  std::vector<TokenId> stop_token_ids = {};  // besides the model's end-of-sequence tokens
  std::vector<std::pair<TokenId, double>> logit_bias = {};
  std::optional<int> logprobs = {};  // per token: its own and so many of the likeliest
  bool prompt_logprobs = false;      // if `logprobs`: also of the prompt's tokens but the first
  bool include_stop = false;
  bool ignore_eos = false;
  bool skip_special_tokens = true;
};

inline constexpr int kLogprobsMax = 20;

// nullopt if the parameters make sense, else a sentence that says which does not.
[[nodiscard]] std::optional<std::string> invalid_reason(const SamplingParams& params);

// Chooses tokens for one sequence. The order is vLLM's (v1/sample/sampler.py): min_tokens mask, logit_bias, repetition,
// frequency and presence penalties, greedy or temperature, min_p, top_k (ties with the k-th stay), top_p on what top_k
// left (the smallest set whose mass reaches p, never empty), then one draw. Not thread-safe.
class Sampler {
 public:
  // `end_tokens`: end-of-sequence and stop ids that min_tokens masks. `vocabulary`: ids at or above it are never chosen
  // (embedding rows without a token).
  Sampler(SamplingParams params, std::uint64_t seed, std::vector<TokenId> end_tokens, std::int32_t vocabulary);

  // A prompt token: counts for the repetition penalty.
  void see_prompt(std::span<const TokenId> prompt);
  // The next token. `logits` [V] is changed. The chosen token counts as output from then on.
  [[nodiscard]] TokenId next(std::span<float> logits);

 private:
  void penalise(std::span<float> logits) const;
  [[nodiscard]] TokenId draw(std::span<const float> logits);

  SamplingParams params_;
  Rng rng_;
  std::vector<TokenId> end_tokens_;
  std::int32_t vocabulary_;
  std::set<TokenId> seen_;  // in prompt or output
  std::map<TokenId, int> output_count_;
  int produced_ = 0;
};

struct TokenLogprob {
  TokenId id = 0;
  float logprob = 0;
};

// What the model thought of one token: before penalties and temperature, as vLLM's raw_logprobs.
struct Logprobs {
  TokenLogprob chosen;
  std::vector<TokenLogprob> likeliest;  // falling
};

// `logits` as the model gave them, of which the first `vocabulary` count.
[[nodiscard]] Logprobs logprobs_of(std::span<const float> logits, std::int32_t vocabulary, TokenId chosen,
                                   int likeliest);

}  // namespace slipway::ml
