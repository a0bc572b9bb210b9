// A Generator on a thread of its own, for requests from any thread: they come and go between its steps.
#pragma once

#include <cstdint>
#include <memory>

#include "slipway/base/enum_table.h"
#include "slipway/ml/generator.h"

namespace slipway::ml {

struct EngineOptions {
  ComputeOptions compute;
  GeneratorLimits limits;
  int requests_max = 64;  // in work and waiting
};

enum class Admission : std::uint8_t { Accepted, Full, Stopping };

// Thread-safe. The events of a request are called on the engine's thread and may call the engine; they hold up every
// request while they run.
class Engine {
 public:
  // `model` outlives this.
  Engine(const Model& model, Tokenizer tokenizer, EngineOptions options);
  // What is in work ends as Cancelled.
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  [[nodiscard]] std::int64_t context() const;

  struct Submission {
    Admission admission = Admission::Accepted;
    RequestId id = 0;
  };
  // Does not wait. Unless accepted, no event is ever called.
  [[nodiscard]] Submission submit(GenerationRequest request);
  // Does not wait; nothing if the request has ended.
  void cancel(RequestId id);
  // Refuses what comes from now on; what is in work ends as Cancelled.
  void stop();
  [[nodiscard]] GeneratorLoad load() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace slipway::ml
