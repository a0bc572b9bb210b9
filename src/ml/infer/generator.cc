#include "slipway/ml/generator.h"

#include <algorithm>
#include <utility>

#include "ml/infer/output_text.h"
#include "ml/infer/prefix_cache.h"
#include "slipway/base/assert.h"
#include "slipway/ml/paged_attention.h"

namespace slipway::ml {
namespace {

// So many of a prompt's last tokens the decoder sees first: what a token says may depend on those before it.
constexpr std::size_t kDecoderContext = 6;

// So few rows are read against the weights faster than the weights are packed. By the prompt's length alone: what else
// is in a step must not decide.
constexpr std::int64_t kShortPrompt = 8;

std::vector<TokenId> end_tokens_of(const ModelConfig& config, const SamplingParams& params) {
  std::vector<TokenId> tokens = params.stop_token_ids;
  if (!params.ignore_eos) tokens.insert(tokens.end(), config.eos_tokens.begin(), config.eos_tokens.end());
  return tokens;
}

// Independent streams for the continuations of one prompt.
std::uint64_t seed_of(const GenerationRequest& request, int index) {
  return request.params.seed.value_or(request.seed) + 0x9e3779b97f4a7c15ULL * static_cast<std::uint64_t>(index);
}

// At most what all sequences at full length need.
std::int64_t page_count(const ModelConfig& config, const GeneratorLimits& limits) {
  const auto page_bytes = KvPool::bytes_per_token(config) * static_cast<std::size_t>(KvPool::kPageTokens);
  const std::int64_t useful = KvPool::pages_for(config.context_length) * limits.sequences_max;
  return std::clamp<std::int64_t>(static_cast<std::int64_t>(limits.kv_bytes_max / page_bytes), 1, useful);
}

template <class T>
bool contains(const std::vector<T>& list, const T& value) {
  return std::ranges::find(list, value) != list.end();
}

}  // namespace

struct Generator::Sequence {
  std::shared_ptr<const GenerationRequest> request;
  RequestId id;
  int index;
  KvCache cache;
  std::vector<TokenId> end_tokens;
  Sampler sampler;
  StreamDecoder decoder;
  OutputText text;
  std::vector<TokenId> tokens;  // prompt and output
  Generation result = {};
  bool started = false;
  bool done = false;

  [[nodiscard]] bool in_prompt() const { return cache.size() < std::ssize(request->prompt); }
  [[nodiscard]] bool one_by_one() const { return !in_prompt() || std::ssize(request->prompt) <= kShortPrompt; }
  [[nodiscard]] std::int64_t missing() const { return std::ssize(tokens) - cache.size(); }
  [[nodiscard]] bool reads_prompt() const { return request->params.prompt_logprobs && request->params.logprobs; }
};

// What a sequence computes in one step.
struct Generator::Share {
  Sequence* sequence;
  std::int64_t tokens;
  bool one_by_one;
  bool reaches_end;  // then the next token is chosen
  std::int64_t logit_rows = 0;
  std::int64_t first_row = 0;  // of the step's logits

