#include "cli/compute_choice.h"
#include "cli/ml_options.h"
#include "cli/step_io.h"
#include "cli/verbs.h"
#include "slipway/mlsteps/generate.h"

namespace slipway::cli {

Handler setup_generate(CLI::App& app) {
  auto options = std::make_shared<mlsteps::GenerateOptions>();
  auto choice = std::make_shared<ComputeChoice>();
  auto& params = options->params;
  app.add_option("--model", options->model, "folder of the model")->required();
  app.add_option("--adapter", options->adapter, "PEFT folder");
  app.add_option("--input,--data", options->input, "JSONL lines with `prompt`, `messages` or `prompt_ids`");
  app.add_option("--output", options->output, "JSONL lines with `ids`, `text`, `finish_reason`");
  app.add_option("--prompt", options->prompt, "one prompt; its text goes to stdout as it comes");
  app.add_flag("--chat", options->chat, "--prompt is what a user says: by the model's chat template");
  app.add_option("--max-new-tokens,--max-tokens", params.max_tokens, "new tokens at most [16]");
  app.add_option("--n", params.n, "continuations of each prompt [1]");
  app.add_option("--temperature", params.temperature, "0: always the likeliest token [1]");
  app.add_option("--top-k", params.top_k, "choose among the k likeliest; 0: all [0]");
  app.add_option("--top-p", params.top_p, "choose among the likeliest that reach this mass [1]");
  app.add_option("--min-p", params.min_p, "choose among those at least this share of the likeliest [0]");
  app.add_option("--repetition-penalty", params.repetition_penalty, "above 1: repeat less [1]");
  app.add_option("--frequency-penalty", params.frequency_penalty, "taken off a token's logit per use so far [0]");
  app.add_option("--presence-penalty", params.presence_penalty, "taken off once if it was used [0]");
  app.add_option("--min-tokens", params.min_tokens, "new tokens before an end is allowed [0]");
  app.add_option("--stop", params.stop, "end before this text; repeat for several")->take_all();
  app.add_option("--seed", options->seed, "of the draws [42]");
  app.add_flag("--ignore-eos", params.ignore_eos, "go on behind an end-of-sequence token");
  add_enum(app, "--weights", options->weights, ml::kWeightForms, "how the matrices are kept [stored]");
  add_compute(app, *choice);
  return [options, choice](Session& session) {
    const StepSurroundings surroundings(session);
    const auto compute = resolve(*choice, surroundings.io().clock);
    if (!compute) return mlsteps::fail(surroundings.io(), compute.error());
    options->compute = *compute;
    return mlsteps::run_generate(*options, surroundings.io());
  };
}

}  // namespace slipway::cli
