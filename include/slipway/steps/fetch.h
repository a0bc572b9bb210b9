// `slipway fetch`: brings a file or folder to a local path.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "slipway/base/value.h"

namespace slipway::steps {

struct FetchOptions {
  std::string uri;  // file:///path (percent-encoded) or a plain path; a folder comes with all that is in it
  // A path that exists as a folder, or ends in "/", takes the source under its own name if that is a file; a folder's
  // contents go into it.
  std::filesystem::path destination;
};

struct FetchReport {
  std::int64_t files = 0;
  std::int64_t byte_count = 0;
  std::filesystem::path path;  // what the source became
};

// {"files", "bytes", "path"}, for $SLIPWAY_OUTPUT.
[[nodiscard]] Value to_value(const FetchReport& report);

// Each file appears whole or not at all and replaces what had its name; repeating is safe. Symbolic links are followed,
// special files refused. Errors: NotFound, Io, InvalidArgument, Unsupported (a scheme; the help names those that work).
[[nodiscard]] Result<FetchReport> fetch(const FetchOptions& options);

}  // namespace slipway::steps