  [[nodiscard]] std::int64_t last_row() const { return first_row + logit_rows - 1; }
};

Generator::Generator(const Model& model, Tokenizer tokenizer, Compute& compute, GeneratorLimits limits)
    : model_(model),
      tokenizer_(std::move(tokenizer)),
      compute_(compute),
      limits_(limits),
      pool_(model.config(), page_count(model.config(), limits)),
      context_(std::min(model.config().context_length, pool_.pages() * KvPool::kPageTokens)),
      prefixes_(limits.prefix_cache ? std::make_unique<PrefixCache>() : nullptr) {}

Generator::~Generator() = default;

std::int32_t Generator::vocabulary() const {
  const std::int64_t rows = model_.config().vocab_size;
  return static_cast<std::int32_t>(limits_.tokens_only ? std::min<std::int64_t>(rows, std::ssize(tokenizer_)) : rows);
}

std::unique_ptr<Generator::Sequence> Generator::make_sequence(std::shared_ptr<const GenerationRequest> request,
                                                              RequestId id, int index) {
  const auto& params = request->params;
  auto ends = end_tokens_of(model_.config(), params);
  Sampler sampler(params, seed_of(*request, index), ends, vocabulary());
  sampler.see_prompt(request->prompt);
  StreamDecoder decoder(tokenizer_, params.skip_special_tokens);
  const std::span<const TokenId> prompt = request->prompt;
  for (const TokenId token : prompt.last(std::min(prompt.size(), kDecoderContext))) (void)decoder.push(token);
  auto tokens = request->prompt;
  return std::make_unique<Sequence>(Sequence{std::move(request), id, index, KvCache(pool_), std::move(ends),
                                             std::move(sampler), std::move(decoder),
                                             OutputText(params.stop, params.include_stop), std::move(tokens)});
}

RequestId Generator::add(GenerationRequest request) {
  SLIPWAY_ASSERT(!request.prompt.empty() && std::ssize(request.prompt) < context_);
  waiting_.push_back(make_sequence(std::make_shared<const GenerationRequest>(std::move(request)), ++last_id_, 0));
  return last_id_;
}

void Generator::cancel_where(const std::function<bool(const Sequence&)>& which) {
  for (auto* list : {&waiting_, &running_}) {
    for (auto& sequence : *list) {
      if (sequence->done || !which(*sequence)) continue;
      // Continuations that were not yet made end with their leader.
      const bool leads = sequence->index == 0 && sequence->result.ids.empty();
      for (int i = 1; leads && i < sequence->request->params.n; ++i)
        sequence->request->events.finished(i, Generation{.finish = FinishReason::Cancelled});
      finish(*sequence, FinishReason::Cancelled);
    }
    std::erase_if(*list, [](const auto& sequence) { return sequence->done; });
  }
}

void Generator::cancel(RequestId id) {
  cancel_where([id](const Sequence& sequence) { return sequence.id == id; });
}

void Generator::cancel_all() {
  cancel_where([](const Sequence&) { return true; });
}

GeneratorLoad Generator::load() const {
  const std::int64_t idle = prefixes_ ? prefixes_->idle_pages() : 0;
  return {.running = std::ssize(running_),
          .waiting = std::ssize(waiting_),
          .pages = pool_.pages(),
          .pages_used = pool_.pages() - pool_.free_pages() - idle,
          .preemptions = preemptions_,
          .prefix_tokens_asked = prefix_tokens_asked_,
          .prefix_tokens_found = prefix_tokens_found_};
}

// A prompt is cut at multiples of the query block only, so that its bits do not depend on the budget.
std::int64_t Generator::tokens_to_take(const Sequence& sequence, std::int64_t budget) const {
  if (!sequence.in_prompt()) return std::min(sequence.missing(), std::max<std::int64_t>(budget, 1));
  const std::int64_t rest = std::ssize(sequence.request->prompt) - sequence.cache.size();
  return rest <= budget ? rest : budget / kQueryBlock * kQueryBlock;
}

void Generator::preempt_youngest() {
  auto victim = std::move(running_.back());
  running_.pop_back();
  victim->cache.clear();
  ++preemptions_;
  waiting_.push_front(std::move(victim));
}

// Kept beginnings give way first.
bool Generator::free_pages(std::int64_t count) {
  while (pool_.free_pages() < count)
    if (!prefixes_ || !prefixes_->evict()) return false;
  return true;
}

// False: `sequence` itself was the youngest and has given way.
bool Generator::make_room(Sequence& sequence, std::int64_t tokens) {
  const std::int64_t pages = KvPool::pages_for(sequence.cache.size() + tokens) - sequence.cache.page_count();
  while (!free_pages(pages) || !sequence.cache.reserve(sequence.cache.size() + tokens)) {
    const bool itself = running_.back().get() == &sequence;
    preempt_youngest();
    if (itself) return false;
  }
  return true;
}

void Generator::schedule(std::vector<Share>& shares) {
  std::int64_t budget = std::max(limits_.step_tokens - std::ssize(running_), kQueryBlock);
  // By index: making room shortens the list at its end.
  for (std::size_t i = 0; i < running_.size(); ++i) {
    Sequence& sequence = *running_[i];
    const std::int64_t take = tokens_to_take(sequence, budget);
    if (take == 0) continue;
    if (!make_room(sequence, take)) break;
    shares.push_back({&sequence, take, sequence.one_by_one(), take == sequence.missing()});
    if (take > 1 || sequence.in_prompt()) budget -= take;
  }
  admit(shares, budget);
}

void Generator::look_up(Sequence& sequence) {
  if (!prefixes_ || sequence.cache.size() > 0 || sequence.reads_prompt()) return;
  prefixes_->take(sequence.request->lora, sequence.request->prompt, sequence.cache);
}

// False if it has to wait; then it holds no pages, which others may need.
bool Generator::begin(Sequence& next, std::int64_t& budget, std::vector<Share>& shares) {
  look_up(next);
  const std::int64_t take = tokens_to_take(next, budget);
  const std::int64_t pages = KvPool::pages_for(std::ssize(next.tokens)) - next.cache.page_count();
  if (take == 0 || !free_pages(pages) || !next.cache.reserve(next.cache.size() + take)) {
    next.cache.clear();
    return false;
  }
  prefix_tokens_asked_ += std::ssize(next.request->prompt);
  prefix_tokens_found_ += next.cache.size();
  const bool leads = next.result.ids.empty();
  if (leads && !std::exchange(next.started, true) && next.request->events.started) next.request->events.started();
  shares.push_back({&next, take, next.one_by_one(), take == next.missing()});
  budget -= take;
  return true;
}

// In order of arrival, as long as there are places and the whole prompt finds room: who has begun is not to starve.
void Generator::admit(std::vector<Share>& shares, std::int64_t budget) {
  while (!waiting_.empty() && budget > 0) {
    Sequence& next = *waiting_.front();
    const std::int64_t places = std::ssize(running_) + (next.result.ids.empty() ? next.request->params.n : 1);
    if (!running_.empty() && places > limits_.sequences_max) return;
    if (!begin(next, budget, shares)) return;
    running_.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
}

void Generator::step() {
  std::vector<Share> shares;
  schedule(shares);
  if (shares.empty()) return;
  std::vector<DecodeInput> inputs;
  std::int64_t rows = 0;
  for (Share& share : shares) {
    Sequence& sequence = *share.sequence;
    const auto ids =
        std::span<const TokenId>(sequence.tokens)
            .subspan(static_cast<std::size_t>(sequence.cache.size()), static_cast<std::size_t>(share.tokens));
    share.logit_rows = sequence.in_prompt() && sequence.reads_prompt() ? share.tokens : share.reaches_end ? 1 : 0;
    share.first_row = std::exchange(rows, rows + share.logit_rows);
    inputs.push_back({.cache = &sequence.cache,
                      .ids = ids,
                      .lora = sequence.request->lora,
                      .one_by_one = share.one_by_one,
                      .logit_rows = share.logit_rows});
  }
  Matrix logits = model_.decode(compute_, inputs);
  for (const Share& share : shares) read_prompt(share, logits);
  std::erase_if(shares, [](const Share& share) { return !share.reaches_end; });
  sample(shares, logits);
  std::erase_if(running_, [](const auto& sequence) { return sequence->done; });
}

// After its part of a step: what the model thought of the prompt's tokens, and the pages that others may begin with.
void Generator::read_prompt(const Share& share, const Matrix& logits) {
  Sequence& sequence = *share.sequence;
  const std::int64_t length = std::ssize(sequence.request->prompt), first = sequence.cache.size() - share.tokens;
  if (first >= length) return;
  if (sequence.cache.size() >= length && prefixes_ && length > kShortPrompt)
    prefixes_->keep(sequence.request->lora, sequence.request->prompt, sequence.cache);
  auto& known = sequence.result.prompt_logprobs;
  for (std::int64_t t = 0; sequence.reads_prompt() && t < share.tokens && first + t + 1 < length; ++t) {
    if (std::ssize(known) != first + t) continue;  // known from before it gave way
    const std::span row(logits.row(share.first_row + t), static_cast<std::size_t>(logits.cols()));
    const TokenId next = sequence.tokens[static_cast<std::size_t>(first + t + 1)];
    known.push_back(logprobs_of(row, vocabulary(), next, *sequence.request->params.logprobs));
  }
}

TokenId Generator::choose(Sequence& sequence, std::span<float> logits) const {
  const auto& wanted = sequence.request->params.logprobs;
  if (!wanted) return sequence.sampler.next(logits);
  const std::vector<float> raw(logits.begin(), logits.end());
  const TokenId id = sequence.sampler.next(logits);
  sequence.result.logprobs.push_back(logprobs_of(raw, vocabulary(), id, *wanted));
  return id;
}

void Generator::sample(std::span<const Share> shares, Matrix& logits) {
  const auto row = [&](std::size_t i) {
    return std::span(logits.row(shares[i].last_row()), static_cast<std::size_t>(logits.cols()));
  };
  for (std::size_t i = 0; i < shares.size(); ++i) {
    Sequence& sequence = *shares[i].sequence;
    if (sequence.result.ids.empty() && sequence.request->params.n > 1) fork(sequence, row(i));
  }
  std::vector<TokenId> chosen(shares.size());
  compute_.parallel(std::ssize(shares), [&](std::int64_t index, Arena&) {
    const auto i = static_cast<std::size_t>(index);
    chosen[i] = choose(*shares[i].sequence, row(i));
  });
  for (std::size_t i = 0; i < shares.size(); ++i) accept(*shares[i].sequence, chosen[i]);
}

// The other continuations begin where the leader stands behind the prompt. One for whose cache there is no page waits.
void Generator::fork(Sequence& leader, std::span<const float> logits) {
  std::vector<float> own(logits.size());
  for (int index = 1; index < leader.request->params.n; ++index) {
    auto sibling = make_sequence(leader.request, leader.id, index);
    sibling->result.prompt_logprobs = leader.result.prompt_logprobs;
    std::ranges::copy(logits, own.begin());
    accept(*sibling, choose(*sibling, own));
    if (sibling->done) continue;
    (void)free_pages(1);
    if (auto cache = leader.cache.fork()) {
      sibling->cache = *std::move(cache);
      running_.push_back(std::move(sibling));
    } else {
      waiting_.push_front(std::move(sibling));
    }
  }
}

void Generator::accept(Sequence& sequence, TokenId id) {
  const auto& params = sequence.request->params;
  auto& result = sequence.result;
  sequence.tokens.push_back(id);
  result.ids.push_back(id);
  const auto produced = std::ssize(result.ids);
  if (contains(sequence.end_tokens, id) && produced > params.min_tokens) {
    if (contains(params.stop_token_ids, id)) result.stop_token = id;
    if (params.include_stop) (void)sequence.text.push(sequence.decoder.push(id), false);
    return finish(sequence, FinishReason::Stop);
  }
  if (auto stop = sequence.text.push(sequence.decoder.push(id), produced > params.min_tokens)) {
    result.stop_string = std::move(stop);
    return finish(sequence, FinishReason::Stop);
  }
  if (produced >= params.max_tokens || std::ssize(sequence.tokens) >= context_)
    return finish(sequence, FinishReason::Length);
  const auto& progress = sequence.request->events.progress;
  if (progress) progress(sequence.index, result, sequence.text.certain());
}

void Generator::finish(Sequence& sequence, FinishReason reason) {
  auto& result = sequence.result;
  if (!result.stop_string) {
    const bool may_stop = std::ssize(result.ids) > sequence.request->params.min_tokens;
    if (auto stop = sequence.text.push(sequence.decoder.finish(), may_stop); stop && reason == FinishReason::Length) {
      result.stop_string = std::move(stop);
      reason = FinishReason::Stop;
    }
  }
  result.text = sequence.text.text();
  result.finish = reason;
  sequence.done = true;
  sequence.cache.clear();
  sequence.request->events.finished(sequence.index, std::move(result));
}

}  // namespace slipway::ml
