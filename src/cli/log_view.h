// A log of the API as people read it: of an attempt, of a service.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "cli/session.h"

namespace slipway::cli {

struct LogView {
  bool follow = false;  // go on until the API says it is over
  bool timestamps = false;
  std::string prefix;  // before each line
};

// Prints the pieces that `path_at(offset)` names, from offset 0 on; with -o json and jsonl a line is an object. Exit
// code; 130 on Ctrl-C.
[[nodiscard]] int show_log(Session& session, const std::function<std::string(std::int64_t)>& path_at,
                           const LogView& view);

}  // namespace slipway::cli
