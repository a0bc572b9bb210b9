// What every drawing of a DAG tells.
#pragma once

#include <string>
#include <vector>

#include "slipway/dag/dag.h"

namespace slipway::dag {

// The longest way down to each task, in edges; what comes after all others has a layer of its own.
[[nodiscard]] std::vector<int> layers_of(const Dag& dag);

// What a person wants to know at a glance beside the edges: " (service) [when]".
[[nodiscard]] std::string notes_of(const Task& task);

}  // namespace slipway::dag
