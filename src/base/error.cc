#include "slipway/base/error.h"

#include <cerrno>
#include <cstring>

#include <cstdio>
#include <cstdlib>
#include "slipway/base/assert.h"

namespace slipway {

void assert_failed(const char* expression, const char* file, int line) noexcept {
  std::fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, expression);
  std::abort();
}

Error Error::in(std::string_view where) const { return Error{code, std::string(where) + ": " + message, help}; }

Error errno_error(std::string_view what, int error_number) {
  char buffer[128];
  const char* text = strerror_r(error_number, buffer, sizeof buffer);
  const auto code = error_number == ENOENT ? ErrorCode::NotFound : ErrorCode::Io;
  return Error{code, std::string(what) + ": " + text, {}};
}

}  // namespace slipway
