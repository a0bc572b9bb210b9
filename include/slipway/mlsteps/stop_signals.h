// SIGTERM and SIGINT as a question. The signals are blocked for the process, so no handler and no global flag exists;
// whoever works asks between two pieces of work.
#pragma once

namespace slipway::mlsteps {

// Construct it before any thread is started (threads inherit the mask). After the first SIGINT was seen, the next one
// kills as usual. Not thread-safe.
class StopSignals {
 public:
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  // Whether one came since construction.
  [[nodiscard]] bool requested();
  // Returns when one came.
  void wait();

 private:
  bool requested_ = false;
};

}  // namespace slipway::mlsteps
