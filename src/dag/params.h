// One value against one parameter's declaration.
#pragma once

#include <string>

#include "slipway/base/diagnostics.h"
#include "slipway/dag/dag.h"
#include "slipway/text/node.h"

namespace slipway::dag {

// `value` as the parameter takes it (2.0 becomes 2 for an integer). NotFound for an unknown name, InvalidArgument
// otherwise.
[[nodiscard]] Result<Value> check_param(const Dag& dag, const std::string& name, const Value& value);
[[nodiscard]] Result<Value> check_param(const Param& param, const Value& value);

// One parameter, or one field of a form, as written.
[[nodiscard]] Param read_param(const text::Entry& entry, Diagnostics& out);

// Whether `name` is a relative path that stays below the DAG's folder.
[[nodiscard]] bool is_beside(std::string_view name);

}  // namespace slipway::dag
