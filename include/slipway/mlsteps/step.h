// What every step of the model tower shares: its surroundings, and how it ends (exit codes: base/step.h). A step is a
// function from options to an exit code; the command line only fills the options.
#pragma once

#include <functional>
#include <iosfwd>
#include <map>
#include <string>
#include <string_view>

#include "slipway/base/result.h"
#include "slipway/base/step.h"
#include "slipway/base/time.h"
#include "slipway/base/value.h"

namespace slipway::mlsteps {

struct StepIo {
  std::ostream& out;  // results
  std::ostream& err;  // talk
  std::map<std::string, std::string> env;
  const Clock& clock;
  std::function<bool()> stop_requested;  // SIGTERM or SIGINT came; may be empty
  int columns = 0;                       // of the terminal that `err` is; 0: it is none

  // The variable, or "" if absent.
  [[nodiscard]] std::string variable(const std::string& name) const;
};

// Writes `outputs` to the file $SLIPWAY_OUTPUT, if that is set.
[[nodiscard]] Result<void> write_outputs(const StepIo& io, const Value& outputs);

// Prints the error, leaves {"_error": {"class", "message"}} in $SLIPWAY_OUTPUT, and gives the exit code of the error.
int fail(const StepIo& io, const Error& error);
// The same for an end that is no Error: class "usage", "non-finite", "interrupted" or "check".
int fail(const StepIo& io, int exit_code, std::string_view failure_class, std::string_view message);

}  // namespace slipway::mlsteps
