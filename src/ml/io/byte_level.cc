#include "ml/io/byte_level.h"

#include <array>

namespace slipway::ml {
namespace {

constexpr bool stands_for_itself(int byte) {
  return (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
}

struct Tables {
  std::array<std::array<char, 2>, 256> utf8{};
  std::array<unsigned char, 256> size{};
  std::array<unsigned char, 256 + 68> byte{};

  constexpr Tables() {
    int next = 256;
    for (int b = 0; b < 256; ++b) {
      const int symbol = stands_for_itself(b) ? b : next++;
      byte[static_cast<std::size_t>(symbol)] = static_cast<unsigned char>(b);
      auto& bytes = utf8[static_cast<std::size_t>(b)];
      size[static_cast<std::size_t>(b)] = symbol < 0x80 ? 1 : 2;
      bytes[0] = static_cast<char>(symbol < 0x80 ? symbol : 0xC0 | (symbol >> 6));
      bytes[1] = static_cast<char>(0x80 | (symbol & 0x3F));
    }
  }
};

constexpr Tables kTables;

}  // namespace

std::string_view byte_symbol(unsigned char byte) { return {kTables.utf8[byte].data(), kTables.size[byte]}; }

std::optional<unsigned char> symbol_byte(char32_t symbol) {
  if (symbol >= kTables.byte.size() || (symbol < 256 && !stands_for_itself(static_cast<int>(symbol))))
    return std::nullopt;
  return kTables.byte[symbol];
}

}  // namespace slipway::ml
