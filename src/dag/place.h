// Where and as what a task's process runs, and what it is given: executor, the pod's fields, resources,
// on_oom, run_as, secrets, inputs.
#pragma once

#include "slipway/base/diagnostics.h"
#include "slipway/dag/dag.h"
#include "slipway/text/node.h"

namespace slipway::dag {

void read_place(const text::Node& node, Task& task, Diagnostics& out);
// Names and files of `secrets`; those of the DAG are in task.secrets already. Needs task.env.
void read_secrets(const text::Node& node, Task& task, Diagnostics& out);

}  // namespace slipway::dag
