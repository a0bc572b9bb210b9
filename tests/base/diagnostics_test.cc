#include "slipway/base/diagnostics.h"

#include <gtest/gtest.h>

namespace slipway {
namespace {

const SourceText kSource{"dags/n.yaml", "a: 1\n  needs: prepair\n\tü: x\n"};

TEST(Render, ShowsPlaceExcerptCaretAndHelp) {
  const Diagnostic d{Severity::Error, "unknown-task", "no such task", "did you mean `prepare`?", {2, 10, 2, 17}};
  EXPECT_EQ(render(d, kSource),
            "dags/n.yaml:2:10: error[unknown-task]: no such task\n"
            "    2 |   needs: prepair\n"
            "      |          ^^^^^^^ help: did you mean `prepare`?");
}

TEST(Render, CountsColumnsAsTerminalsDo) {
  const Diagnostic d{Severity::Warning, "w", "m", "", {3, 6, 3, 7}};
  EXPECT_EQ(render(d, kSource), "dags/n.yaml:3:6: warning[w]: m\n    3 |  ü: x\n      |     ^");
}

TEST(Render, SurvivesSpansOutsideTheText) {
  const Diagnostic d{Severity::Error, "e", "m", "h", {99, 50, 99, 60}};
  EXPECT_EQ(render(d, kSource), "dags/n.yaml:99:50: error[e]: m\n   99 | \n      | ^ help: h");
}

TEST(Render, OfAWholeFileHasNoExcerpt) {
  const Diagnostic d{Severity::Error, "too-large", "the file has 2 MiB", "split it", {}};
  EXPECT_EQ(render(d, kSource), "dags/n.yaml: error[too-large]: the file has 2 MiB\n   help: split it");
}

TEST(Nearest, FindsSlipsAndRefusesStrangers) {
  const std::vector<std::string> words{"prepare", "finetune", "needs"};
  EXPECT_EQ(nearest("prepair", words), "prepare");
  EXPECT_EQ(nearest("nedes", words), "needs");
  EXPECT_EQ(nearest("zzz", words), std::nullopt);
  EXPECT_EQ(nearest("x", {"y"}), std::nullopt);
}

TEST(Diagnostics, SortsByPlace) {
  Diagnostics d;
  d.error("b", {3, 1, 3, 2}, "later");
  d.warning("a", {1, 5, 1, 6}, "earlier");
  d.sort();
  EXPECT_EQ(d.items()[0].code, "a");
  EXPECT_TRUE(d.has_errors());
}

}  // namespace
}  // namespace slipway
