// What a step (a verb that runs as a task: fetch, train, evaluate, …) tells the orchestrator when it ends: an exit
// code, and outputs or the reason of its failure in the file $SLIPWAY_OUTPUT.
#pragma once

#include <string>
#include <string_view>

#include "slipway/base/result.h"
#include "slipway/base/value.h"

namespace slipway {

// Exit codes of the steps; 137 is never ours.
inline constexpr int kStepOk = 0;
inline constexpr int kStepFailed = 1;        // a check did not hold: the model is worse than asked for
inline constexpr int kStepUsage = 2;         // options that make no sense
inline constexpr int kStepInvalid = 3;       // data or model is wrong; repeating cannot help
inline constexpr int kStepNonFinite = 65;    // a loss or gradient was no finite number
inline constexpr int kStepInternal = 70;     // the machine refused: full disk, no memory
inline constexpr int kStepInterrupted = 75;  // asked to stop; what was done is kept, the same command goes on from it

[[nodiscard]] int step_exit_code(ErrorCode code);

// Writes `outputs` as one line of JSON to the file `path`, in place: on Kubernetes it is a mount, which no rename can
// replace. An empty path is no orchestrator: ok.
[[nodiscard]] Result<void> write_step_output(const std::string& path, const Value& outputs);

// {"_error": {"class", "message"}}, the reserved form of a failure.
[[nodiscard]] Value step_failure(std::string_view failure_class, std::string_view message);

}  // namespace slipway
