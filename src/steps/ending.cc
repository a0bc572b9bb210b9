#include "slipway/steps/ending.h"

#include <ostream>

#include "slipway/base/step.h"

namespace slipway::steps {
namespace {

bool write_outputs(const Ending& ending, const Value& outputs) {
  const auto written = write_step_output(ending.output_file, outputs);
  if (!written) ending.err << "slipway: " << written.error().message << "\n";
  return static_cast<bool>(written);
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
  write_outputs(ending, step_failure(kErrorCodes.text(error.code), error.message));
  return step_exit_code(error.code);
}

}  // namespace slipway::steps
