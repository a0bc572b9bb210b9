// DAGs made from a seed: the YAML that the engine is given, and the same facts for the independent checks.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "slipway/base/rng.h"
#include "slipway/dag/dag.h"

namespace slipway::sim {

struct SimTask {
  std::string id;
  std::vector<std::string> needs;  // as written, then with what a teardown implies
  dag::TriggerRule rule = dag::TriggerRule::AllSuccess;
  bool noop = false;
  bool waits = false;  // kind wait, approve or dag
  bool service = false;
  bool has_when = false;
  bool has_timeout = false;
  bool has_lost_after = false;
  bool has_output = false;  // declares `n: integer`
  int retry_limit = 0;
  std::string pool = "default";
  int slots = 1;  // of the pool; a service holds none
  dag::TaskRole role = dag::TaskRole::Body;
  std::vector<std::string> setups;     // of a teardown
  std::vector<std::string> enclosing;  // setups around it
  bool mapped = false;                 // has for_each
  bool stops = false;                  // on_failure: stop
  int max_parallel = 0;
  bool depends_on_past = false;

  // Of an attempt of this version of the task; one that was opened by another version counts as this one, too.
  [[nodiscard]] bool holds_slots() const { return !service && !noop && !waits; }
};

struct SimGroup {
  std::vector<std::string> tasks;
  int max_parallel = 1;
};

struct SimDag {
  std::string id;
  std::string text;
  std::map<std::string, SimTask> tasks;
  int max_active_runs = 1;
  int max_active_tasks = 0;
  bool has_timeout = false;  // of a run
  Duration every{0};         // between the ticks of its schedule; 0: it has none
  std::vector<SimGroup> groups;
};

// What stays the same when the file is edited, so that it can be checked over all versions.
struct SimFrame {
  std::string id;
  std::string schedule;  // a whole line of YAML, or empty
  Duration every{0};     // between its ticks; 0: it has none
  int max_active_runs = 1;
  int max_active_tasks = 0;
  int slots_max = 1;               // that a task of the default pool may ask for
  std::vector<std::string> pools;  // others, each of kPoolSlotsMax slots in the end
  std::string starts;              // the DAG that its `dag` tasks start; itself: refused
};
inline constexpr int kPoolSlotsMax = 2;

// 3 to 30 tasks.
[[nodiscard]] SimDag random_dag(Rng& rng, const SimFrame& frame);

}  // namespace slipway::sim
