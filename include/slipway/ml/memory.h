// How much memory this process may still take.
#pragma once

#include <cstddef>

namespace slipway::ml {

// Bytes: min(MemAvailable, what the cgroup v2 limits leave over the group's anonymous memory), read once per call. The
// page cache does not count as taken: the kernel gives it back. SIZE_MAX if nothing can be read.
[[nodiscard]] std::size_t usable_memory();

// Bytes of this process that are resident, mapped files included; 0 if it cannot be read.
[[nodiscard]] std::size_t resident_memory();

}  // namespace slipway::ml
