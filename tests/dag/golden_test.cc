// Every *.yaml of tests/golden/dag, with what slipway says about it in the .txt beside it.
#include <gtest/gtest.h>

#include "slipway/dag/parse.h"
#include "support/golden.h"

namespace slipway::dag {
namespace {

class DagGolden : public testing::TestWithParam<std::string> {};

TEST_P(DagGolden, SaysExactlyThis) {
  const std::string path = "tests/golden/dag/" + GetParam();
  const SourceText source{GetParam() + ".yaml", test::read_text(SLIPWAY_SOURCE_DIR "/" + path + ".yaml")};
  const auto result = parse(source);
  EXPECT_EQ(result.value.has_value(), !result.diagnostics.has_errors());
  std::string shown;
  for (const auto& diagnostic : result.diagnostics.items()) {
    EXPECT_FALSE(diagnostic.help.empty()) << render(diagnostic, source);
    shown += render(diagnostic, source) + "\n";
  }
  if (result.value) shown += draw_ascii(*result.value);
  test::expect_golden(path + ".txt", shown);
}

std::string case_name(const testing::TestParamInfo<std::string>& row) {
  std::string name = row.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Cases, DagGolden, testing::ValuesIn(test::golden_cases("dag", ".yaml")), case_name);

}  // namespace
}  // namespace slipway::dag
