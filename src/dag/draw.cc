#include <algorithm>

#include "dag/drawing.h"
#include "slipway/dag/parse.h"

namespace slipway::dag {
namespace {

constexpr std::size_t kNeedsShown = 8;

bool is_last(const Task& task) { return task.role == TaskRole::OnFailure || task.role == TaskRole::OnSuccess; }

// A group of several tasks that are all needed stands for them, in the place of its first.
std::string needs_of(const Dag& dag, const Task& task) {
  std::vector<int> open;
  for (const TaskId& need : task.needs) open.push_back(dag.index_of(need));
  std::map<int, std::string> shown;
  for (const Group& group : dag.groups) {
    if (group.tasks.size() < 2 || !std::includes(open.begin(), open.end(), group.tasks.begin(), group.tasks.end()))
      continue;
    shown[group.tasks.front()] = group.id + " (" + std::to_string(group.tasks.size()) + " tasks)";
    std::erase_if(open, [&](int need) { return std::binary_search(group.tasks.begin(), group.tasks.end(), need); });
  }
  for (const int need : open) shown[need] = dag.tasks[static_cast<std::size_t>(need)].id.str();
  std::string out;
  std::size_t count = 0;
  for (const auto& [place, text] : shown) {
    if (count++ == kNeedsShown) return out + " and " + std::to_string(shown.size() - kNeedsShown) + " more";
    out += (out.empty() ? "" : ", ") + text;
  }
  return out;
}

std::string listed(const Dag& dag, const Group& group) {
  std::string out = "  group " + group.id + ":";
  for (std::size_t i = 0; i < std::min(group.tasks.size(), kNeedsShown); ++i)
    out += (i == 0 ? " " : ", ") + dag.tasks[static_cast<std::size_t>(group.tasks[i])].id.str();
  if (group.tasks.size() > kNeedsShown) out += " and " + std::to_string(group.tasks.size() - kNeedsShown) + " more";
  if (group.max_parallel > 0) out += "  (" + std::to_string(group.max_parallel) + " at once)";
  return out + "\n";
}

}  // namespace

std::vector<int> layers_of(const Dag& dag) {
  std::vector<int> layers(dag.tasks.size());
  for (const int task : dag.order)
    for (const int next : dag.downstream_of(task))
      layers[static_cast<std::size_t>(next)] =
          std::max(layers[static_cast<std::size_t>(next)], layers[static_cast<std::size_t>(task)] + 1);
  const int deepest = layers.empty() ? 0 : *std::max_element(layers.begin(), layers.end());
  for (std::size_t task = 0; task < layers.size(); ++task)
    if (is_last(dag.tasks[task])) layers[task] = deepest + 1;
  return layers;
}

std::string notes_of(const Task& task) {
  std::string out;
  if (task.kind != TaskKind::Run) out += " (" + std::string(kTaskKinds.text(task.kind)) + ")";
  if (task.for_each) out += " [for_each]";
  if (task.role == TaskRole::Teardown) {
    out += " [teardown]";
  } else if (task.trigger_rule != TriggerRule::AllSuccess)
    out += " [" + std::string(kTriggerRules.text(task.trigger_rule)) + "]";
  if (task.when) out += " [when]";
  return out;
}

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
    if (!task.needs.empty()) out += std::string(width - name.size(), ' ') + "  <- " + needs_of(dag, task);
    out += "\n";
  }
  for (const Group& group : dag.groups) out += listed(dag, group);
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
