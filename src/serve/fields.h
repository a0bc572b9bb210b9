// Readers of single JSON values. Each returns what is wrong with the value ("must be a number"), or nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "slipway/base/value.h"

namespace slipway::serve {

using Problem = std::optional<std::string>;

[[nodiscard]] Problem read_number(const Value& value, double& out);
// Clients send whole numbers as 1.0 too.
[[nodiscard]] Problem read_whole(const Value& value, int& out);
[[nodiscard]] Problem read_flag(const Value& value, bool& out);
[[nodiscard]] Problem read_text(const Value& value, std::string& out);
// One text or a list of at most 32.
[[nodiscard]] Problem read_stop(const Value& value, std::vector<std::string>& out);
[[nodiscard]] Problem read_ids(const Value& value, std::vector<std::int32_t>& out);
[[nodiscard]] Problem read_seed(const Value& value, std::optional<std::uint64_t>& out);

}  // namespace slipway::serve
