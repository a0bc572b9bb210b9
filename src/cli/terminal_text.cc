#include "cli/terminal_text.h"

#include <algorithm>
#include <cstddef>

namespace slipway::cli {
namespace {

constexpr std::size_t kColourBytesMax = 32;

// Bytes of the colour sequence at the front, 0 if there is none.
std::size_t colour_length(std::string_view text) {
  if (!text.starts_with("\x1b[")) return 0;
  const auto stop = text.find_first_not_of("0123456789;", 2);
  return stop != std::string_view::npos && text[stop] == 'm' && stop < kColourBytesMax ? stop + 1 : 0;
}

// Bytes of the character at the front, 0 if they are no UTF-8. Forms that are too long do no harm here.
std::size_t character_length(std::string_view text) {
  const auto first = static_cast<unsigned char>(text.front());
  const std::size_t length = first < 0x80                    ? 1
                             : first >= 0xC2 && first < 0xE0 ? 2
                             : first >= 0xE0 && first < 0xF0 ? 3
                             : first >= 0xF0 && first < 0xF5 ? 4
                                                             : 0;
  if (length == 0 || length > text.size()) return 0;
  const auto follows = [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U; };
  return std::all_of(text.begin() + 1, text.begin() + static_cast<std::ptrdiff_t>(length), follows) ? length : 0;
}

bool is_c1(std::string_view character) {
  return character.size() == 2 && character[0] == '\xC2' && static_cast<unsigned char>(character[1]) < 0xA0;
}

}  // namespace

std::string for_terminal(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t colour = colour_length(text);
    const std::size_t length = colour > 0 ? colour : character_length(text);
    const std::string_view piece = text.substr(0, std::max<std::size_t>(length, 1));
    const auto first = static_cast<unsigned char>(piece.front());
    if (colour > 0 || (length > 0 && first != 0x7F && (first >= 0x20 || first == '\t') && !is_c1(piece)))
      out += piece;
    else if (length == 1)
      out += {'^', static_cast<char>(first ^ 0x40U)};
    else
      out += '?';
    text.remove_prefix(piece.size());
  }
  return out;
}

}  // namespace slipway::cli
