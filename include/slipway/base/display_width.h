// How wide text is on a terminal.
#pragma once

#include <cstddef>
#include <string_view>

namespace slipway {

// Columns of UTF-8 text: every code point counts as one, continuation bytes as none.
[[nodiscard]] std::size_t display_width(std::string_view text);

}  // namespace slipway
