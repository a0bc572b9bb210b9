// One request in work: hands its prompts to the engine, and what the engine says to the client.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "serve/metrics.h"
#include "serve/model_host.h"
#include "serve/reply.h"
#include "slipway/http/later_reply.h"

namespace slipway::serve {

// What jobs share. Outlives them: a job ends with its engine.
struct JobSurroundings {
  ml::Engine& engine;
  Metrics& metrics;
  const Clock& clock;
  std::uint64_t seed = 0;  // of this request, if it names none
};

// Called on the engine's thread, a worker's and the I/O thread; lives as long as one of them has to say something.
class Job : public std::enable_shared_from_this<Job> {
 public:
  Job(Exchange exchange, Prepared prepared, const JobSurroundings& surroundings);

  // The reply, which comes later; or why the engine does not take it.
  [[nodiscard]] std::variant<http::Response, Refusal> start();

 private:
  [[nodiscard]] ml::GenerationRequest request(std::size_t prompt);
  void started();
  void progress(std::size_t choice, const ml::Generation& so_far, std::string_view text);
  void finished(std::size_t choice, ml::Generation generation);
  void stream(std::size_t choice);
  void complete();
  void note_token(std::size_t choice);
  void gone();

  std::mutex mutex_;
  Exchange exchange_;
  Prepared prepared_;
  JobSurroundings surroundings_;
  std::shared_ptr<http::LaterReply> reply_ = std::make_shared<http::LaterReply>();
  std::vector<ml::RequestId> submitted_;
  std::size_t open_;  // choices that are not done
  bool gone_ = false;
  MonoInstant arrived_;
  Duration queued_{};
  std::vector<std::optional<MonoInstant>> last_token_;  // by choice
};

}  // namespace slipway::serve
