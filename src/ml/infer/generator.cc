#include "slipway/ml/generator.h"

#include <algorithm>
#include <cstring>

#include "slipway/base/assert.h"

namespace slipway::ml {
namespace {

std::vector<TokenId> end_tokens_of(const ModelConfig& config, const SamplingParams& params) {
  std::vector<TokenId> tokens = params.stop_token_ids;
  if (!params.ignore_eos) tokens.insert(tokens.end(), config.eos_tokens.begin(), config.eos_tokens.end());
  return tokens;
}

// Independent streams for the continuations of one prompt.
std::uint64_t seed_of(const GenerationRequest& request, int index) {
  return request.params.seed.value_or(request.seed) + 0x9e3779b97f4a7c15ULL * static_cast<std::uint64_t>(index);
}

void copy_rows(Rows<const float> from, Rows<float> to, std::int64_t count) {
  for (std::int64_t r = 0; r < count; ++r)
    std::memcpy(to.row(r), from.row(r), static_cast<std::size_t>(from.cols) * sizeof(float));
}

KvCache copy_of(KvCache& cache, const ModelConfig& config) {
  KvCache copy(config, cache.capacity());
  for (std::int64_t layer = 0; layer < config.layers; ++layer) {
    copy_rows(cache.keys(layer), copy.keys(layer), cache.size());
    copy_rows(cache.values(layer), copy.values(layer), cache.size());
  }
  copy.advance(cache.size());
  return copy;
}

}  // namespace

struct Generator::Sequence {
  std::shared_ptr<const GenerationRequest> request;
  int index;
  KvCache cache;
  std::vector<TokenId> end_tokens;
  Sampler sampler;
  StreamDecoder decoder;
  std::size_t prompt_taken = 0;  // prompt tokens in the cache; the siblings of a fork have all of them
  TokenId last = 0;              // chosen, not yet in the cache
  Generation result = {};
  bool done = false;

