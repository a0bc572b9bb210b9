// Every *.yaml of tests/golden/text is broken; what we say about it is the .txt beside it.
#include <gtest/gtest.h>

#include "slipway/text/node.h"
#include "support/golden.h"

namespace slipway::text {
namespace {

class BrokenYaml : public testing::TestWithParam<std::string> {};

TEST_P(BrokenYaml, IsExplained) {
  const std::string path = "tests/golden/text/" + GetParam();
  const SourceText source{GetParam() + ".yaml", test::read_text(SLIPWAY_SOURCE_DIR "/" + path + ".yaml")};
  const auto result = parse_yaml(source);
  EXPECT_FALSE(result.value.has_value());
  std::string shown;
  for (const auto& diagnostic : result.diagnostics.items()) {
    EXPECT_FALSE(diagnostic.help.empty());
    shown += render(diagnostic, source) + "\n";
  }
  test::expect_golden(path + ".txt", shown);
}

std::string case_name(const testing::TestParamInfo<std::string>& row) {
  std::string name = row.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Golden, BrokenYaml, testing::ValuesIn(test::golden_cases("text", ".yaml")), case_name);

}  // namespace
}  // namespace slipway::text
