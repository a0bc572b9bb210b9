#include "slipway/base/value.h"

#include <gtest/gtest.h>

namespace slipway {
namespace {

TEST(ParseJson, KeepsTypesAndSortsKeys) {
  const auto value = parse_json(R"({"b": [1, 2.5, true, null], "a": "x"})");
  ASSERT_TRUE(value);
  EXPECT_EQ(value->dump(), R"({"a":"x","b":[1,2.5,true,null]})");
  EXPECT_TRUE(value->find("b")->as_array()[0].is_int());
  EXPECT_TRUE(value->find("b")->as_array()[1].is_double());
}

TEST(ParseJson, RefusesWhatIsNotJson) {
  for (const char* text : {"", "{", "[1,]", "{\"a\":1,}", "nul", "1 2", "'x'", "1e999", "\"\xff\""}) {
    const auto value = parse_json(text);
    ASSERT_FALSE(value) << text;
    EXPECT_EQ(value.error().code, ErrorCode::InvalidArgument) << text;
  }
}

TEST(ParseJson, BoundsDepthAndSize) {
  const std::string deep(65, '[');
  EXPECT_FALSE(parse_json(deep + std::string(65, ']')));
  EXPECT_TRUE(parse_json(std::string(64, '[') + std::string(64, ']')));
  const auto large = parse_json("\"aaaaaaaa\"", {.bytes_max = 5});
  ASSERT_FALSE(large);
  EXPECT_EQ(large.error().code, ErrorCode::TooLarge);
}

TEST(ParseJson, RefusesRepeatedKeysOnRequest) {
  const std::string text = R"({"a":{"b":1,"c":2,"b":3}})";
  EXPECT_EQ(parse_json(text)->dump(), R"({"a":{"b":3,"c":2}})");
  const auto strict = parse_json(text, {.unique_keys = true});
  ASSERT_FALSE(strict);
  EXPECT_NE(strict.error().message.find("`b` is repeated"), std::string::npos);
  EXPECT_TRUE(parse_json(R"([{"b":1},{"b":2}])", {.unique_keys = true}));
}

TEST(ValueDump, ReplacesInvalidUtf8) { EXPECT_EQ(Value("a\xff").dump(), "\"a\xEF\xBF\xBD\""); }

TEST(Value, NumbersCompareAcrossTypes) {
  EXPECT_EQ(Value(1), Value(1.0));
  EXPECT_FALSE(Value(1) == Value("1"));
  EXPECT_FALSE(Value(1) == Value(true));
}

TEST(Value, IndexMakesAnObjectOfNull) {
  Value value;
  value["a"] = 1;
  EXPECT_EQ(value.dump(), R"({"a":1})");
  EXPECT_EQ(value.get_int("a"), 1);
  EXPECT_EQ(value.get_int("b", 7), 7);
}

}  // namespace
}  // namespace slipway
