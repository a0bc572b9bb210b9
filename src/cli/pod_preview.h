// The pods and objects that a DAG's tasks would be, before any run: shown, or judged by the cluster itself.
#pragma once

#include <string>
#include <vector>

#include "cli/session.h"
#include "slipway/base/result.h"
#include "slipway/dag/dag.h"
#include "slipway/engine/preview.h"

namespace slipway::cli {

// The manifest of one task (of several objects a List), by the server's settings where they speak of a cluster.
[[nodiscard]] Result<Value> preview_manifest(const Session& session, const engine::PreviewInput& input,
                                             const dag::Task& task);

struct PodProblem {
  TaskId task;
  std::string message;
};
// Each pod and object of the tasks is created or applied on the cluster without being stored, unknown fields refused.
// An error: the cluster could not be asked.
[[nodiscard]] Result<std::vector<PodProblem>> dry_run_pods(const Session& session, const engine::PreviewInput& input);

}  // namespace slipway::cli
