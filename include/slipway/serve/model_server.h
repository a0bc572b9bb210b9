// The HTTP face of a model: OpenAI's /v1/completions, /v1/chat/completions and /v1/models, vLLM's legacy /generate (or
// the shape of Vertex AI), /metrics under vLLM's names, /health, /ping, /version, and a page to chat at /.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "slipway/base/enum_table.h"
#include "slipway/base/log.h"
#include "slipway/base/result.h"
#include "slipway/base/time.h"
#include "slipway/ml/model.h"

namespace slipway::serve {

enum class ResponseFormat : std::uint8_t { Text, Predictions };
inline constexpr EnumTable<ResponseFormat, 2> kResponseFormats{{{
    {ResponseFormat::Text, "text", "vLLM's {\"text\": [prompt + output]}"},
    {ResponseFormat::Predictions, "predictions", "Vertex AI's {\"predictions\": [\"Prompt:…Output:…\"]}"},
}}};

struct AdapterSource {
  std::string name;  // what a request's `model` says
  std::filesystem::path folder;
};

struct ServeOptions {
  std::filesystem::path model;
  std::string model_name;  // as /v1/models lists it; the folder's path if empty
  std::vector<AdapterSource> adapters;
  std::string host = "127.0.0.1";
  std::uint16_t port = 8000;  // 0: any free one
  ResponseFormat format = ResponseFormat::Text;
  ml::WeightForm weights = ml::WeightForm::Stored;
  ml::ComputeOptions compute;
  int sequences_max = 16;                  // decoded together
  std::int64_t step_tokens = 256;          // computed together: long prompts are cut
  std::size_t kv_bytes_max = 0;            // for keys and values; 0: half of what the weights leave
  bool prefix_cache = true;                // keep the beginnings of prompts for those that begin alike
  int queue_max = 64;                      // prompts in work and waiting; more: 429
  std::size_t body_bytes_max = 1U << 20U;  // larger: 413
  int prompt_tokens_max = 0;               // 0: what the context leaves; longer prompts: 400
  int max_tokens_max = 4096;               // a larger `max_tokens`: 400
  std::uint64_t seed = 0;                  // of requests that name none; drawn by the caller
  std::string version;                     // as /version says it
  std::int64_t started_s = 0;              // Unix time, for /v1/models
};

// Thread-safe.
class ModelServer {
 public:
  // Binds and answers at once; the model is loaded meanwhile, and /health is 503 until it is there. `clock` outlives
  // it.
  [[nodiscard]] static Result<std::unique_ptr<ModelServer>> start(ServeOptions options, const Clock& clock, Logger log);
  // Stops at once: connections are cut.
  ~ModelServer();

  [[nodiscard]] std::uint16_t port() const;
  // Returns when the model is loaded, or why it could not be.
  [[nodiscard]] Result<void> wait_ready();
  // Most tokens of prompt and output together: the model's context, or what the memory for keys and values holds; 0
  // while loading.
  [[nodiscard]] std::int64_t context() const;
  // Refuses new requests, and returns when those in work were answered or `limit` has passed.
  void drain(Duration limit);

 private:
  struct Impl;
  explicit ModelServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace slipway::serve
