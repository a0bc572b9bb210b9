#include "slipway/mlsteps/step.h"

#include <ostream>

namespace slipway::mlsteps {

std::string StepIo::variable(const std::string& name) const {
  const auto it = env.find(name);
  return it == env.end() ? std::string() : it->second;
}

Result<void> write_outputs(const StepIo& io, const Value& outputs) {
  return write_step_output(io.variable("SLIPWAY_OUTPUT"), outputs);
}

int fail(const StepIo& io, int exit_code, std::string_view failure_class, std::string_view message) {
  io.err << "slipway: " << message << "\n";
  if (const auto written = write_outputs(io, step_failure(failure_class, message)); !written)
    io.err << "slipway: " << written.error().message << "\n";
  return exit_code;
}

int fail(const StepIo& io, const Error& error) {
  const int code = fail(io, step_exit_code(error.code), kErrorCodes.text(error.code), error.message);
  if (!error.help.empty()) io.err << "help: " << error.help << "\n";
  return code;
}

}  // namespace slipway::mlsteps
