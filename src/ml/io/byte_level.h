// The alphabet of byte-level BPE (GPT-2): every byte is one printable character. Bytes 33-126, 161-172 and 174-255
// stand for themselves as code points, the other 68 for U+0100 onwards, in order.
#pragma once

#include <optional>
#include <string_view>

namespace slipway::ml {

// UTF-8 of the character that stands for `byte`.
[[nodiscard]] std::string_view byte_symbol(unsigned char byte);
// The byte a character stands for.
[[nodiscard]] std::optional<unsigned char> symbol_byte(char32_t symbol);

}  // namespace slipway::ml
