#include "serve/engine.h"

namespace slipway::serve {
namespace {

// Far from the stride between the continuations of one request, so that no two sequences share their draws.
constexpr std::uint64_t kRequestStride = 0xd1342543de82ef95ULL;

// Collects the continuations of one request; the last one fulfils the promise.
struct Collector {
  std::vector<ml::Generation> generations;
  std::size_t missing = 0;
  std::promise<std::vector<ml::Generation>> promise;

  void take(int index, ml::Generation generation) {
    generations[static_cast<std::size_t>(index)] = std::move(generation);
    if (--missing == 0) promise.set_value(std::move(generations));
  }
};

Error limit_error(const std::string& what, std::int64_t given, std::int64_t limit) {
  return Error{ErrorCode::InvalidArgument,
               what + " is " + std::to_string(given) + "; this server takes at most " + std::to_string(limit),
               {}};
}

}  // namespace

Engine::Engine(const ServeOptions& options) : options_(options), thread_([this] { work(); }) {}

Engine::~Engine() {
  stop();
  thread_.join();
}

void Engine::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
}

bool Engine::ready() const {
  const std::lock_guard lock(mutex_);
  return loaded_ && loaded_->has_value() && !stopping_;
}

Result<void> Engine::wait_ready() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return loaded_.has_value(); });
  return *loaded_;
}

Result<Engine::State> Engine::load() const {
  SLIPWAY_TRY_ASSIGN(ml::LoadedModel model, ml::load_model(options_.model));
  std::vector<NamedAdapter> adapters;
  for (const auto& source : options_.adapters) {
    SLIPWAY_TRY_ASSIGN(ml::Adapter adapter, ml::read_adapter(source.folder, model.model.config()));
    adapters.push_back({source.name, std::move(adapter.lora)});
  }
  return State{std::move(model), std::move(adapters)};
}

Result<const ml::Lora*> Engine::adapter_of(const std::string& model) const {
  if (model.empty() || model == options_.model_name || model == options_.model.string()) return nullptr;
  for (const auto& adapter : state_->adapters)
    if (adapter.name == model) return &adapter.lora;
  return Error{ErrorCode::NotFound, "model `" + model + "` is not served here", "GET /v1/models lists what is"};
}

Result<std::vector<ml::TokenId>> Engine::prompt_ids(const GenerateCall& call) const {
  const std::int64_t context = state_->model.model.config().context_length;
  const std::int64_t longest =
      options_.prompt_tokens_max > 0 ? std::min<std::int64_t>(options_.prompt_tokens_max, context - 1) : context - 1;
  if (call.params.max_tokens > options_.max_tokens_max)
    return limit_error("`max_tokens`", call.params.max_tokens, options_.max_tokens_max);
  if (call.params.n > options_.sequences_max) return limit_error("`n`", call.params.n, options_.sequences_max);
  auto ids = state_->model.tokenizer.encode(call.prompt, ml::SpecialTokens::Add);
  if (std::ssize(ids) > longest) return limit_error("the prompt's length in tokens", std::ssize(ids), longest);
  return ids;
}

Result<GenerateResult> Engine::generate(GenerateCall call) {
  if (!ready()) return Error{ErrorCode::Unavailable, "the model is not loaded", "ask /health"};
  SLIPWAY_TRY_ASSIGN(const ml::Lora* lora, adapter_of(call.model));
  SLIPWAY_TRY_ASSIGN(auto ids, prompt_ids(call));
  auto collector = std::make_shared<Collector>();
  collector->missing = static_cast<std::size_t>(call.params.n);
  collector->generations.resize(collector->missing);
  auto done = collector->promise.get_future();
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return Error{ErrorCode::Unavailable, "the server is stopping", {}};
    ml::GenerationRequest request;
    request.prompt = std::move(ids);
    request.params = call.params;
    request.lora = lora;
    request.seed = options_.seed + kRequestStride * ++requests_;
    request.events.finished = [collector](int index, ml::Generation generation) {
      collector->take(index, std::move(generation));
    };
    incoming_.push_back(std::move(request));
  }
  changed_.notify_all();
  GenerateResult result{std::move(call.prompt), done.get()};
  for (const auto& generation : result.generations)
    if (generation.finish == ml::FinishReason::Cancelled)
      return Error{ErrorCode::Unavailable, "the server is stopping", {}};
  return result;
}

void Engine::work() {
  auto state = load();
  {
    const std::lock_guard lock(mutex_);
    if (state) {
      state_.emplace(*std::move(state));
      loaded_ = Result<void>();
    } else {
      loaded_ = Result<void>(state.error());
    }
  }
  changed_.notify_all();
  if (state_) decode_loop();
}

void Engine::decode_loop() {
  ml::Compute compute(options_.compute);
  ml::Generator generator(state_->model.model, state_->model.tokenizer, compute,
                          {.sequences_max = options_.sequences_max, .tokens_only = true});
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return stopping_ || !incoming_.empty() || !generator.idle(); });
      for (auto& request : incoming_) generator.add(std::move(request));
      incoming_.clear();
      if (stopping_) break;
    }
    generator.step();
  }
  generator.cancel_all();
}

}  // namespace slipway::serve
