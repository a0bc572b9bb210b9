// Reading the JSON files of a model folder.
#pragma once

#include <filesystem>
#include <string>

#include "slipway/base/value.h"

namespace slipway::ml {

// A whole file. NotFound, Io, or TooLarge above `bytes_max`; the message names the file.
[[nodiscard]] Result<std::string> read_file(const std::filesystem::path& file, std::size_t bytes_max);
// The same, parsed; Corrupt if it is no JSON.
[[nodiscard]] Result<Value> read_json_file(const std::filesystem::path& file, std::size_t bytes_max);

}  // namespace slipway::ml
