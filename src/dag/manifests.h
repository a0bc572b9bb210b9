// Kubernetes manifests beside the DAG's file.
#pragma once

#include <string>
#include <vector>

#include "dag/draft.h"

namespace slipway::dag {

// Reads the files that `apply` and `service.manifest` of the task name into Task::manifests and TaskDraft::manifests,
// and says where the task runs if that follows.
void take_manifests(Draft& draft, TaskDraft& task);

// The files that tasks of the DAG name so.
[[nodiscard]] std::vector<std::string> manifest_names(const text::Node& root);

}  // namespace slipway::dag
