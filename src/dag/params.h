// One value against one parameter's declaration.
#pragma once

#include <string>

#include "slipway/base/diagnostics.h"
#include "slipway/dag/dag.h"
#include "slipway/text/node.h"

namespace slipway::dag {

struct Draft;

// `value` as the parameter takes it (2.0 becomes 2 for an integer). NotFound for an unknown name, InvalidArgument
// otherwise.
[[nodiscard]] Result<Value> check_param(const Dag& dag, const std::string& name, const Value& value);
[[nodiscard]] Result<Value> check_param(const Param& param, const Value& value);

// One parameter, or one field of a form, as written.
[[nodiscard]] Param read_param(const text::Entry& entry, Diagnostics& out);

// Whether `name` is a relative path that stays below the DAG's folder.
[[nodiscard]] bool is_beside(std::string_view name);
// The text of the file of that name beside the DAG's; nullptr: the draft says at `name` why there is none.
[[nodiscard]] const std::string* file_beside(Draft& draft, const text::Node& name);

}  // namespace slipway::dag
