// The bytes of the slipway-shimd executable, linked into this library.
#pragma once

#include <string_view>

namespace slipway::exec {

[[nodiscard]] std::string_view shimd_image();

}  // namespace slipway::exec
