#include "serve/model_host.h"

#include <algorithm>

#include "slipway/ml/memory.h"

namespace slipway::serve {
namespace {

// The weights are mapped: they need memory too, but do not count as taken.
std::size_t kv_bytes(const ServeOptions& options) {
  if (options.kv_bytes_max > 0) return options.kv_bytes_max;
  std::size_t weights = 0;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(options.model, ignored))
    if (entry.path().extension() == ".safetensors") weights += entry.file_size(ignored);
  const std::size_t usable = ml::usable_memory();
  return std::min(usable > weights ? (usable - weights) / 2 : 0, std::size_t{64} << 30U);
}

Refusal too_many(const std::string& field, std::int64_t given, std::int64_t limit) {
  return {
      .message = "`" + field + "` is " + std::to_string(given) + "; this server takes at most " + std::to_string(limit),
      .param = field};
}

Refusal unavailable(const char* message) { return {.status = 503, .message = message, .code = "unavailable"}; }

}  // namespace

ModelHost::ModelHost(const ServeOptions& options) : options_(options) {
  thread_ = std::thread([this] {
    auto state = load_state();
    {
      const std::lock_guard lock(mutex_);
      if (state) {
        state_ = *std::move(state);
        loaded_ = Result<void>();
      } else {
        loaded_ = Result<void>(state.error());
      }
    }
    changed_.notify_all();
  });
}

ModelHost::~ModelHost() { thread_.join(); }

bool ModelHost::ready() const {
  const std::lock_guard lock(mutex_);
  return loaded_ && loaded_->has_value() && !closed_;
}

Result<void> ModelHost::wait_ready() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return loaded_.has_value(); });
  return *loaded_;
}

void ModelHost::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
}

ml::GeneratorLoad ModelHost::load() const {
  const std::lock_guard lock(mutex_);
  return state_ ? state_->engine->load() : ml::GeneratorLoad{};
}

std::int64_t ModelHost::context() const {
  const std::lock_guard lock(mutex_);
  return state_ ? state_->engine->context() : 0;
}

Result<std::unique_ptr<ModelHost::State>> ModelHost::load_state() const {
  SLIPWAY_TRY_ASSIGN(ml::LoadedModel model, ml::load_model(options_.model, options_.weights));
  std::vector<NamedAdapter> adapters;
  for (const auto& source : options_.adapters) {
    SLIPWAY_TRY_ASSIGN(ml::Adapter adapter, ml::read_adapter(source.folder, model.model.config()));
    adapters.push_back({source.name, std::move(adapter.lora)});
  }
  // A base model has no template; that is an error only to whoever wants to chat.
  auto chat = ml::ChatTemplate::load(options_.model);
  if (!chat && chat.error().code != ErrorCode::NotFound) return chat.error();
  auto state = std::make_unique<State>(State{std::move(model), std::move(adapters), std::move(chat), nullptr});
  // The model stays where it is now.
  state->engine = std::make_unique<ml::Engine>(state->model.model, state->model.tokenizer,
                                               ml::EngineOptions{.compute = options_.compute,
                                                                 .limits = {.sequences_max = options_.sequences_max,
                                                                            .tokens_only = true,
                                                                            .step_tokens = options_.step_tokens,
                                                                            .kv_bytes_max = kv_bytes(options_),
                                                                            .prefix_cache = options_.prefix_cache},
                                                                 .requests_max = options_.queue_max});
  return state;
}

std::optional<Refusal> ModelHost::find_adapter(const std::string& model, const ml::Lora*& lora) const {
  lora = nullptr;
  if (model.empty() || model == options_.model_name || model == options_.model.string()) return std::nullopt;
  for (const auto& adapter : state_->adapters) {
    if (adapter.name != model) continue;
    lora = &adapter.lora;
    return std::nullopt;
  }
  return Refusal{.status = 404,
                 .message = "model `" + model + "` is not served here; GET /v1/models lists what is",
                 .param = "model",
                 .code = "model_not_found"};
}

