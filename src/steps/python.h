// Values as Python and pandas write and read them, where outputs must be equal byte for byte.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace slipway::steps {

// json.dumps of a string: quotes, and \uXXXX for all that is not printable ASCII. `text` is well-formed UTF-8.
[[nodiscard]] std::string json_string(std::string_view text);

// repr() of a float: "0.1", "1e+16", "nan".
[[nodiscard]] std::string float_repr(double value);

// Whether pandas.read_csv takes the field for a missing value.
[[nodiscard]] bool is_missing(std::string_view field);

// A column as pandas.read_csv types it and str() prints it: a column of integers loses leading zeros, one with gaps
// becomes floats ("5.0"), and so on. nullopt: missing. Columns whose integers exceed 64 bits stay text.
[[nodiscard]] std::vector<std::optional<std::string>> typed_column(const std::vector<std::string>& fields);

}  // namespace slipway::steps
