// The verbs of the model tower in a build without it: they take anything and say why nothing happens.
#include <CLI/CLI.hpp>

#include "cli/exit_code.h"
#include "cli/session.h"
#include "cli/verbs.h"

namespace slipway::cli {
namespace {

Handler refuse(CLI::App& app) {
  app.allow_extras();
  return [](Session& session) {
    return session.usage("this build of slipway has no trainer and no model server", "build it with -DSLIPWAY_ML=ON");
  };
}

}  // namespace

Handler setup_train(CLI::App& app) { return refuse(app); }
Handler setup_merge(CLI::App& app) { return refuse(app); }
Handler setup_evaluate(CLI::App& app) { return refuse(app); }
Handler setup_generate(CLI::App& app) { return refuse(app); }
Handler setup_serve_model(CLI::App& app) { return refuse(app); }
Handler setup_tokenize(CLI::App& app) { return refuse(app); }
Handler setup_debug_logits(CLI::App& app) { return refuse(app); }
Handler setup_debug_eval_loss(CLI::App& app) { return refuse(app); }
Handler setup_debug_grads(CLI::App& app) { return refuse(app); }

}  // namespace slipway::cli
