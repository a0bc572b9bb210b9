#include "cli/compute_choice.h"
#include "cli/ml_options.h"
#include "cli/step_io.h"
#include "cli/verbs.h"
#include "slipway/mlsteps/evaluate.h"

namespace slipway::cli {

Handler setup_evaluate(CLI::App& app) {
  auto options = std::make_shared<mlsteps::EvaluateOptions>();
  auto choice = std::make_shared<ComputeChoice>();
  app.add_option("--model", options->model, "folder of the model")->required();
  app.add_option("--adapter", options->adapter, "PEFT folder");
  app.add_option("--baseline", options->baseline, "folder of a model to compare with");
  app.add_option("--data", options->data, "JSONL file as for training")->required();
  app.add_option("--answer-marker,--response-template", options->answer_marker,
                 "ends the prompt in a `text` line [Answer:]");
  app.add_option("--labels", options->labels, "the answers that exist, e.g. POSITIVE,NEGATIVE")->delimiter(',');
  add_enum(app, "--metric", options->metric, mlsteps::kEvaluateMetrics, "what is measured [accuracy]");
  app.add_option("--output", options->output, "JSONL of every prompt, right answer, generated text and verdict");
  app.add_option("--min-accuracy", options->accuracy_min, "below it the exit code is 1 [0]");
  app.add_option("--max-new-tokens", options->max_new_tokens, "of an answer [32]");
  add_enum(app, "--weights", options->weights, ml::kWeightForms, "how the matrices are kept [stored]");
  add_compute(app, *choice);
  return [options, choice](Session& session) {
    const StepSurroundings surroundings(session);
    const auto compute = resolve(*choice, surroundings.io().clock);
    if (!compute) return mlsteps::fail(surroundings.io(), compute.error());
    options->compute = *compute;
    return mlsteps::run_evaluate(*options, surroundings.io());
  };
}

}  // namespace slipway::cli
