#include "ml/infer/output_text.h"

#include <gtest/gtest.h>

namespace slipway::ml {
namespace {

struct Row {
  const char* name;
  std::vector<std::string> stops;
  bool include_stop;
  std::vector<std::string> pieces;
  std::string text;
  std::string certain;  // after the last piece
  std::optional<std::string> stopped_by = {};
};

class OutputTextTest : public testing::TestWithParam<Row> {};

TEST_P(OutputTextTest, Row) {
  const auto& row = GetParam();
  OutputText text(row.stops, row.include_stop);
  std::optional<std::string> stop;
  std::string shown;
  for (const auto& piece : row.pieces) {
    ASSERT_FALSE(stop) << "nothing is pushed behind the end";
    stop = text.push(piece, true);
    if (stop) break;
    EXPECT_TRUE(text.certain().starts_with(shown)) << "what was shown is never taken back";
    shown = text.certain();
  }
  EXPECT_EQ(text.text(), row.text);
  EXPECT_EQ(stop, row.stopped_by);
  EXPECT_TRUE(text.text().starts_with(shown));
  if (!stop) {
    EXPECT_EQ(text.certain(), row.certain);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Rows, OutputTextTest,
    testing::Values(Row{"no_stops", {}, false, {"ab", "c"}, "abc", "abc"},
                    Row{"whole", {"STOP"}, false, {"a", "STOP"}, "a", "", "STOP"},
                    Row{"included", {"STOP"}, true, {"a", "STOPb"}, "aSTOP", "", "STOP"},
                    Row{"over_pieces", {"STOP"}, false, {"aS", "T", "OPb"}, "a", "", "STOP"},
                    Row{"held_back", {"STOP"}, false, {"aST"}, "aST", "a"},
                    Row{"not_after_all", {"STOP"}, false, {"aST", "x"}, "aSTx", "aSTx"},
                    Row{"again_at_once", {"aab"}, false, {"aa", "a"}, "aaa", "a"},
                    Row{"first_in_the_text", {"c", "b"}, false, {"abc"}, "a", "", "b"},
                    Row{"longer_one_first", {"bc", "abcd"}, false, {"xabcd"}, "x", "", "abcd"},
                    Row{"characters_stay_whole", {"\xC3\xA4x"}, false, {"b\xC3\xA4"}, "b\xC3\xA4", "b"}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(OutputText, WhatMayNotStopIsNeverPartOfAStop) {
  OutputText text({"ab"}, false);
  EXPECT_FALSE(text.push("xab", false));
  EXPECT_EQ(text.certain(), "xab");
  EXPECT_FALSE(text.push("a", false));
  EXPECT_FALSE(text.push("b", true)) << "its first half came too early";
  EXPECT_TRUE(text.push("ab", true));
  EXPECT_EQ(text.text(), "xabab");
}

}  // namespace
}  // namespace slipway::ml
