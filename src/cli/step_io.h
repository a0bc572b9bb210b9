// What the steps of the model tower need, taken from the session.
#pragma once

#include "cli/session.h"
#include "slipway/base/time.h"
#include "slipway/mlsteps/step.h"
#include "slipway/mlsteps/stop_signals.h"

namespace slipway::cli {

// Columns of the terminal on stderr; 80 if it does not say.
[[nodiscard]] int error_columns();

// Owns what a StepIo refers to; make it before any thread is started. From then on SIGTERM and SIGINT are questions
// that the step asks.
class StepSurroundings {
 public:
  explicit StepSurroundings(Session& session)
      : io_{.out = session.out,
            .err = session.err,
            .env = session.env,
            .clock = clock_,
            .stop_requested = [this] { return signals_.requested(); },
            .columns = session.err_is_terminal ? error_columns() : 0} {}

  [[nodiscard]] const mlsteps::StepIo& io() const { return io_; }
  [[nodiscard]] mlsteps::StopSignals& signals() { return signals_; }

 private:
  SystemClock clock_;
  mlsteps::StopSignals signals_;
  mlsteps::StepIo io_;
};

}  // namespace slipway::cli
