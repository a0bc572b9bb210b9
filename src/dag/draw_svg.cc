#include "dag/drawing.h"
#include "slipway/dag/layout.h"

namespace slipway::dag {
namespace {

// Shape and words tell everything; colour only helps.
constexpr std::string_view kStyle =
    "  <style>\n"
    "    .slipway text { font: 12px ui-monospace, monospace; fill: #1b1f24; }\n"
    "    .slipway .notes { font-size: 10px; fill: #57606a; }\n"
    "    .slipway rect { fill: #f6f8fa; stroke: #57606a; }\n"
    "    .slipway .service rect { stroke-width: 3; }\n"
    "    .slipway .wait rect, .slipway .approve rect, .slipway .dag rect { stroke-dasharray: 5 3; }\n"
    "    .slipway .noop rect { fill: none; }\n"
    "    .slipway path { fill: none; stroke: #8c959f; stroke-width: 1.5; }\n"
    "    .slipway marker path { fill: #8c959f; stroke: none; }\n"
    "    @media (prefers-color-scheme: dark) {\n"
    "      .slipway text { fill: #e6edf3; } .slipway .notes { fill: #9198a1; }\n"
    "      .slipway rect { fill: #21262d; stroke: #9198a1; }\n"
    "    }\n"
    "  </style>\n";

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      default: out += c;
    }
  }
  return out;
}

std::string attribute(std::string_view name, int value) {
  return " " + std::string(name) + "=\"" + std::to_string(value) + "\"";
}

std::string pair(int x, int y) { return std::to_string(x) + " " + std::to_string(y); }

std::string path_of(const GraphLine& line) {
  std::string way = "M " + pair(line.points.front().x, line.points.front().y);
  for (std::size_t i = 1; i < line.points.size(); ++i) {
    const GraphPoint from = line.points[i - 1], to = line.points[i];
    const int middle = (from.x + to.x) / 2;
    way += from.y == to.y ? " H " + std::to_string(to.x)
                          : " C " + pair(middle, from.y) + ", " + pair(middle, to.y) + ", " + pair(to.x, to.y);
  }
  return "  <path d=\"" + way + "\" marker-end=\"url(#end)\"/>\n";
}

// An id has only ASCII characters.
std::string shown(const std::string& id) {
  constexpr std::size_t kMax = 40;
  return id.size() <= kMax ? id : id.substr(0, kMax - 1) + "…";
}

std::string box_of(const Task& task, const GraphBox& box) {
  std::string notes = notes_of(task);
  if (!notes.empty()) notes.erase(0, 1);
  const int middle = box.x + box.width / 2;
  std::string out = "  <g class=\"" + std::string(kTaskKinds.text(task.kind)) + "\">";
  out += "<title>" + escaped(task.id.str() + (task.description.empty() ? "" : ": " + task.description)) + "</title>";
  out += "<rect" + attribute("x", box.x) + attribute("y", box.y) + attribute("width", box.width) +
         attribute("height", box.height) + " rx=\"6\"/>";
  out += "<text" + attribute("x", middle) + attribute("y", box.y + 19) + " text-anchor=\"middle\">" +
         escaped(shown(task.id.str())) + "</text>";
  if (!notes.empty())
    out += "<text class=\"notes\"" + attribute("x", middle) + attribute("y", box.y + 34) + " text-anchor=\"middle\">" +
           escaped(notes) + "</text>";
  return out + "</g>\n";
}

}  // namespace

std::string draw_svg(const Dag& dag) {
  const GraphLayout layout = lay_out(dag);
  std::string out = "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"slipway\" role=\"img\"" +
                    attribute("width", layout.width) + attribute("height", layout.height) + " viewBox=\"0 0 " +
                    pair(layout.width, layout.height) + "\">\n";
  out += "  <title>" + escaped(dag.id.str()) + ": " + std::to_string(dag.tasks.size()) + " tasks</title>\n";
  out += kStyle;
  out +=
      "  <defs><marker id=\"end\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" "
      "orient=\"auto\"><path d=\"M 0 0 L 8 4 L 0 8 z\"/></marker></defs>\n";
  for (const GraphLine& line : layout.lines) out += path_of(line);
  for (std::size_t i = 0; i < dag.tasks.size(); ++i) out += box_of(dag.tasks[i], layout.boxes[i]);
  return out + "</svg>\n";
}

}  // namespace slipway::dag
