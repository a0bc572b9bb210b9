// UTF-8 as far as the steps need it.
#pragma once

#include <string_view>

namespace slipway::steps {

[[nodiscard]] bool is_utf8(std::string_view bytes);

// Takes the first code point off `text`, which is well-formed and not empty.
[[nodiscard]] char32_t take_code_point(std::string_view& text);

}  // namespace slipway::steps
