// How a step ends: what it prints, what it leaves for the orchestrator in $SLIPWAY_OUTPUT, and its exit code.
#pragma once

#include <iosfwd>
#include <string>

#include "slipway/base/value.h"

namespace slipway::steps {

struct Ending {
  std::ostream& out;
  std::ostream& err;
  std::string output_file;  // $SLIPWAY_OUTPUT; empty: none
};

// Outputs are printed as one line of JSON and written to the file; an error is printed with its cure and written as
// {"_error": {"class", "message"}}. Gives the exit code (base/step.h).
int end_step(const Ending& ending, const Result<Value>& outputs);

}  // namespace slipway::steps
