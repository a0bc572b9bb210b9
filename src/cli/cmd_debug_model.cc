#include "cli/compute_choice.h"
#include "cli/ml_options.h"
#include "cli/step_io.h"
#include "cli/verbs.h"
#include "slipway/mlsteps/inspect.h"

namespace slipway::cli {
namespace {

using Step = int (*)(const mlsteps::InspectOptions&, const mlsteps::StepIo&);

struct Settings : mlsteps::InspectOptions {
  ComputeChoice choice;
};

std::shared_ptr<Settings> add_common(CLI::App& app) {
  auto options = std::make_shared<Settings>();
  app.add_option("--model", options->model, "folder of the model")->required();
  app.add_option("--adapter", options->adapter, "PEFT folder");
  app.add_option("--output", options->output, "file to write")->required();
  add_compute(app, options->choice);
  return options;
}

void add_data(CLI::App& app, Settings& options) {
  app.add_option("--data", options.input, "JSONL file as for training")->required();
  app.add_option("--max-seq-length", options.rules.max_seq_length, "tokens of a sample; more are cut off [512]");
  app.add_option("--response-template", options.rules.response_template, "label only what follows this text");
  add_enum(app, "--compat", options.rules.compat, ml::kCompats, "label as another trainer does");
}

Handler handler_of(std::shared_ptr<Settings> options, Step step) {
  return [options = std::move(options), step](Session& session) {
    const StepSurroundings surroundings(session);
    const auto compute = resolve(options->choice, surroundings.io().clock);
    if (!compute) return mlsteps::fail(surroundings.io(), compute.error());
    options->compute = *compute;
    return step(*options, surroundings.io());
  };
}

}  // namespace

Handler setup_debug_logits(CLI::App& app) {
  auto options = add_common(app);
  app.add_option("--input", options->input, "JSONL lines with `prompt_ids`")->required();
  return handler_of(std::move(options), mlsteps::run_logits);
}

Handler setup_debug_eval_loss(CLI::App& app) {
  auto options = add_common(app);
  add_data(app, *options);
  return handler_of(std::move(options), mlsteps::run_eval_loss);
}

Handler setup_debug_grads(CLI::App& app) {
  auto options = add_common(app);
  add_data(app, *options);
  return handler_of(std::move(options), mlsteps::run_gradients);
}

}  // namespace slipway::cli
