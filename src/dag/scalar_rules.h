// The written forms of scalars: durations, quantities, ids. Each rule is given twice, as a test and as the regular
// expression of the JSON Schema; a property test holds them together.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "dag/field_table.h"

namespace slipway::dag {

// The ECMAScript pattern that texts of this type match; empty where any text will do.
[[nodiscard]] std::string_view pattern_of(ScalarType type);

[[nodiscard]] bool is_name(std::string_view text);
// "500m", "32Gi", "1.5": digits with at most one of the suffixes of Kubernetes.
[[nodiscard]] bool is_quantity(std::string_view text);
[[nodiscard]] bool is_factor(std::string_view text);
// 0.5 for "500m", 2048 for "2Ki"; nullopt if it is no quantity.
[[nodiscard]] std::optional<double> quantity_of(std::string_view text);

// "[host[:port]/]path[:tag][@sha256:…]" as container registries take it.
[[nodiscard]] bool is_image(std::string_view text);

// What the author of a malformed duration or quantity most likely meant ("30" -> "30s", "32gi" -> "32Gi"); empty if
// nothing is near.
[[nodiscard]] std::string meant_duration(std::string_view text);
[[nodiscard]] std::string meant_quantity(std::string_view text);

}  // namespace slipway::dag
