// Archives in the ustar format of POSIX 1003.1-1988: plain files of one folder, nothing else.
#pragma once

#include <map>
#include <string>

#include "slipway/base/result.h"
#include "slipway/base/time.h"

namespace slipway::cli {

// The archive of `files` (name -> bytes) below the folder `folder`, of mode 0600 and that time. InvalidArgument for a
// name of more than 100 bytes, folder included.
[[nodiscard]] Result<std::string> make_tar(const std::string& folder, const std::map<std::string, std::string>& files,
                                           Instant at);

}  // namespace slipway::cli
