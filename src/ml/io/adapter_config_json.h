// adapter_config.json to AdapterConfig.
#pragma once

#include <string_view>

#include "slipway/base/value.h"
#include "slipway/ml/adapter_folder.h"

namespace slipway::ml {

// Letters, digits, underscores and dots alone: a name rather than a regular expression.
[[nodiscard]] bool is_module_name(std::string_view text);

// The file leaves out layers or modules that its targets name (layers_to_transform, exclude_modules).
[[nodiscard]] bool chooses_layers(const Value& json);

// target_modules may be a regular expression, which is not evaluated.
[[nodiscard]] Result<AdapterConfig> parse_adapter_config(const Value& json);

}  // namespace slipway::ml
