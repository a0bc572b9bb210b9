#include <CLI/CLI.hpp>

#include "cli/step_io.h"
#include "cli/verbs.h"
#include "slipway/mlsteps/merge.h"

namespace slipway::cli {

Handler setup_merge(CLI::App& app) {
  auto options = std::make_shared<mlsteps::MergeStepOptions>();
  app.add_option("--model", options->model, "folder of the base model")->required();
  app.add_option("--adapter", options->adapter, "PEFT folder")->required();
  app.add_option("--output", options->output, "folder of the merged model")->required();
  app.add_option("--dtype", options->dtype, "bf16, fp16 or fp32 [that of each tensor]")
      ->check(CLI::IsMember({"bf16", "fp16", "fp32"}));
  return [options](Session& session) {
    const StepSurroundings surroundings(session);
    return mlsteps::run_merge(*options, surroundings.io());
  };
}

}  // namespace slipway::cli
