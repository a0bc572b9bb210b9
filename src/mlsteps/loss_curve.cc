#include "mlsteps/loss_curve.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

namespace slipway::mlsteps {
namespace {

constexpr double kWidth = 720, kHeight = 360, kLeft = 64, kRight = 16, kTop = 28, kBottom = 40;
constexpr int kTicks = 5;

// What the axes span.
struct Extent {
  double step_min = 0, step_max = 1, loss_min = 0, loss_max = 1;
};

std::vector<CurvePoint> finite(const std::vector<CurvePoint>& points) {
  std::vector<CurvePoint> kept;
  std::copy_if(points.begin(), points.end(), std::back_inserter(kept),
               [](const CurvePoint& point) { return std::isfinite(point.loss); });
  return kept;
}

Extent extent_of(const std::vector<CurvePoint>& points) {
  const auto [first, last] =
      std::minmax_element(points.begin(), points.end(), [](const auto& a, const auto& b) { return a.step < b.step; });
  const auto [low, high] =
      std::minmax_element(points.begin(), points.end(), [](const auto& a, const auto& b) { return a.loss < b.loss; });
  Extent extent{static_cast<double>(first->step), static_cast<double>(last->step), low->loss, high->loss};
  if (extent.step_max == extent.step_min) extent.step_max += 1;
  const double spread = extent.loss_max - extent.loss_min;
  const double margin = spread > 0 ? 0.05 * spread : std::max(0.05 * std::abs(extent.loss_max), 0.05);
  extent.loss_min -= margin;
  extent.loss_max += margin;
  return extent;
}

class Plot {
 public:
  explicit Plot(const Extent& extent) : extent_(extent) {}

  [[nodiscard]] double x(double step) const {
    return kLeft + (step - extent_.step_min) / (extent_.step_max - extent_.step_min) * (kWidth - kLeft - kRight);
  }
  [[nodiscard]] double y(double loss) const {
    return kTop + (extent_.loss_max - loss) / (extent_.loss_max - extent_.loss_min) * (kHeight - kTop - kBottom);
  }
  [[nodiscard]] std::string grid() const {
    std::string svg;
    for (int i = 0; i <= kTicks; ++i) {
      const double share = static_cast<double>(i) / kTicks;
      const double loss = extent_.loss_min + share * (extent_.loss_max - extent_.loss_min);
      const double step = extent_.step_min + share * (extent_.step_max - extent_.step_min);
      svg += fmt::format("<path d=\"M{:.1f} {:.1f}H{:.1f}\" class=\"grid\"/>", kLeft, y(loss), kWidth - kRight);
      svg += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{:.3g}</text>", kLeft - 6, y(loss) + 4,
                         loss);
      svg += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{:.0f}</text>\n", x(step),
                         kHeight - kBottom + 18, step);
    }
    return svg;
  }
  [[nodiscard]] std::string line(const std::vector<CurvePoint>& points) const {
    std::string path;
    for (const auto& point : points)
      path +=
          fmt::format("{}{:.1f} {:.1f}", path.empty() ? "M" : "L", x(static_cast<double>(point.step)), y(point.loss));
    return path.empty() ? path : "<path d=\"" + path + "\" class=\"training\"/>\n";
  }
  [[nodiscard]] std::string marks(const std::vector<CurvePoint>& points) const {
    std::string svg;
    for (const auto& point : points)
      svg += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"4\"><title>step {}: {:.4f}</title></circle>\n",
                         x(static_cast<double>(point.step)), y(point.loss), point.step, point.loss);
    return svg;
  }

 private:
  Extent extent_;
};

}  // namespace

std::string loss_curve_svg(const std::vector<CurvePoint>& training, const std::vector<CurvePoint>& evaluation) {
  const auto line = finite(training), marks = finite(evaluation);
  auto all = line;
  all.insert(all.end(), marks.begin(), marks.end());
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" font-family=\"sans-serif\" font-size=\"11\">\n"
      "<style>.grid{{stroke:#ddd}}.training{{stroke:#1f6feb;stroke-width:1.5;fill:none}}circle{{fill:#d4380d}}</"
      "style>\n"
      "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
      "<text x=\"{}\" y=\"18\">loss by step (line: training, points: evaluation)</text>\n",
      kWidth, kHeight, kLeft);
  if (all.empty()) return svg + "<text x=\"64\" y=\"60\">no loss was reported yet</text>\n</svg>\n";
  const Plot plot(extent_of(all));
  return svg + plot.grid() + plot.line(line) + plot.marks(marks) + "</svg>\n";
}

}  // namespace slipway::mlsteps
