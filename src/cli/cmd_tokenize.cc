#include <CLI/CLI.hpp>

#include "cli/step_io.h"
#include "cli/verbs.h"
#include "slipway/mlsteps/tokenize.h"

namespace slipway::cli {

Handler setup_tokenize(CLI::App& app) {
  auto options = std::make_shared<mlsteps::TokenizeOptions>();
  app.add_option("--tokenizer", options->tokenizer, "tokenizer.json, or its folder")->required();
  app.add_option("--input", options->input, "JSONL lines with `text`, or `ids` to decode");
  app.add_option("--output", options->output, "JSONL lines with `ids`, or `text`");
  app.add_option("--text", options->text, "one text; its ids and tokens go to stdout");
  app.add_flag("--decode", options->decode, "from ids to text");
  return [options](Session& session) {
    const StepSurroundings surroundings(session);
    return mlsteps::run_tokenize(*options, surroundings.io());
  };
}

}  // namespace slipway::cli
