#include <algorithm>

#include "dag/draft.h"
#include "dag/field_table.h"
#include "dag/reader.h"
#include "dag/structure.h"
#include "slipway/dag/parse.h"

namespace slipway::dag {
namespace {

using text::Entry;
using text::Node;
using text::NodeKind;

class Collector {
 public:
  explicit Collector(std::vector<PlannedUse>& uses) : uses_(uses) {}

  void collect(const Node& node, const Field& field, const std::string& path, const SourceSpan& place) {
    if (!is_written(&node)) return;
    if (field.status == FieldStatus::Planned) {
      uses_.push_back({path, place});
      return;
    }
    for (const Node& item : node.items) collect(item, field, path, place);
    for (const Entry& entry : node.entries) {
      const Field* child = field.child(entry.key);
      if (child != nullptr && child != &field)
        collect(entry.value, *child, path.empty() ? entry.key : path + "." + entry.key, entry.key_span);
    }
  }

 private:
  std::vector<PlannedUse>& uses_;
};

}  // namespace

void check_planned(Draft& draft) {
  auto& uses = draft.dag.planned;
  Collector(uses).collect(draft.root, language(), "", {});
  // A service is a process of this machine yet.
  for (const TaskDraft& task : draft.tasks)
    if (const Entry* place = task.merged.find_entry("executor");
        place != nullptr && task.task.kind == TaskKind::Service && task.task.place == Place::Kubernetes)
      uses.push_back({"tasks." + task.task.id.str() + ".executor", place->key_span});
  std::stable_sort(uses.begin(), uses.end(), [](const PlannedUse& a, const PlannedUse& b) {
    return std::pair(a.span.line, a.span.column) < std::pair(b.span.line, b.span.column);
  });
}

Diagnostics check_activation(const Dag& dag) {
  Diagnostics diagnostics;
  for (const PlannedUse& use : dag.planned)
    diagnostics.error("not-supported-yet", use.span,
                      "`" + use.field + "` is part of the language, and this version does not act on it yet",
                      "remove it to activate the DAG; `slipway dag explain` shows the status of each field");
  return diagnostics;
}

}  // namespace slipway::dag
