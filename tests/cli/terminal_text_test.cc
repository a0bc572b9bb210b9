#include "cli/terminal_text.h"

#include <gtest/gtest.h>

namespace slipway::cli {
namespace {

struct Row {
  std::string_view text, shown;
};

TEST(TerminalText, LetsColoursPassAndShowsWhatWouldAct) {
  const Row rows[] = {
      {"", ""},
      {"plain\ttext", "plain\ttext"},
      {"gr\xC3\xBC\xC3\x9F \xE2\x9C\x93 \xF0\x9F\x9A\x80", "gr\xC3\xBC\xC3\x9F \xE2\x9C\x93 \xF0\x9F\x9A\x80"},
      {"\x1b[1;31mred\x1b[0m \x1b[m", "\x1b[1;31mred\x1b[0m \x1b[m"},
      {"\x1b[2Jwiped", "^[[2Jwiped"},
      {"\x1b]0;title\x07", "^[]0;title^G"},
      {"\x1b[31", "^[[31"},
      {"over\rwritten\x08", "over^Mwritten^H"},
      {std::string_view("nul\0end", 7), "nul^@end"},
      {"\x7f", "^?"},
      {"\xC2\x9B"
       "2J",
       "?2J"},
      {"\xff\xfe cut \xE2\x82", "?? cut ??"},
  };
  for (const Row& row : rows) EXPECT_EQ(for_terminal(row.text), row.shown) << row.shown;
}

TEST(TerminalText, AColourWithoutEndIsNoColour) {
  const std::string bomb = "\x1b[" + std::string(100, '1') + "m";
  EXPECT_EQ(for_terminal(bomb), "^[[" + std::string(100, '1') + "m");
}

}  // namespace
}  // namespace slipway::cli
