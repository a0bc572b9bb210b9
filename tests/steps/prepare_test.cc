#include "slipway/steps/prepare.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "support/files.h"
#include "support/temp_folder.h"

namespace slipway::steps {
namespace {

using test::slurp;
using test::spill;
using test::TempFolder;

std::filesystem::path fixtures() { return std::filesystem::path(SLIPWAY_SOURCE_DIR) / "tests/steps/fixtures"; }

// fixtures/make_goldens.py ran the seed's script over these files.
class PandasGolden : public testing::TestWithParam<std::string> {};

TEST_P(PandasGolden, ByteForByte) {
  const TempFolder folder;
  PrepareOptions options{.input = fixtures() / (GetParam() + ".csv"), .output = folder / "out.jsonl"};
  if (GetParam().starts_with("limit-")) options.limit = std::stoll(GetParam().substr(6));
  const auto report = prepare(options);
  ASSERT_TRUE(report) << report.error().message;
  const std::string want = slurp(fixtures() / (GetParam() + ".jsonl"));
  EXPECT_EQ(slurp(folder / "out.jsonl"), want);
  EXPECT_EQ(report->rows_written, std::count(want.begin(), want.end(), '\n'));
  EXPECT_EQ(report->rows_read, report->rows_written + report->rows_dropped);
}

INSTANTIATE_TEST_SUITE_P(Fixtures, PandasGolden,
                         testing::Values("quotes", "line-ends", "gaps", "unicode", "columns", "integers",
                                         "integers-with-gaps", "floats", "booleans", "booleans-with-gaps", "mixed",
                                         "huge-integers", "limit-3", "limit-100"),
                         [](const auto& tested) {
                           std::string name = tested.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(Prepare, LimitCountsRowsBeforeGapsAreDropped) {
  const TempFolder folder;
  const auto report = prepare({.input = fixtures() / "limit-3.csv", .output = folder / "o", .limit = 3});
  ASSERT_TRUE(report);
  EXPECT_EQ(to_value(*report).dump(), R"({"eval_rows":0,"rows_dropped":1,"rows_read":3,"rows_written":2})");
}

TEST(Prepare, HoldsOutByIdSoThatAFilmIsOnOneSide) {
  const TempFolder folder;
  std::string csv = "id,reviewText,scoreSentiment\n";
  for (int i = 0; i < 400; ++i) csv += "film_" + std::to_string(i % 100) + ",text,POSITIVE\n";
  spill(folder / "in.csv", csv);
  const auto report = prepare({.input = folder / "in.csv",
                               .output = folder / "train.jsonl",
                               .eval_output = folder / "eval.jsonl",
                               .eval_fraction = 0.25});
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->rows_written + report->eval_rows, 400);
  EXPECT_GT(report->eval_rows, 40);
  EXPECT_LT(report->eval_rows, 160);
  const auto lines = [&](const char* name) {
    std::set<std::string> set;
    std::istringstream in(slurp(folder / name));
    for (std::string line; std::getline(in, line);) set.insert(line);
    return set;
  };
  for (const std::string& line : lines("eval.jsonl")) EXPECT_FALSE(lines("train.jsonl").contains(line)) << line;
}

TEST(Prepare, HoldsOutAnotherFileWhole) {
  const TempFolder folder;
  const auto report = prepare({.input = fixtures() / "quotes.csv",
                               .output = folder / "t",
                               .limit = 2,
                               .eval_output = folder / "e",
                               .eval_input = fixtures() / "limit-3.csv"});
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->rows_written, 2);
  EXPECT_EQ(report->eval_rows, 3);
}

struct Refusal {
  std::string name;
  std::string csv;
  PrepareOptions options;  // input and output are filled in when empty
  ErrorCode code;
  std::string says;
};
class PrepareRefuses : public testing::TestWithParam<Refusal> {};

TEST_P(PrepareRefuses, AndLeavesNoOutput) {
  const TempFolder folder;
  spill(folder / "in.csv", GetParam().csv);
  PrepareOptions options = GetParam().options;
  options.input = folder / "in.csv";
  options.output = folder / "out.jsonl";
  const auto report = prepare(options);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, GetParam().code) << report.error().message;
  EXPECT_NE(report.error().message.find(GetParam().says), std::string::npos) << report.error().message;
  EXPECT_FALSE(std::filesystem::exists(folder / "out.jsonl"));
}

const std::string kHead = "id,reviewText,scoreSentiment\n";

INSTANTIATE_TEST_SUITE_P(
    All, PrepareRefuses,
    testing::Values(
        Refusal{"Empty", "", {}, ErrorCode::InvalidArgument, "is empty"},
        Refusal{"OnlyTheHead", kHead, {}, ErrorCode::InvalidArgument, "no example is left of 0 rows"},
        Refusal{"OnlyGaps", kHead + "a,,P\n", {}, ErrorCode::InvalidArgument, "of 1 rows, 1 have a gap"},
        Refusal{"MissingColumn",
                "id,reviewtext,scoreSentiment\n",
                {},
                ErrorCode::InvalidArgument,
                "in.csv:1: there is no column `reviewText`"},
        Refusal{"TooManyFields", kHead + "a,b,c\na,b,c,d\n", {}, ErrorCode::Corrupt, "in.csv:3:4: 4 fields"},
        Refusal{"OpenQuote", kHead + "a,\"b,c\n", {}, ErrorCode::Corrupt, "in.csv:2:2: the quote is never closed"},
        Refusal{"BadLimit", kHead, {.limit = 0}, ErrorCode::InvalidArgument, "a limit of 0"},
        Refusal{
            "BadShare", kHead, {.eval_output = "e", .eval_fraction = 1.0}, ErrorCode::InvalidArgument, "share of 1"},
        Refusal{"ShareWithoutOutput", kHead, {.eval_fraction = 0.1}, ErrorCode::InvalidArgument, "needs an evaluation"},
        Refusal{"OutputWithoutShare", kHead, {.eval_output = "e"}, ErrorCode::InvalidArgument, "needs an evaluation"},
        Refusal{"BothSources",
                kHead,
                {.eval_output = "e", .eval_input = "x", .eval_fraction = 0.1},
                ErrorCode::InvalidArgument,
                "both"}),
    [](const auto& tested) { return tested.param.name; });

TEST(Prepare, MissingInputIsNamed) {
  const TempFolder folder;
  const auto report = prepare({.input = folder / "none.csv", .output = folder / "o"});
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::NotFound);
  EXPECT_NE(report.error().message.find("none.csv"), std::string::npos);
}

