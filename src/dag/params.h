// One value against one parameter's declaration.
#pragma once

#include <string>

#include "slipway/dag/dag.h"

namespace slipway::dag {

// `value` as the parameter takes it (2.0 becomes 2 for an integer). NotFound for an unknown name, InvalidArgument
// otherwise.
[[nodiscard]] Result<Value> check_param(const Dag& dag, const std::string& name, const Value& value);
[[nodiscard]] Result<Value> check_param(const Param& param, const Value& value);

}  // namespace slipway::dag
