// Small files, whole.
#pragma once

#include <string>

#include "slipway/base/result.h"

namespace slipway::cli {

// At most 64 MiB; the error names the file.
[[nodiscard]] Result<std::string> read_file(const std::string& path);
// By a temporary file and rename, mode 0600.
[[nodiscard]] Result<void> write_file(const std::string& path, const std::string& bytes);
// Made absolute against the working folder; not resolved.
[[nodiscard]] std::string absolute_path(const std::string& path);

}  // namespace slipway::cli
