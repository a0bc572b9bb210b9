// Continuous batching: any number of prompts are continued together, one token per running sequence and step, long
// prompts in chunks beside them; a finished sequence makes room for the next at once.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "slipway/base/enum_table.h"
#include "slipway/ml/compute.h"
#include "slipway/ml/lora.h"
#include "slipway/ml/model.h"
#include "slipway/ml/sampling.h"
#include "slipway/ml/tokenizer.h"

namespace slipway::ml {

class PrefixCache;

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
  std::vector<Logprobs> logprobs = {};          // one per id, if asked for
  std::vector<Logprobs> prompt_logprobs = {};   // one per token of the prompt but the first, if asked for
  std::optional<TokenId> stop_token = {};       // of stop_token_ids, if one ended it
  std::optional<std::string> stop_string = {};  // likewise
};

// Called by Generator::step() and cancel() on their thread.
struct GenerationEvents {
  // The first token was put in work; may be empty.
  std::function<void()> started = {};
  // After each token but the last; may be empty. `text` is what no later token can change: a stop string that may have
  // begun and half a character are held back.
  std::function<void(int index, const Generation& so_far, std::string_view text)> progress = {};
  // Once per continuation, index in [0, n).
  std::function<void(int index, Generation generation)> finished;
};

struct GenerationRequest {
  std::vector<TokenId> prompt;  // at least one, fewer than Generator::context()
  SamplingParams params;
  const Lora* lora = nullptr;  // outlives the request
  std::uint64_t seed = 0;      // used if params.seed is absent
  GenerationEvents events;
};
using RequestId = std::uint64_t;

struct GeneratorLimits {
  int sequences_max = 16;  // decoded together; more wait
  // Never choose an id without a token (models may have more embedding rows than tokens). transformers and vLLM do.
  bool tokens_only = false;
  std::int64_t step_tokens = 256;  // per step, so that a long prompt does not stall the others; prompts get at least 64
  // For keys and values. If they run out, the youngest sequence gives its own back and computes them again later.
  std::size_t kv_bytes_max = std::size_t{1} << 30U;
  // Keep the beginnings of prompts for those that begin alike, as long as nobody needs the room. Adapters must then
  // live as long as the generator.
  bool prefix_cache = false;
};

// How full it is.
struct GeneratorLoad {
  std::int64_t running = 0;  // sequences
  std::int64_t waiting = 0;
  std::int64_t pages = 0;
  std::int64_t pages_used = 0;           // by sequences
  std::int64_t preemptions = 0;          // so far
  std::int64_t prefix_tokens_asked = 0;  // of prompts that were looked up, so far
  std::int64_t prefix_tokens_found = 0;  // of them, not computed again
};

// What a sequence says depends on its request alone: beside which others it is decoded, how its prompt is cut and
// whether it gave back its keys meanwhile changes no bit of its logits. One Generator, one thread.
class Generator {
 public:
  Generator(const Model& model, Tokenizer tokenizer, Compute& compute, GeneratorLimits limits = {});
  ~Generator();

  // Most tokens of prompt and output together: the model's context, or what the memory for keys and values holds.
  [[nodiscard]] std::int64_t context() const { return context_; }

  RequestId add(GenerationRequest request);
  // Its continuations end as Cancelled; nothing if it has ended.
  void cancel(RequestId id);
  void cancel_all();
  [[nodiscard]] bool idle() const { return waiting_.empty() && running_.empty(); }
  void step();
  [[nodiscard]] GeneratorLoad load() const;

 private:
  struct Sequence;
  struct Share;
  using Sequences = std::deque<std::unique_ptr<Sequence>>;

  [[nodiscard]] std::unique_ptr<Sequence> make_sequence(std::shared_ptr<const GenerationRequest> request, RequestId id,
                                                        int index);
  [[nodiscard]] std::int32_t vocabulary() const;
  [[nodiscard]] std::int64_t tokens_to_take(const Sequence& sequence, std::int64_t budget) const;
  void schedule(std::vector<Share>& shares);
  void admit(std::vector<Share>& shares, std::int64_t budget);
  [[nodiscard]] bool make_room(Sequence& sequence, std::int64_t tokens);
  [[nodiscard]] bool free_pages(std::int64_t count);
  [[nodiscard]] bool begin(Sequence& next, std::int64_t& budget, std::vector<Share>& shares);
  void look_up(Sequence& sequence);
  void preempt_youngest();
  void read_prompt(const Share& share, const Matrix& logits);
  void sample(std::span<const Share> shares, Matrix& logits);
  [[nodiscard]] TokenId choose(Sequence& sequence, std::span<float> logits) const;
  void fork(Sequence& leader, std::span<const float> logits);
  void accept(Sequence& sequence, TokenId id);
  void finish(Sequence& sequence, FinishReason reason);
  void cancel_where(const std::function<bool(const Sequence&)>& which);

  const Model& model_;
  Tokenizer tokenizer_;
  Compute& compute_;
  GeneratorLimits limits_;
  KvPool pool_;
  std::int64_t context_;
  std::unique_ptr<PrefixCache> prefixes_;  // after the pool; null if none are kept
  RequestId last_id_ = 0;
  std::int64_t preemptions_ = 0;
  std::int64_t prefix_tokens_asked_ = 0;
  std::int64_t prefix_tokens_found_ = 0;
  Sequences waiting_;  // first come, first served; what gave its pages back stands in front
  Sequences running_;  // oldest first
};

}  // namespace slipway::ml
