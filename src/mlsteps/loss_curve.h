// The course of a loss as a picture.
#pragma once

#include <string>
#include <vector>

namespace slipway::mlsteps {

struct CurvePoint {
  std::int64_t step = 0;
  double loss = 0;
};

// An SVG with axes, the training's losses as a line and those of the evaluations as marked points. Points with a loss
// that is no finite number are left out; without any other the picture says so.
[[nodiscard]] std::string loss_curve_svg(const std::vector<CurvePoint>& training,
                                         const std::vector<CurvePoint>& evaluation);

}  // namespace slipway::mlsteps
