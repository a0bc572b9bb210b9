#include "steps/csv.h"

#include <gtest/gtest.h>

#include <sstream>

namespace slipway::steps {
namespace {

using Record = std::vector<std::string>;

Result<std::vector<Record>> read_all(const std::string& text) {
  std::istringstream in(text);
  CsvReader reader(in, "t.csv");
  std::vector<Record> records;
  for (Record fields;;) {
    SLIPWAY_TRY_ASSIGN(const bool more, reader.next(fields));
    if (!more) return records;
    records.push_back(fields);
  }
}

struct Row {
  std::string text;
  std::vector<Record> records;
};
class CsvTable : public testing::TestWithParam<Row> {};

TEST_P(CsvTable, Reads) {
  const auto records = read_all(GetParam().text);
  ASSERT_TRUE(records) << records.error().message;
  EXPECT_EQ(*records, GetParam().records) << GetParam().text;
}

INSTANTIATE_TEST_SUITE_P(All, CsvTable,
                         testing::Values(Row{"", {}}, Row{"\n\r\n \t\n", {}}, Row{"a", {{"a"}}}, Row{"a,", {{"a", ""}}},
                                         Row{",", {{"", ""}}}, Row{"a\nb\r\nc\rd", {{"a"}, {"b"}, {"c"}, {"d"}}},
                                         Row{"\"a,b\"\"c\nd\",e", {{"a,b\"c\nd", "e"}}},
                                         Row{"\"a\"b,\"\"", {{"ab", ""}}}, Row{"a\"b\",c", {{"a\"b\"", "c"}}},
                                         Row{"\xEF\xBB\xBF"
                                             "a",
                                             {{"a"}}},
                                         Row{"  a ,\tb", {{"  a ", "\tb"}}}));

TEST(Csv, ErrorsNameTheirPlace) {
  struct Bad {
    std::string text;
    std::string says;
  };
  for (const Bad& row : std::vector<Bad>{{"a,b\nc,\"d\ne", "t.csv:2:2: the quote is never closed"},
                                         {"a\n\nb,\xff", "t.csv:3:2: bytes that are no UTF-8"},
                                         {"\xEF\xBB,", "t.csv:1:1: bytes that are no UTF-8"},
                                         {"\"x\r\ny\rz\nw\"\n\"", "t.csv:5:1: the quote is never closed"}}) {
    const auto records = read_all(row.text);
    ASSERT_FALSE(records) << row.text;
    EXPECT_EQ(records.error().code, ErrorCode::Corrupt);
    EXPECT_EQ(records.error().message, row.says);
    EXPECT_FALSE(records.error().help.empty());
  }
}

}  // namespace
}  // namespace slipway::steps
