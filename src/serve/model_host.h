// The model that is served: loaded in the background, then an engine that decodes.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "serve/ask.h"
#include "slipway/ml/adapter_folder.h"
#include "slipway/ml/engine.h"
#include "slipway/ml/loaded_model.h"
#include "slipway/serve/model_server.h"

namespace slipway::serve {

// Text or ids of a prompt as the engine takes them.
struct PreparedPrompt {
  std::string text;
  std::vector<ml::TokenId> ids;
};

struct Prepared {
  const ml::Lora* lora = nullptr;
  std::string model;  // the name it was asked by
  std::vector<PreparedPrompt> prompts;
  ml::SamplingParams params;  // max_tokens settled
};

// Every member may be called from any thread.
class ModelHost {
 public:
  // Starts loading; `options` outlives this.
  explicit ModelHost(const ServeOptions& options);
  // Ends what is in work.
  ~ModelHost();
  ModelHost(const ModelHost&) = delete;
  ModelHost& operator=(const ModelHost&) = delete;

  [[nodiscard]] bool ready() const;
  [[nodiscard]] Result<void> wait_ready();
  // From now on ready() is false and nothing is prepared.
  void close();

  // Checks limits, renders the chat and tokenizes.
  [[nodiscard]] std::variant<Prepared, Refusal> prepare(const Ask& ask) const;
  // Only when ready() was true once.
  [[nodiscard]] ml::Engine& engine() { return *state_->engine; }
  [[nodiscard]] const ml::Tokenizer& tokenizer() const { return state_->model.tokenizer; }
  // Zeros while loading.
  [[nodiscard]] ml::GeneratorLoad load() const;
  // Of prompt and output together; 0 while loading.
  [[nodiscard]] std::int64_t context() const;

 private:
  struct NamedAdapter {
    std::string name;
    ml::Lora lora;
  };
  struct State {
    ml::LoadedModel model;
    std::vector<NamedAdapter> adapters;
    Result<ml::ChatTemplate> chat;
    std::unique_ptr<ml::Engine> engine;  // last: ends before the model goes
  };

  [[nodiscard]] Result<std::unique_ptr<State>> load_state() const;
  [[nodiscard]] std::optional<Refusal> find_adapter(const std::string& model, const ml::Lora*& lora) const;
  [[nodiscard]] std::variant<PreparedPrompt, Refusal> prepare_chat(const Ask& ask) const;
  [[nodiscard]] std::variant<PreparedPrompt, Refusal> prepare_prompt(const Ask& ask, const Prompt& prompt) const;
  [[nodiscard]] std::optional<Refusal> check_length(const Ask& ask, const PreparedPrompt& prompt) const;
  [[nodiscard]] std::optional<Refusal> check_limits(const Ask& ask) const;

  const ServeOptions& options_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Result<void>> loaded_;
  bool closed_ = false;
  std::unique_ptr<State> state_;  // set before loaded_, never changed
  std::thread thread_;
};

}  // namespace slipway::serve
