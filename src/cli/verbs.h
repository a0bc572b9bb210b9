// The setup function of every verb. Each stands in cmd_<name>.cc.
#pragma once

#include "cli/command.h"

namespace slipway::cli {

Handler setup_version(CLI::App& app);
Handler setup_fetch(CLI::App& app);
Handler setup_prepare(CLI::App& app);

Handler setup_train(CLI::App& app);
Handler setup_merge(CLI::App& app);
Handler setup_evaluate(CLI::App& app);
Handler setup_generate(CLI::App& app);
Handler setup_serve_model(CLI::App& app);
Handler setup_tokenize(CLI::App& app);
Handler setup_debug_logits(CLI::App& app);
Handler setup_debug_eval_loss(CLI::App& app);
Handler setup_debug_grads(CLI::App& app);

}  // namespace slipway::cli
