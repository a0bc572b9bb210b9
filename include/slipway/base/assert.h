// SLIPWAY_ASSERT states what the programmer knows. It stays on in release builds: a daemon with a broken
// invariant must stop before it writes. Never use it on input; input errors are Result or Diagnostics.
#pragma once

namespace slipway {

// Prints "file:line: assertion failed: expression" to stderr and aborts.
[[noreturn]] void assert_failed(const char* expression, const char* file, int line) noexcept;

}  // namespace slipway

#define SLIPWAY_ASSERT(condition) \
  (static_cast<bool>(condition) ? void(0) : ::slipway::assert_failed(#condition, __FILE__, __LINE__))