TEST(PrepareAlpaca, ListToLines) {
  const TempFolder folder;
  spill(folder / "in.json",
        "[\n {\"instruction\": \"Say [hi], \\\"now\\\"\", \"input\": \"\", \"output\": \"hi\"},\n"
        " {\"output\": \"2\", \"instruction\": \"1+1\"}\n]\n");
  const auto report = prepare({.from = PrepareFrom::AlpacaJson, .input = folder / "in.json", .output = folder / "o"});
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(slurp(folder / "o"), R"({"input":"","instruction":"Say [hi], \"now\"","output":"hi"})"
                                 "\n"
                                 R"({"input":"","instruction":"1+1","output":"2"})"
                                 "\n");
}

TEST(PrepareAlpaca, ErrorsNameTheLine) {
  struct Row {
    std::string json;
    std::string says;
  };
  for (const Row& row : std::vector<Row>{
           {"{}", "in.json:1: a list"},
           {"[\n{\"instruction\":\"a\",\"output\":\"b\"},\n{\"instruction\":\"a\"}]",
            "in.json:3: the example has no text `output`"},
           {"[{\"instruction\":\"a\",\"input\":5,\"output\":\"b\"}]", "in.json:1: the example has no text `input`"},
           {"[\n\n{\"instruction\" \"a\"}]", "in.json:3: not valid JSON"},
           {"[{}", "the list is not closed"},
           {"[\"a\"", "the list is not closed"},
           {"[] x", "text after the end"}}) {
    const TempFolder folder;
    spill(folder / "in.json", row.json);
    const auto report = prepare({.from = PrepareFrom::AlpacaJson, .input = folder / "in.json", .output = folder / "o"});
    ASSERT_FALSE(report) << row.json;
    EXPECT_NE(report.error().message.find(row.says), std::string::npos) << report.error().message;
  }
}

// The files of the demo keep their promises: gaps to drop, and held-out rows that are all usable.
TEST(PrepareDemo, ReadsTheDemoFiles) {
  const TempFolder folder;
  const auto demo = std::filesystem::path(SLIPWAY_SOURCE_DIR) / "dags/demo/reviews";
  const auto report = prepare({.input = demo / "rotten_tomatoes_movie_reviews.csv",
                               .output = folder / "t",
                               .limit = 1000,
                               .eval_output = folder / "e",
                               .eval_input = demo / "held_out_movie_reviews.csv"});
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->rows_read, 1000);
  EXPECT_GT(report->rows_dropped, 0);
  EXPECT_EQ(report->eval_rows, 200);
}

}  // namespace
}  // namespace slipway::steps
