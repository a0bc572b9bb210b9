#include "slipway/steps/fetch.h"

#include <CLI/CLI.hpp>

#include "cli/bring.h"
#include "cli/session.h"
#include "cli/verbs.h"
#include "slipway/steps/ending.h"

namespace slipway::cli {

Handler setup_fetch(CLI::App& app) {
  auto options = std::make_shared<steps::FetchOptions>();
  app.add_option("uri", options->uri, "of a file or a folder: a plain path, file://, http(s):// or gs://")->required();
  app.add_option("destination", options->destination, "path, or a folder for the file to go into")->required();
  return [options](Session& session) {
    const auto report = bring(session, *options);
    const auto outputs = report ? Result<Value>(steps::to_value(*report)) : Result<Value>(report.error());
    return steps::end_step({session.out, session.err, session.variable("SLIPWAY_OUTPUT")}, outputs);
  };
}

}  // namespace slipway::cli
