// The memory limit of a cgroup v2, and the machine's own.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

namespace slipway::ml {

// The least of memory.max less the anonymous memory of memory.stat, over `group` ("/a/b") and all groups above it;
// SIZE_MAX without a limit. `root` is where the hierarchy is mounted.
[[nodiscard]] std::size_t memory_left(const std::filesystem::path& root, std::string group);

// MemAvailable of a text like /proc/meminfo; SIZE_MAX if it is not there.
[[nodiscard]] std::size_t machine_memory(const std::string& meminfo);

}  // namespace slipway::ml
