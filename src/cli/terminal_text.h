// Text of others on a terminal: colours pass, nothing else that would move the cursor, ring or redefine a key.
#pragma once

#include <string>
#include <string_view>

namespace slipway::cli {

// Control characters but tab become `^X`, those of ISO 6429 and bytes that are no UTF-8 `?`. Sequences that only set
// colours (ESC [ digits and semicolons m) stay.
[[nodiscard]] std::string for_terminal(std::string_view text);

}  // namespace slipway::cli
