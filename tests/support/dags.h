// Small DAGs made by hand, for tests below the parser.
#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include "slipway/base/assert.h"
#include "slipway/dag/dag.h"

namespace slipway::test {

struct TaskSketch {
  std::string id;
  std::vector<std::string> needs = {};
  dag::TriggerRule rule = dag::TriggerRule::AllSuccess;
};

inline dag::Task run_task(const TaskSketch& sketch) {
  dag::Task task;
  task.id = TaskId(sketch.id);
  task.kind = dag::TaskKind::Run;
  task.run.shell = true;
  task.run.words = {dag::Template{"true", {}}};
  task.trigger_rule = sketch.rule;
  for (const auto& need : sketch.needs) task.needs.emplace_back(need);
  return task;
}

// Recomputes order, downstream and index from tasks and needs; tasks must name earlier tasks only.
inline void link(dag::Dag& dag) {
  dag.index.clear();
  dag.order.clear();
  dag.downstream.assign(dag.tasks.size(), {});
  dag.enclosed.assign(dag.tasks.size(), {});
  for (std::size_t i = 0; i < dag.tasks.size(); ++i) {
    for (const TaskId& need : dag.tasks[i].needs) {
      SLIPWAY_ASSERT(dag.index.count(need) != 0);
      dag.downstream[static_cast<std::size_t>(dag.index.at(need))].push_back(static_cast<int>(i));
    }
    dag.depends_on_past = dag.depends_on_past || dag.tasks[i].depends_on_past;
    for (const TaskId& setup : dag.tasks[i].enclosing_setups)
      dag.enclosed[static_cast<std::size_t>(dag.index.at(setup))].push_back(static_cast<int>(i));
    dag.index[dag.tasks[i].id] = static_cast<int>(i);
    dag.order.push_back(static_cast<int>(i));
  }
}

inline dag::Dag make_dag(std::initializer_list<TaskSketch> tasks, const std::string& id = "d") {
  dag::Dag dag;
  dag.id = DagId(id);
  for (const TaskSketch& sketch : tasks) dag.tasks.push_back(run_task(sketch));
  link(dag);
  return dag;
}

}  // namespace slipway::test
