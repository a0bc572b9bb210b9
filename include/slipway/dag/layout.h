// A DAG as a picture: tasks in columns, each right of all that it needs, and the lines between them. Pure, and the same
// on every machine: whole numbers only. Time O((V + E) log V) with V bounded for lines that pass many columns.
#pragma once

#include <string>
#include <vector>

#include "slipway/base/value.h"
#include "slipway/dag/dag.h"

namespace slipway::dag {

struct GraphPoint {
  int x = 0, y = 0;  // pixels, from the upper left corner

  bool operator==(const GraphPoint&) const = default;
};

// The box of a task; boxes never overlap.
struct GraphBox {
  int column = 0;  // 0 for tasks that need nothing
  int x = 0, y = 0, width = 0, height = 0;
};

// From the right side of the box of `from` to the left side of the box of `to`, which needs it. Between two points that
// differ in height the line is a curve, level at both ends.
struct GraphLine {
  int from = 0, to = 0;  // task indexes
  std::vector<GraphPoint> points;
};

struct GraphLayout {
  int width = 0, height = 0;
  std::vector<GraphBox> boxes;   // by task index
  std::vector<GraphLine> lines;  // by `to`, then in the order of its needs
};

// Up to 20,000 bends, lines go around the boxes between their ends; beyond, straight to the end.
[[nodiscard]] GraphLayout lay_out(const Dag& dag);

// {"dag", "width", "height", "tasks": [{task, kind, trigger_rule, column, x, y, width, height}],
//  "lines": [{from, to, points: [[x, y]]}]}
[[nodiscard]] Value graph_value(const Dag& dag, const GraphLayout& layout);

// One SVG image with no script and no reference to anything outside of it.
[[nodiscard]] std::string draw_svg(const Dag& dag);

}  // namespace slipway::dag
