#include "dag/support.h"

namespace slipway::dag {
namespace {

const Dag& declared() {
  static const Dag kDag = test::parse_ok(R"(
dag: d
params:
  limit: {type: integer, default: 10, minimum: 1, maximum: 100}
  ratio: {type: number, default: 1}
  mode: {type: string, enum: [fast, slow], default: fast}
  day: {type: string, format: date}
  at: {type: string, format: date-time}
  uri: {type: string, format: uri}
  name: {type: string, pattern: "^[a-z]+$", required: true}
  flag: {type: boolean, default: false}
  list: {type: array, default: []}
  map: {type: object, default: {}}
  free: {}
tasks: {a: {run: [x, "${{ to_json(params) }}"]}}
)");
  return kDag;
}

TEST(ResolveParams, FillsDefaults) {
  const auto result = resolve_params(declared(), parse_json(R"({"name": "x", "limit": 5.0})").value());
  ASSERT_TRUE(result.value.has_value());
  EXPECT_EQ(
      result.value->dump(),
      R"({"at":null,"day":null,"flag":false,"free":null,"limit":5,"list":[],"map":{},"mode":"fast","name":"x","ratio":1,"uri":null})");
}

TEST(ResolveParams, ReportsEveryProblemAtOnce) {
  const auto result =
      resolve_params(declared(), parse_json(R"({"limt": 5, "limit": 0, "mode": "fats", "flag": 1})").value());
  EXPECT_FALSE(result.value.has_value());
  std::string codes;
  for (const auto& d : result.diagnostics.items()) codes += d.code + " ";
  EXPECT_EQ(codes, "bad-param bad-param unknown-param bad-param missing-param ");
  EXPECT_EQ(result.diagnostics.items()[2].help, "did you mean `limit`?");
}

TEST(ResolveParams, TakesAnObjectOrNothing) {
  EXPECT_TRUE(resolve_params(declared(), Value("text")).diagnostics.has_errors());
  const Dag none = test::parse_ok("dag: d\ntasks: {a: {noop: true}}\n");
  EXPECT_EQ(resolve_params(none, Value()).value->dump(), "{}");
}

struct Row {
  const char* name;
  const char* text;
  const char* want;  // JSON, or nullptr where it is refused
};

class ParseParam : public testing::TestWithParam<Row> {};

TEST_P(ParseParam, ReadsTextByTheParametersType) {
  const auto value = parse_param(declared(), GetParam().name, GetParam().text);
  ASSERT_EQ(value.has_value(), GetParam().want != nullptr) << GetParam().name << "=" << GetParam().text;
  EXPECT_EQ(value ? value->dump() : "", GetParam().want == nullptr ? "" : GetParam().want);
}

INSTANTIATE_TEST_SUITE_P(
    Params, ParseParam,
    testing::Values(Row{"limit", "5", "5"}, Row{"limit", "5.0", "5"}, Row{"limit", "5.5", nullptr},
                    Row{"limit", "", nullptr}, Row{"limit", "0", nullptr}, Row{"limit", "101", nullptr},
                    Row{"limit", "five", nullptr}, Row{"ratio", "0.5", "0.5"}, Row{"ratio", "3", "3"},
                    Row{"ratio", "nan", nullptr}, Row{"ratio", "1e999", nullptr}, Row{"mode", "slow", "\"slow\""},
                    Row{"mode", "SLOW", nullptr}, Row{"flag", "true", "true"}, Row{"flag", "yes", nullptr},
                    Row{"name", "abc", "\"abc\""}, Row{"name", "5", nullptr},
                    Row{"day", "2024-11-01", "\"2024-11-01\""}, Row{"day", "2024-11-01T00:00:00Z", nullptr},
                    Row{"day", "2024-02-30", nullptr}, Row{"at", "2024-11-01T00:00:00Z", "\"2024-11-01T00:00:00Z\""},
                    Row{"at", "2024-11-01", nullptr}, Row{"uri", "gs://b/x", "\"gs://b/x\""},
                    Row{"uri", "b/x", nullptr}, Row{"list", "[1, 2]", "[1,2]"}, Row{"list", "1", nullptr},
                    Row{"list", "[1", nullptr}, Row{"map", "{\"a\": 1}", "{\"a\":1}"}, Row{"free", "5", "5"},
                    Row{"free", "[text", "\"[text\""}, Row{"nobody", "5", nullptr}));

TEST(ParseParam, APatternDoesNotRunOnLongTexts) {
  EXPECT_FALSE(parse_param(declared(), "name", std::string(100'000, 'a')).has_value());
}

}  // namespace
}  // namespace slipway::dag
