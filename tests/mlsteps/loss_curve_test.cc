#include "mlsteps/loss_curve.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

namespace slipway::mlsteps {
namespace {

std::ptrdiff_t count(const std::string& text, const std::string& word) {
  std::ptrdiff_t found = 0;
  for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) ++found;
  return found;
}

TEST(LossCurve, HasAPointForEachLossWithinThePicture) {
  const std::string svg = loss_curve_svg({{1, 4.0}, {2, 3.0}, {3, 1.0}}, {{3, 2.0}});
  EXPECT_EQ(svg.rfind("<svg ", 0), 0U);
  EXPECT_TRUE(svg.ends_with("</svg>\n"));
  const auto path = svg.find("class=\"training\"");
  ASSERT_NE(path, std::string::npos);
  const std::string line = svg.substr(svg.rfind("<path", path), path - svg.rfind("<path", path));
  EXPECT_EQ(count(line, "L"), 2) << line;
  EXPECT_NE(line.find("M64.0 "), std::string::npos) << "the first step is at the left: " << line;
  EXPECT_EQ(count(svg, "<circle"), 1);
  EXPECT_NE(svg.find("step 3: 2.0000"), std::string::npos);
}

TEST(LossCurve, LeavesOutWhatIsNoNumber) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(loss_curve_svg({{1, nan}, {2, 3.0}}, {}).find("nan"), std::string::npos);
  EXPECT_NE(loss_curve_svg({{1, nan}}, {}).find("no loss was reported yet"), std::string::npos);
}

TEST(LossCurve, OnePointHasAxesToo) {
  const std::string svg = loss_curve_svg({{5, 0.0}}, {});
  EXPECT_EQ(svg.find("nan"), std::string::npos);
  EXPECT_EQ(svg.find("inf"), std::string::npos);
}

}  // namespace
}  // namespace slipway::mlsteps
