#include "slipway/steps/ending.h"

#include <fstream>
#include <ostream>

namespace slipway::steps {
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
    case ErrorCode::Unavailable:
    case ErrorCode::TimedOut:
    case ErrorCode::Cancelled:
    case ErrorCode::Io:
    case ErrorCode::Internal: return kStepInternal;
  }
  return kStepInternal;
}

// In place: on Kubernetes the file is a mount, which no rename can replace.
bool write_outputs(const Ending& ending, const Value& outputs) {
  if (ending.output_file.empty()) return true;
  std::ofstream file(ending.output_file, std::ios::trunc);
  file << outputs.dump() << "\n" << std::flush;
  if (!file) ending.err << "slipway: SLIPWAY_OUTPUT " << ending.output_file << " could not be written\n";
  return static_cast<bool>(file);
}

}  // namespace

int end_step(const Ending& ending, const Result<Value>& outputs) {
  if (outputs) {
    ending.out << outputs->dump() << "\n";
    return write_outputs(ending, *outputs) ? kStepOk : kStepInternal;
  }
  const Error& error = outputs.error();
  ending.err << "slipway: " << error.message << "\n";
  if (!error.help.empty()) ending.err << "help: " << error.help << "\n";
  const Value reason = Value::Object{{"class", kErrorCodes.text(error.code)}, {"message", error.message}};
  write_outputs(ending, Value::Object{{"_error", reason}});
  return exit_code_of(error.code);
}

}  // namespace slipway::steps
