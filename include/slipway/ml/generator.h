// Text generation: sampling rules in vLLM's order, stop conditions, and decoding of one prompt or many.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "slipway/base/enum_table.h"
#include "slipway/base/result.h"
#include "slipway/base/rng.h"
#include "slipway/ml/compute.h"
#include "slipway/ml/lora.h"
#include "slipway/ml/model.h"
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
  int min_tokens = 0;               // before these no end-of-sequence or stop token may be chosen
  int n = 1;                        // independent continuations of one prompt
  std::optional<std::uint64_t> seed = {};
  std::vector<std::string> stop = {};             // ends the text; not part of it unless include_stop
  std::vector<std::int32_t> stop_token_ids = {};  // besides the model's end-of-sequence tokens
  bool include_stop = false;
  bool ignore_eos = false;
  bool skip_special_tokens = true;
};

// nullopt if the parameters make sense, else a sentence that says which does not.
[[nodiscard]] std::optional<std::string> invalid_reason(const SamplingParams& params);

// Chooses tokens for one sequence. The order is vLLM's (v1/sample/sampler.py): min_tokens mask, repetition, frequency
// and presence penalties, greedy or temperature, min_p, top_k (ties with the k-th stay), top_p on what top_k left
// (the smallest set whose mass reaches p, never empty), then one draw. Not thread-safe.
class Sampler {
 public:
  // `end_tokens`: end-of-sequence and stop ids that min_tokens masks. `vocabulary`: ids at or above it are never chosen
  // (embedding rows without a token).
  Sampler(SamplingParams params, std::uint64_t seed, std::vector<std::int32_t> end_tokens, std::int32_t vocabulary);

  // A prompt token: counts for the repetition penalty.
  void see_prompt(std::span<const std::int32_t> prompt);
  // The next token. `logits` [V] is changed. The chosen token counts as output from then on.
  [[nodiscard]] std::int32_t next(std::span<float> logits);

 private:
  void penalise(std::span<float> logits) const;
  [[nodiscard]] std::int32_t draw(std::span<const float> logits);

  SamplingParams params_;
  Rng rng_;
  std::vector<std::int32_t> end_tokens_;
  std::int32_t vocabulary_;
  std::vector<std::uint8_t> seen_;          // by id: in prompt or output
  std::vector<std::int32_t> output_count_;  // by id
  int produced_ = 0;
};

enum class FinishReason : std::uint8_t { Stop, Length, Cancelled };
inline constexpr EnumTable<FinishReason, 3> kFinishReasons{{{
    {FinishReason::Stop, "stop", "an end-of-sequence token or a stop string"},
    {FinishReason::Length, "length", "max_tokens or the model's context was used up"},
    {FinishReason::Cancelled, "abort", "the caller stopped it"},
}}};

struct Generation {
  std::vector<TokenId> ids = {};  // new tokens, the ending one included
  std::string text = {};          // decoded, without the ending token and the stop string
  FinishReason finish = FinishReason::Length;
};

// The part of `text` before the first stop string (with it if include_stop), or nullopt if none occurs.
[[nodiscard]] std::optional<std::string> cut_at_stop(const std::string& text, const SamplingParams& params);

struct GenerationRequest {
  std::vector<TokenId> prompt;  // at least one, below the model's context length
  SamplingParams params;
  const Lora* lora = nullptr;  // outlives the request
  std::uint64_t seed = 0;      // used if params.seed is absent
  // Called by Generator::step() on its thread. `finished` once per continuation, index in [0, n).
  std::function<void(int index, Generation generation)> finished;
  std::function<bool()> cancelled;  // may be empty; asked before each step
};

struct GeneratorLimits {
  int sequences_max = 16;  // decoded together; more wait
  // Never choose an id without a token (models may have more embedding rows than tokens). transformers and vLLM do.
  bool tokens_only = false;
  std::int64_t prompt_chunk = 256;  // prompt tokens taken per step, so that a long prompt does not stall the others
};

// Decodes any number of requests together, one token per running sequence and step; a finished one makes room for the
// next at once. What a sequence says does not depend on its neighbours, up to rounding. One Generator, one thread.
class Generator {
 public:
  Generator(const Model& model, Tokenizer tokenizer, Compute& compute, GeneratorLimits limits = {});
  ~Generator();

  void add(GenerationRequest request);
  [[nodiscard]] bool idle() const;
  void step();

 private:
  struct Sequence;
  [[nodiscard]] std::int32_t vocabulary() const;
  void admit();
  void drop_cancelled();
  void sample(Sequence& sequence, std::span<float> logits);
  void fork(Sequence& leader, std::span<const float> logits);
  void accept(Sequence& sequence, TokenId id);
  void finish(Sequence& sequence, FinishReason reason);

  const Model& model_;
  Tokenizer tokenizer_;
  Compute& compute_;
  GeneratorLimits limits_;
  std::vector<std::shared_ptr<const GenerationRequest>> waiting_;  // oldest first
  std::vector<std::unique_ptr<Sequence>> running_;
};

}  // namespace slipway::ml
