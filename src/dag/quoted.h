// Names and snippets in messages.
#pragma once

#include <string>
#include <string_view>

namespace slipway::dag {

// The text in backquotes; a long one is cut, between two characters.
[[nodiscard]] inline std::string quoted(std::string_view text) {
  constexpr std::size_t kBytesMax = 80;
  if (text.size() <= kBytesMax) return "`" + std::string(text) + "`";
  std::size_t end = kBytesMax;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80U) --end;
  return "`" + std::string(text.substr(0, end)) + "…`";
}

}  // namespace slipway::dag
