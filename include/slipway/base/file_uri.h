// file:// URIs as paths, read one way everywhere.
#pragma once

#include <string>
#include <string_view>

#include "slipway/base/result.h"

namespace slipway {

[[nodiscard]] inline bool is_file_uri(std::string_view text) { return text.starts_with("file://"); }

// The path of file:///a%20b or file://localhost/a, percent-decoded. InvalidArgument: no file URI, one that names
// another host or no absolute path, a `%` that encodes nothing.
[[nodiscard]] Result<std::string> path_of_file_uri(std::string_view uri);

}  // namespace slipway
