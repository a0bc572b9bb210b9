// Reading the JSON files of a model folder.
#pragma once

#include <filesystem>

#include "slipway/base/value.h"

namespace slipway::ml {

// NotFound, Io, TooLarge above `bytes_max`, or Corrupt if it is no JSON; the message names the file.
[[nodiscard]] Result<Value> read_json_file(const std::filesystem::path& file, std::size_t bytes_max);

}  // namespace slipway::ml
