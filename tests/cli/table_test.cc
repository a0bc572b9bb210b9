#include "cli/table.h"

#include <gtest/gtest.h>

#include <sstream>

namespace slipway::cli {
namespace {

TEST(Table, AlignsByDisplayWidth) {
  Table table({"NAME", "STATE"});
  table.add({"über", "ok"});
  table.add({"", "failed"});
  std::ostringstream out;
  table.print(out);
  EXPECT_EQ(out.str(), "NAME  STATE\nüber  ok\n-     failed\n");
}

TEST(Cut, KeepsWholeCodePoints) {
  EXPECT_EQ(cut("abcdef", 6, false), "abcdef");
  EXPECT_EQ(cut("abcdefg", 6, false), "abcde…");
  EXPECT_EQ(cut("äöüäöü", 4, true), "ä...");
  EXPECT_EQ(cut("abc", 0, false), "…");
}

}  // namespace
}  // namespace slipway::cli
