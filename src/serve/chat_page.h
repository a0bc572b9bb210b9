// The page at /: a chat with the model, for a first look. One file without anything from elsewhere.
#pragma once

#include <string_view>

namespace slipway::serve {

[[nodiscard]] std::string_view chat_page();

}  // namespace slipway::serve
