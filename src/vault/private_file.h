// Files that only their owner may read.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <string_view>

#include "slipway/base/result.h"

namespace slipway::vault {

// Replaces `file` durably; it never exists with another mode or with half of the bytes.
[[nodiscard]] Result<void> write_private_file(const std::filesystem::path& file, std::string_view bytes, mode_t mode);
// At most 4 KiB. NotFound; Forbidden if group or others may read it.
[[nodiscard]] Result<std::string> read_private_file(const std::filesystem::path& file);

}  // namespace slipway::vault
