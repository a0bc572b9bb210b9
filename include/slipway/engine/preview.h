// What the tasks of a DAG would be given, as far as that is known before a run: nothing is started, stored or opened.
#pragma once

#include <string>
#include <vector>

#include "slipway/dag/dag.h"
#include "slipway/exec/executor.h"

namespace slipway::engine {

struct PreviewInput {
  const dag::Dag& dag;
  Value params;          // complete, as of dag::resolve_params
  Value vars;            // object; what the DAG says of a variable stands in for one that is absent
  std::string folder;    // absolute, of the DAG's file
  Instant logical_date;  // as of a run started by hand
};

// A text of a task. Rendered where every name in it is known by now, else as it stands in the file. Secrets are "***".
struct PreviewField {
  std::string path;  // "run", "run[1]", "env.MODEL"
  std::string text;
  std::vector<std::string> unknown;  // what only a run can tell: "tasks.extract.outputs.rows", "item"
  std::string error;                 // why it cannot be rendered; empty if it can
};
struct PreviewTask {
  TaskId id;
  std::vector<PreviewField> fields;
  std::vector<Value> manifests;  // objects of Kubernetes; what only a run can tell stands in them as in the file
};

// Every task, in file order. Pure.
[[nodiscard]] std::vector<PreviewTask> preview(const PreviewInput& input);

// What the executor of pods would be told of one of them: run and attempt are stand-ins, and what only a run can tell
// stands as in the file, or is left out of labels and annotations, which may not hold it.
[[nodiscard]] exec::LaunchSpec preview_pod(const PreviewInput& input, const dag::Task& task, const PreviewTask& shown);

}  // namespace slipway::engine
