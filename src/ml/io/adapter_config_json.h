// adapter_config.json to AdapterConfig.
#pragma once

#include "slipway/base/value.h"
#include "slipway/ml/adapter_folder.h"

namespace slipway::ml {

// target_modules may be a regular expression, which is not evaluated: the list is then empty and the tensors decide.
[[nodiscard]] Result<AdapterConfig> parse_adapter_config(const Value& json);

}  // namespace slipway::ml
