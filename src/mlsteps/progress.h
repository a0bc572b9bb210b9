// A training step as one line for people or for the orchestrator.
#pragma once

#include <string>

#include "slipway/ml/trainer.h"

namespace slipway::mlsteps {

// "step 12/50 loss 1.234 lr 1.9e-03 grad_norm 0.8 2,310 tok/s eta 12s"
[[nodiscard]] std::string progress_for_people(const ml::StepReport& report);

// progress {"step":12,"steps":50,"loss":1.234,"eta_s":12.0}
// `run watch` finds these lines in the log of a task.
[[nodiscard]] std::string progress_for_machines(const ml::StepReport& report);

// " 24% [=====>              ] 12/50 loss 1.234 2,310 tok/s eta 12s", cut to `columns`: the line of a terminal.
[[nodiscard]] std::string progress_bar(const ml::StepReport& report, int columns);

// "evaluation after step 12: loss 1.234 on 80 samples (3.1 s)"
[[nodiscard]] std::string evaluation_for_people(const ml::EvalReport& report);

}  // namespace slipway::mlsteps
