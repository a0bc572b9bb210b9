#include "slipway/base/step.h"

#include <fstream>

namespace slipway {

int step_exit_code(ErrorCode code) {
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

Result<void> write_step_output(const std::string& path, const Value& outputs) {
  if (path.empty()) return {};
  std::ofstream file(path, std::ios::trunc);
  file << outputs.dump() << "\n" << std::flush;
  if (!file) return Error{ErrorCode::Io, "SLIPWAY_OUTPUT " + path + " could not be written", {}};
  return {};
}

Value step_failure(std::string_view failure_class, std::string_view message) {
  Value reason;
  reason["class"] = failure_class;
  reason["message"] = message;
  Value failure;
  failure["_error"] = std::move(reason);
  return failure;
}

}  // namespace slipway
