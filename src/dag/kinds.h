// Reads what tasks without a command of their own do: wait, approve, dag; and the fields that speak of data.
#pragma once

#include "slipway/base/diagnostics.h"
#include "slipway/dag/dag.h"
#include "slipway/text/node.h"

namespace slipway::dag {

// Each fills its member of `task` from the node of the field of the same name.
void read_wait(const text::Node* node, Task& task, Diagnostics& out);
void read_approve(const text::Node* node, Task& task, Diagnostics& out);
void read_sub_dag(const text::Node* node, Task& task, Diagnostics& out);
// produces, consumes, set_vars, cache of the task's merged node.
void read_data(const text::Node& node, Task& task, Diagnostics& out);
// What a check says beside `min`, `max` and `equals`; `type` is what its output is declared as.
void read_shares(const text::Entry& entry, ValueType type, Check& check, Diagnostics& out);
// Reports a dataset whose text cannot be one: "s3://bucket/path" can.
void check_dataset(const text::Node& node, Diagnostics& out);

}  // namespace slipway::dag