  [[nodiscard]] bool in_prompt() const { return prompt_taken < request->prompt.size(); }
};

Generator::Generator(const Model& model, Tokenizer tokenizer, Compute& compute, GeneratorLimits limits)
    : model_(model), tokenizer_(std::move(tokenizer)), compute_(compute), limits_(limits) {}

Generator::~Generator() = default;

void Generator::add(GenerationRequest request) {
  SLIPWAY_ASSERT(!request.prompt.empty() && std::cmp_less(request.prompt.size(), model_.config().context_length));
  waiting_.push_back(std::make_shared<const GenerationRequest>(std::move(request)));
}

std::int32_t Generator::vocabulary() const {
  const std::int64_t rows = model_.config().vocab_size;
  return static_cast<std::int32_t>(limits_.tokens_only ? std::min<std::int64_t>(rows, std::ssize(tokenizer_)) : rows);
}

bool Generator::idle() const { return waiting_.empty() && running_.empty(); }

void Generator::admit() {
  while (!waiting_.empty() && std::ssize(running_) < limits_.sequences_max) {
    auto request = waiting_.front();
    waiting_.erase(waiting_.begin());
    const auto wanted = std::ssize(request->prompt) + request->params.max_tokens;
    KvCache cache(model_.config(), std::min<std::int64_t>(wanted, model_.config().context_length));
    auto ends = end_tokens_of(model_.config(), request->params);
    Sampler sampler(request->params, seed_of(*request, 0), ends, vocabulary());
    sampler.see_prompt(request->prompt);
    StreamDecoder decoder(tokenizer_, request->params.skip_special_tokens);
    running_.push_back(std::make_unique<Sequence>(
        Sequence{request, 0, std::move(cache), std::move(ends), std::move(sampler), std::move(decoder)}));
  }
}

void Generator::drop_cancelled() {
  std::erase_if(waiting_, [](const auto& request) {
    if (!request->cancelled || !request->cancelled()) return false;
    for (int i = 0; i < request->params.n; ++i) request->finished(i, Generation{.finish = FinishReason::Cancelled});
    return true;
  });
  for (auto& sequence : running_)
    if (sequence->request->cancelled && sequence->request->cancelled()) finish(*sequence, FinishReason::Cancelled);
}

void Generator::step() {
  drop_cancelled();
  std::erase_if(running_, [](const auto& sequence) { return sequence->done; });
  admit();
  std::int64_t budget = limits_.prompt_chunk;
  std::vector<DecodeInput> inputs;
  std::vector<Sequence*> chosen;
  for (auto& sequence : running_) {
    std::span<const TokenId> ids(&sequence->last, 1);
    if (sequence->in_prompt()) {
      if (budget <= 0) continue;
      const auto rest = std::span<const TokenId>(sequence->request->prompt).subspan(sequence->prompt_taken);
      ids = rest.first(std::min<std::size_t>(rest.size(), static_cast<std::size_t>(budget)));
      budget -= std::ssize(ids);
      sequence->prompt_taken += ids.size();
    }
    inputs.push_back({.cache = &sequence->cache, .ids = ids, .lora = sequence->request->lora});
    chosen.push_back(sequence.get());
  }
  if (inputs.empty()) return;
  Matrix logits = model_.decode(compute_, inputs);
  for (std::size_t i = 0; i < chosen.size(); ++i)
    if (!chosen[i]->in_prompt())
      sample(*chosen[i], {logits.row(static_cast<std::int64_t>(i)), static_cast<std::size_t>(logits.cols())});
  std::erase_if(running_, [](const auto& sequence) { return sequence->done; });
}

void Generator::sample(Sequence& sequence, std::span<float> logits) {
  const bool first = sequence.result.ids.empty() && sequence.index == 0;
  if (first && sequence.request->params.n > 1) fork(sequence, logits);
  accept(sequence, sequence.sampler.next(logits));
}

void Generator::fork(Sequence& leader, std::span<const float> logits) {
  const auto& request = leader.request;
  std::vector<float> own(logits.size());
  for (int index = 1; index < request->params.n; ++index) {
    Sampler sampler(request->params, seed_of(*request, index), leader.end_tokens, vocabulary());
    sampler.see_prompt(request->prompt);
    std::copy(logits.begin(), logits.end(), own.begin());
    const TokenId id = sampler.next(own);
    StreamDecoder decoder(tokenizer_, request->params.skip_special_tokens);
    // A continuation of one token needs no cache of its own.
    KvCache cache =
        request->params.max_tokens > 1 ? copy_of(leader.cache, model_.config()) : KvCache(model_.config(), 0);
    auto sibling = std::make_unique<Sequence>(Sequence{request, index, std::move(cache), leader.end_tokens,
                                                       std::move(sampler), std::move(decoder), leader.prompt_taken});
    accept(*sibling, id);
    if (!sibling->done) running_.push_back(std::move(sibling));
  }
}

void Generator::accept(Sequence& sequence, TokenId id) {
  const auto& params = sequence.request->params;
  sequence.last = id;
  sequence.result.ids.push_back(id);
  const bool ends = std::find(sequence.end_tokens.begin(), sequence.end_tokens.end(), id) != sequence.end_tokens.end();
  if (ends && std::ssize(sequence.result.ids) > params.min_tokens) return finish(sequence, FinishReason::Stop);
  sequence.result.text += sequence.decoder.push(id);
  if (auto cut = cut_at_stop(sequence.result.text, params)) {
    sequence.result.text = std::move(*cut);
    sequence.done = true;
    sequence.result.finish = FinishReason::Stop;
    return sequence.request->finished(sequence.index, std::move(sequence.result));
  }
  const auto used = std::ssize(sequence.request->prompt) + std::ssize(sequence.result.ids);
  if (std::ssize(sequence.result.ids) >= params.max_tokens || used >= model_.config().context_length)
    finish(sequence, FinishReason::Length);
}

void Generator::finish(Sequence& sequence, FinishReason reason) {
  sequence.result.text += sequence.decoder.finish();
  if (auto cut = cut_at_stop(sequence.result.text, sequence.request->params)) {
    sequence.result.text = std::move(*cut);
    if (reason == FinishReason::Length) reason = FinishReason::Stop;
  }
  sequence.result.finish = reason;
  sequence.done = true;
  sequence.request->finished(sequence.index, std::move(sequence.result));
}

}  // namespace slipway::ml
