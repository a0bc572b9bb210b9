// docs/api.md lists the routes; its table is made from the one table of routes.
#include <gtest/gtest.h>

#include "slipway/api/api.h"
#include "support/golden.h"

namespace slipway::api {
namespace {

constexpr std::string_view kBegin = "<!-- routes -->\n";
constexpr std::string_view kEnd = "<!-- /routes -->\n";

std::string cell(std::string_view names) {
  std::string text;
  for (std::string_view rest = names; !rest.empty();) {
    const auto name = rest.substr(0, rest.find(' '));
    rest.remove_prefix(std::min(rest.size(), name.size() + 1));
    text += (text.empty() ? "`" : " `") + std::string(name) + "`";
  }
  return text;
}

std::string route_table() {
  std::string table = "| method | path | role | query | body | |\n|---|---|---|---|---|---|\n";
  for (const Route& route : routes()) {
    const std::string role(route.role ? vault::kRoles.text(*route.role) : "anyone");
    table += "| " + std::string(route.method) + " | `" + std::string(route.pattern) + "` | " + role + " | " +
             cell(route.query) + " | " + cell(route.body) + " | " + std::string(route.summary) + " |\n";
  }
  return table;
}

TEST(Docs, ListEveryRoute) {
  const std::string name = "docs/api.md";
  const auto text = test::read_text(std::filesystem::path(SLIPWAY_SOURCE_DIR) / name);
  const auto begin = text.find(kBegin);
  const auto end = text.find(kEnd);
  ASSERT_NE(begin, std::string::npos);
  ASSERT_NE(end, std::string::npos);
  test::expect_golden(name, text.substr(0, begin + kBegin.size()) + route_table() + text.substr(end));
}

TEST(Docs, DescribeEveryRole) {
  const auto text = test::read_text(SLIPWAY_SOURCE_DIR "/docs/api.md");
  for (const auto& role : vault::kRoles.rows())
    EXPECT_NE(text.find("`" + std::string(role.text) + "` " + std::string(role.doc)), std::string::npos) << role.text;
}

}  // namespace
}  // namespace slipway::api
