#include "dag/draft.h"
#include "dag/reader.h"

namespace slipway::dag {

void read_top_level(Draft& draft) {
  const text::Node& root = draft.root;
  Dag& dag = draft.dag;
  if (const auto id = read_text(root.find("dag"))) dag.id = DagId(*id);
  assign(dag.description, read_text(root.find("description")));
  assign(dag.doc, read_text(root.find("doc")));
  assign(dag.owner, read_text(root.find("owner")));
  for (const text::Node* tag : read_many(root.find("tags"))) dag.tags.push_back(tag->scalar);
  assign(dag.run_result, read_word(root.find("run_result"), kRunResultRules));
  assign(dag.max_active_runs, read_int(root.find("max_active_runs")));
  assign(dag.max_active_tasks, read_int(root.find("max_active_tasks")));
  assign(dag.priority_class, read_word(root.find("priority_class"), kPriorityClasses));
  assign(dag.weight, read_number(root.find("weight")));
  assign(dag.timeout, read_duration(root.find("timeout")));
  assign(dag.paused_on_create, read_bool(root.find("paused_on_create")));
}

}  // namespace slipway::dag
