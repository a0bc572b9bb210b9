// Parameters of a run, from a file and from `-p name=value`.
#pragma once

#include <string>
#include <vector>

#include "cli/session.h"

namespace CLI {
class App;
}

namespace slipway::cli {

struct ParamOptions {
  std::vector<std::string> pairs;  // "name=value", "name=@file"
  std::string file;                // YAML or JSON, an object
};
void add_param_options(CLI::App& app, ParamOptions& options);

// One object; pairs go over the file. A value is read by the type that the DAG declares: text stays text, anything else
// is JSON, and @file stands for the content of a file. The daemon judges the result.
[[nodiscard]] Result<Value> collect_params(Session& session, const std::string& dag, const ParamOptions& options);

}  // namespace slipway::cli
