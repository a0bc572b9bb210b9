#include <gtest/gtest.h>

#include "slipway/text/node.h"

namespace slipway::text {
namespace {

struct Row {
  const char* written;
  NodeKind kind;
  Value value;
};

class Scalars : public testing::TestWithParam<Row> {};

TEST_P(Scalars, FollowTheCoreSchema) {
  const auto result = parse_yaml({"s.yaml", std::string("k: ") + GetParam().written + "\n"});
  ASSERT_TRUE(result.value.has_value()) << GetParam().written;
  const Node& node = *result.value->find("k");
  EXPECT_EQ(node.kind, GetParam().kind) << GetParam().written;
  EXPECT_EQ(to_value(node), GetParam().value) << GetParam().written;
}

INSTANTIATE_TEST_SUITE_P(Null, Scalars,
                         testing::Values(Row{"", NodeKind::Null, {}}, Row{"~", NodeKind::Null, {}},
                                         Row{"null", NodeKind::Null, {}}, Row{"NULL", NodeKind::Null, {}},
                                         Row{"nUll", NodeKind::Text, "nUll"}, Row{"'null'", NodeKind::Text, "null"},
                                         Row{"\"\"", NodeKind::Text, ""}));

INSTANTIATE_TEST_SUITE_P(Boolean, Scalars,
                         testing::Values(Row{"true", NodeKind::Boolean, true}, Row{"False", NodeKind::Boolean, false},
                                         Row{"yes", NodeKind::Text, "yes"}, Row{"on", NodeKind::Text, "on"},
                                         Row{"off", NodeKind::Text, "off"}, Row{"n", NodeKind::Text, "n"},
                                         Row{"'true'", NodeKind::Text, "true"}, Row{"tRue", NodeKind::Text, "tRue"}));

INSTANTIATE_TEST_SUITE_P(
    Numbers, Scalars,
    testing::Values(
        Row{"0", NodeKind::Integer, 0}, Row{"-7", NodeKind::Integer, -7}, Row{"+7", NodeKind::Integer, 7},
        Row{"007", NodeKind::Integer, 7}, Row{"0x1F", NodeKind::Integer, 31}, Row{"0o17", NodeKind::Integer, 15},
        Row{"0x-1", NodeKind::Text, "0x-1"}, Row{"9223372036854775807", NodeKind::Integer, INT64_MAX},
        Row{"9223372036854775808", NodeKind::Number, 9223372036854775808.0}, Row{"1.5", NodeKind::Number, 1.5},
        Row{".5", NodeKind::Number, 0.5}, Row{"5.", NodeKind::Number, 5.0}, Row{"-2e3", NodeKind::Number, -2000.0},
        Row{"1e400", NodeKind::Number, {}}, Row{".inf", NodeKind::Number, {}}, Row{".nan", NodeKind::Number, {}},
        Row{"1e", NodeKind::Text, "1e"}, Row{".", NodeKind::Text, "."}, Row{"12:30", NodeKind::Text, "12:30"},
        Row{"1_000", NodeKind::Text, "1_000"}, Row{"2024-11-01", NodeKind::Text, "2024-11-01"},
        Row{"+-7", NodeKind::Text, "+-7"}, Row{"'5'", NodeKind::Text, "5"}, Row{"!!str 5", NodeKind::Text, "5"}));

TEST(Scalar, KeepsThePlainTextAsWritten) {
  const auto result = parse_yaml({"s.yaml", "k: 1.10"});
  ASSERT_TRUE(result.value.has_value());
  EXPECT_EQ(result.value->find("k")->scalar, "1.10");
}

}  // namespace
}  // namespace slipway::text
