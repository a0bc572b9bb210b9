#include "mlsteps/answer.h"

#include <gtest/gtest.h>

namespace slipway::mlsteps {
namespace {

struct Row {
  std::string generated;
  std::vector<std::string> labels;
  std::string answer;
};
const std::vector<std::string> kLabels{"POSITIVE", "NEGATIVE"};

class AnswerTest : public testing::TestWithParam<Row> {};
TEST_P(AnswerTest, IsFound) { EXPECT_EQ(answer_of(GetParam().generated, GetParam().labels), GetParam().answer); }

INSTANTIATE_TEST_SUITE_P(Labels, AnswerTest,
                         testing::Values(Row{" POSITIVE", kLabels, "POSITIVE"}, Row{"\nNEGATIVE.", kLabels, "NEGATIVE"},
                                         Row{" POSITIVE Question: and", kLabels, "POSITIVE"},
                                         Row{" POSITIVETIVE", kLabels, ""},  // no word ends there
                                         Row{" POSITIVE\xc3\xa9", kLabels, ""}, Row{" positive", kLabels, ""},
                                         Row{" it is POSITIVE", kLabels, ""}, Row{"", kLabels, ""},
                                         Row{"very good", {"very", "very good"}, "very good"},
                                         Row{"very good", {"very good", "very"}, "very good"}));
INSTANTIATE_TEST_SUITE_P(FirstLine, AnswerTest,
                         testing::Values(Row{" 42 \nand more", {}, "42"}, Row{"\n\n 42", {}, "42"},
                                         Row{" \n", {}, ""}));

}  // namespace
}  // namespace slipway::mlsteps
