// What stands at an http or https URL, as a file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "slipway/base/result.h"
#include "slipway/base/time.h"
#include "slipway/http/transport.h"

namespace slipway::objects {

[[nodiscard]] bool is_web_url(std::string_view uri);
// The last part of the URL's path, decoded; "download" if it has none.
[[nodiscard]] std::string web_file_name(std::string_view url);

struct WebAccess {
  http::Headers headers = {};               // of each request, as Authorization
  std::function<void(Duration)> wait;       // called before a request is repeated
  std::size_t piece_bytes = 32U << 20U;     // asked for at a time, where the server gives parts of a file
  std::size_t whole_bytes_max = 1U << 30U;  // of a reply where it does not
  int tries = 5;                            // of a request that is answered with 429 or 5xx, or not at all
};

// The bytes at `url` as `file`, which appears whole or not at all; how many they are. Its folder is made. Redirections
// are followed, never from https to http. A file that changes meanwhile is begun again. NotFound, Unauthorized,
// Forbidden, Unavailable, TooLarge, Io.
[[nodiscard]] Result<std::int64_t> download_url(http::Transport& transport, const std::string& url,
                                                const std::filesystem::path& file, const WebAccess& access);

}  // namespace slipway::objects
