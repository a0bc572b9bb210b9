#include "slipway/mlsteps/step.h"

#include <fstream>
#include <ostream>

namespace slipway::mlsteps {
namespace {

int exit_code_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::InvalidArgument:
    case ErrorCode::NotFound:
    case ErrorCode::Conflict:
    case ErrorCode::Unauthorized:
    case ErrorCode::Forbidden:
    case ErrorCode::TooLarge:
    case ErrorCode::Corrupt:
    case ErrorCode::Unsupported: return kStepInvalid;
    case ErrorCode::Cancelled: return kStepInterrupted;
    case ErrorCode::Unavailable:
    case ErrorCode::TimedOut:
    case ErrorCode::Io:
    case ErrorCode::Internal: return kStepInternal;
  }
  return kStepInternal;
}

}  // namespace

std::string StepIo::variable(const std::string& name) const {
  const auto it = env.find(name);
  return it == env.end() ? std::string() : it->second;
}

// Written in place: on Kubernetes the file is a mount (the termination message), which no rename can replace.
Result<void> write_outputs(const StepIo& io, const Value& outputs) {
  const std::string path = io.variable("SLIPWAY_OUTPUT");
  if (path.empty()) return {};
  std::ofstream file(path, std::ios::trunc);
  file << outputs.dump() << "\n" << std::flush;
  if (!file) return Error{ErrorCode::Io, "SLIPWAY_OUTPUT " + path + " could not be written", {}};
  return {};
}

int fail(const StepIo& io, int exit_code, std::string_view failure_class, std::string_view message) {
  io.err << "slipway: " << message << "\n";
  const Value reason = Value::Object{{"class", failure_class}, {"message", message}};
  if (const auto written = write_outputs(io, Value::Object{{"_error", reason}}); !written)
    io.err << "slipway: " << written.error().message << "\n";
  return exit_code;
}

int fail(const StepIo& io, const Error& error) {
  const int code = fail(io, exit_code_of(error.code), kErrorCodes.text(error.code), error.message);
  if (!error.help.empty()) io.err << "help: " << error.help << "\n";
  return code;
}

}  // namespace slipway::mlsteps
