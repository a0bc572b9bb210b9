#include "steps/python.h"

#include <gtest/gtest.h>

#include <limits>

namespace slipway::steps {
namespace {

TEST(FloatRepr, WritesAsPython) {
  struct Row {
    double value;
    const char* text;
  };
  for (const Row& row :
       {Row{0, "0.0"}, Row{-0.0, "-0.0"}, Row{5, "5.0"}, Row{0.1, "0.1"}, Row{1e15, "1000000000000000.0"},
        Row{1e16, "1e+16"}, Row{1e-4, "0.0001"}, Row{1e-5, "1e-05"}, Row{1.5e300, "1.5e+300"},
        Row{123456789.125, "123456789.125"}, Row{1.0 / 3, "0.3333333333333333"}, Row{5e-324, "5e-324"},
        Row{std::numeric_limits<double>::infinity(), "inf"}, Row{std::numeric_limits<double>::quiet_NaN(), "nan"}})
    EXPECT_EQ(float_repr(row.value), row.text);
}

TEST(JsonString, EscapesAllThatIsNotPrintableAscii) {
  EXPECT_EQ(json_string("a\"\\/\n\r\t\b\f\x01\x7f"), R"("a\"\\/\n\r\t\b\f\u0001\u007f")");
  EXPECT_EQ(json_string("é中😀"), R"("\u00e9\u4e2d\ud83d\ude00")");
}

TEST(TypedColumn, TypesByTheWholeColumn) {
  using Column = std::vector<std::optional<std::string>>;
  EXPECT_EQ(typed_column({"007", "-1"}), (Column{"7", "-1"}));
  EXPECT_EQ(typed_column({"007", "", "x"}), (Column{"007", std::nullopt, "x"}));
  EXPECT_EQ(typed_column({"7", "NA"}), (Column{"7.0", std::nullopt}));
  EXPECT_EQ(typed_column({"7", ".5"}), (Column{"7.0", "0.5"}));
  EXPECT_EQ(typed_column({"true", "FALSE", "null"}), (Column{"True", "False", std::nullopt}));
  EXPECT_EQ(typed_column({"1e", "+-1", "0x10"}), (Column{"1e", "+-1", "0x10"}));
  EXPECT_EQ(typed_column({"9999999999999999999", "-"}), (Column{"9999999999999999999", "-"}));
  EXPECT_EQ(typed_column({"9999999999999999999", "-inf"}), (Column{"1e+19", "-inf"}));
  EXPECT_EQ(typed_column({"", "nan"}), (Column{std::nullopt, std::nullopt}));
  EXPECT_EQ(typed_column({}), (Column{}));
}

}  // namespace
}  // namespace slipway::steps
