// The thread that computes: it loads the model, then decodes all requests in work together, one token a step.
#pragma once

#include <condition_variable>
#include <future>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "serve/protocol.h"
#include "slipway/ml/adapter_folder.h"
#include "slipway/ml/loaded_model.h"

namespace slipway::serve {

// Every member may be called from any thread.
class Engine {
 public:
  // Starts loading; `options` outlives this.
  explicit Engine(const ServeOptions& options);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Requests in work end with FinishReason::Cancelled; later ones are refused.
  void stop();

  [[nodiscard]] bool ready() const;
  // Returns when loading ended.
  [[nodiscard]] Result<void> wait_ready();

  // Blocks until the text is there. Unavailable before ready and while stopping, InvalidArgument beyond a limit,
  // NotFound for an unknown model name.
  [[nodiscard]] Result<GenerateResult> generate(GenerateCall call);

 private:
  struct NamedAdapter {
    std::string name;
    ml::Lora lora;
  };
  struct State {
    ml::LoadedModel model;
    std::vector<NamedAdapter> adapters;
  };

  [[nodiscard]] Result<State> load() const;
  [[nodiscard]] Result<const ml::Lora*> adapter_of(const std::string& model) const;
  [[nodiscard]] Result<std::vector<ml::TokenId>> prompt_ids(const GenerateCall& call) const;
  void work();
  void decode_loop();

  const ServeOptions& options_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Result<void>> loaded_;           // guarded by mutex_; absent while loading
  std::vector<ml::GenerationRequest> incoming_;  // guarded by mutex_
  bool stopping_ = false;                        // guarded by mutex_
  std::uint64_t requests_ = 0;                   // guarded by mutex_; spreads the seeds
  std::optional<State> state_;                   // written before loaded_, then constant
  std::thread thread_;                           // last: it uses all of the above
};

}  // namespace slipway::serve
