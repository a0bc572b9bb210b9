// What every step of the model tower shares: its surroundings, its exit codes, and the result it leaves for the
// orchestrator. A step is a function from options to an exit code; the command line only fills the options.
#pragma once

#include <functional>
#include <iosfwd>
#include <map>
#include <string>
#include <string_view>

#include "slipway/base/result.h"
#include "slipway/base/time.h"
#include "slipway/base/value.h"

namespace slipway::mlsteps {

// Exit codes of the steps; 137 is never ours.
inline constexpr int kStepOk = 0;
inline constexpr int kStepFailed = 1;        // a check did not hold: the model is worse than asked for
inline constexpr int kStepUsage = 2;         // options that make no sense
inline constexpr int kStepInvalid = 3;       // data or model is wrong; repeating cannot help
inline constexpr int kStepNonFinite = 65;    // a loss or gradient was no finite number
inline constexpr int kStepInternal = 70;     // the machine refused: full disk, no memory
inline constexpr int kStepInterrupted = 75;  // asked to stop; a checkpoint is there, the same command goes on from it

struct StepIo {
  std::ostream& out;  // results
  std::ostream& err;  // talk
  std::map<std::string, std::string> env;
  const Clock& clock;
  std::function<bool()> stop_requested;  // SIGTERM or SIGINT came; may be empty

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