std::optional<Refusal> ModelHost::check_limits(const Ask& ask) const {
  if (ask.max_tokens_given && ask.params.max_tokens > options_.max_tokens_max)
    return too_many("max_tokens", ask.params.max_tokens, options_.max_tokens_max);
  if (ask.params.n > options_.sequences_max) return too_many("n", ask.params.n, options_.sequences_max);
  for (const auto& [id, bias] : ask.params.logit_bias)
    if (std::cmp_greater_equal(id, tokenizer().size()))
      return Refusal{.message = "`logit_bias` names " + std::to_string(id) + ", which is no token",
                     .param = "logit_bias"};
  return std::nullopt;
}

std::variant<PreparedPrompt, Refusal> ModelHost::prepare_chat(const Ask& ask) const {
  if (!state_->chat)
    return Refusal{.message = "the model has no chat template; use /v1/completions", .param = "messages"};
  auto text = state_->chat->render(ask.messages, ask.add_generation_prompt);
  if (!text) return Refusal{.message = text.error().message, .param = "messages"};
  const auto specials = ask.add_special_tokens ? ml::SpecialTokens::Add : ml::SpecialTokens::Omit;
  auto ids = tokenizer().encode(*text, specials);
  return PreparedPrompt{*std::move(text), std::move(ids)};
}

std::variant<PreparedPrompt, Refusal> ModelHost::prepare_prompt(const Ask& ask, const Prompt& prompt) const {
  if (const auto* text = std::get_if<std::string>(&prompt)) {
    const auto specials = ask.add_special_tokens ? ml::SpecialTokens::Add : ml::SpecialTokens::Omit;
    return PreparedPrompt{*text, tokenizer().encode(*text, specials)};
  }
  const auto& ids = std::get<std::vector<ml::TokenId>>(prompt);
  for (const auto id : ids)
    if (id < 0 || std::cmp_greater_equal(id, tokenizer().size()))
      return Refusal{.message = "`prompt` holds " + std::to_string(id) + ", which is no token", .param = "prompt"};
  return PreparedPrompt{tokenizer().decode(ids, false), ids};
}

std::optional<Refusal> ModelHost::check_length(const Ask& ask, const PreparedPrompt& prompt) const {
  const std::string field = ask.endpoint == Endpoint::Chat ? "messages" : "prompt";
  const std::int64_t context = state_->engine->context();
  const std::int64_t longest =
      options_.prompt_tokens_max > 0 ? std::min<std::int64_t>(options_.prompt_tokens_max, context - 1) : context - 1;
  if (prompt.ids.empty()) return Refusal{.message = "`" + field + "` is empty", .param = field};
  if (std::ssize(prompt.ids) <= longest) return std::nullopt;
  return Refusal{.message = "`" + field + "` has " + std::to_string(prompt.ids.size()) +
                            " tokens; this server takes at most " + std::to_string(longest),
                 .param = field,
                 .code = "context_length_exceeded"};
}

std::variant<Prepared, Refusal> ModelHost::prepare(const Ask& ask) const {
  if (!ready()) return unavailable("the model is not ready; ask /health");
  Prepared prepared{.model = ask.model.empty() ? options_.model_name : ask.model, .params = ask.params};
  if (auto refusal = find_adapter(ask.model, prepared.lora)) return *std::move(refusal);
  if (auto refusal = check_limits(ask)) return *std::move(refusal);
  const bool chat = ask.endpoint == Endpoint::Chat;
  for (std::size_t i = 0; i < (chat ? 1 : ask.prompts.size()); ++i) {
    auto made = chat ? prepare_chat(ask) : prepare_prompt(ask, ask.prompts[i]);
    if (auto* refusal = std::get_if<Refusal>(&made)) return *std::move(refusal);
    auto& prompt = std::get<PreparedPrompt>(made);
    if (auto refusal = check_length(ask, prompt)) return *std::move(refusal);
    // A chat that says nothing of max_tokens may use the whole context.
    if (chat && !ask.max_tokens_given)
      prepared.params.max_tokens = static_cast<int>(
          std::min<std::int64_t>(options_.max_tokens_max, state_->engine->context() - std::ssize(prompt.ids)));
    prepared.prompts.push_back(std::move(prompt));
  }
  prepared.params.min_tokens = std::min(prepared.params.min_tokens, prepared.params.max_tokens);
  return prepared;
}

}  // namespace slipway::serve
