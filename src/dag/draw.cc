#include <algorithm>

#include "slipway/dag/parse.h"

namespace slipway::dag {
namespace {

// The longest way down to each task, in edges.
std::vector<int> layers_of(const Dag& dag) {
  std::vector<int> layers(dag.tasks.size());
  for (const int task : dag.order)
    for (const int next : dag.downstream_of(task))
      layers[static_cast<std::size_t>(next)] =
          std::max(layers[static_cast<std::size_t>(next)], layers[static_cast<std::size_t>(task)] + 1);
  return layers;
}

std::string needs_of(const Task& task) {
  std::string out;
  for (const TaskId& need : task.needs) out += (out.empty() ? "" : ", ") + need.str();
  return out;
}

// What a person wants to know at a glance beside the edges.
std::string notes_of(const Task& task) {
  std::string out;
  if (task.kind != TaskKind::Run) out += " (" + std::string(kTaskKinds.text(task.kind)) + ")";
  if (task.trigger_rule != TriggerRule::AllSuccess)
    out += " [" + std::string(kTriggerRules.text(task.trigger_rule)) + "]";
  if (task.when) out += " [when]";
  return out;
}

}  // namespace

std::string draw_ascii(const Dag& dag) {
  const auto layers = layers_of(dag);
  std::size_t width = 0;
  for (const Task& task : dag.tasks) width = std::max(width, task.id.str().size() + notes_of(task).size());
  std::vector<std::pair<int, int>> lines;
  for (std::size_t task = 0; task < layers.size(); ++task) lines.emplace_back(layers[task], static_cast<int>(task));
  std::sort(lines.begin(), lines.end());
  std::string out = dag.id.str() + "\n";
  int before = 0;
  for (const auto& [layer, index] : lines) {
    const Task& task = dag.tasks[static_cast<std::size_t>(index)];
    const std::string name = task.id.str() + notes_of(task);
    if (layer != before) out += "  |\n";
    before = layer;
    out += "  o " + name;
    if (!task.needs.empty()) out += std::string(width - name.size(), ' ') + "  <- " + needs_of(task);
    out += "\n";
  }
  return out;
}

std::string draw_dot(const Dag& dag) {
  // Ids hold nothing that Graphviz would need escaped inside quotes.
  std::string out = "digraph \"" + dag.id.str() + "\" {\n  rankdir=LR;\n  node [shape=box, style=rounded];\n";
  for (const Task& task : dag.tasks)
    out += "  \"" + task.id.str() + "\"" + (task.kind == TaskKind::Service ? " [shape=component]" : "") + ";\n";
  for (const Task& task : dag.tasks)
    for (const TaskId& need : task.needs) out += "  \"" + need.str() + "\" -> \"" + task.id.str() + "\";\n";
  return out + "}\n";
}

}  // namespace slipway::dag
