// A DAG while it is being read: the tree of the file beside what was made of it so far. Each step of parse() adds to it
// and reports what it finds; no step stops at a problem, and none reports what an earlier step did.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "slipway/base/diagnostics.h"
#include "slipway/dag/dag.h"
#include "slipway/dag/parse.h"
#include "slipway/text/node.h"

namespace slipway::dag {

// One object of a manifest file.
struct ManifestDraft {
  const text::Node* name = nullptr;  // the file, as the DAG names it
  text::Node object;                 // with places in that file
};

struct TaskDraft {
  const text::Entry* entry = nullptr;  // as written
  text::Node merged;                   // with the defaults that apply to its kind
  Task task;
  std::vector<ManifestDraft> manifests;
};

struct Draft {
  const SourceText& source;
  const text::Node& root;
  Diagnostics& out;
  const Companions& beside;
  Dag dag;  // its tasks are in `tasks` until the end
  std::vector<TaskDraft> tasks;
  std::map<std::string, int, std::less<>> index;                // by id; without on_failure and on_success
  std::map<std::string, std::vector<int>, std::less<>> groups;  // tasks of each group
  std::map<std::string, int, std::less<>> param_index;          // by name
  std::set<std::string, std::less<>> used_params;
  int searches = 0;

  // Whether there is time to look for the nearest of all names: that costs O(names), and a file may hold thousands of
  // mistakes.
  [[nodiscard]] bool may_search() { return searches++ < 50; }
};

// The steps, in order.
void read_top_level(Draft& draft);
void read_params(Draft& draft);
void take_params_from(Draft& draft);  // over the defaults of the parameters
void read_schedules(Draft& draft);
void read_tasks(Draft& draft);  // merges defaults, fills TaskDraft::task but for `needs`
void link_tasks(Draft& draft);  // needs, groups, cycles, order; indexes and downstream lists of the Dag
void check_expressions(Draft& draft);

}  // namespace slipway::dag
