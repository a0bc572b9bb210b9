// Whole files, read at once and written durably.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

#include "slipway/base/result.h"

namespace slipway {

// NotFound, Io, or TooLarge above `bytes_max`; the message names the file.
[[nodiscard]] Result<std::string> read_whole_file(const std::filesystem::path& file, std::size_t bytes_max);

// Replaces `file`: temporary file beside it, fsync, rename, fsync of the folder. A reader, and the disk after a crash,
// sees the old bytes or the new ones, nothing between. Mode 0644 less umask.
[[nodiscard]] Result<void> write_whole_file(const std::filesystem::path& file, std::string_view bytes);

// fsync of a file or folder that exists.
[[nodiscard]] Result<void> sync_to_disk(const std::filesystem::path& path);

}  // namespace slipway
