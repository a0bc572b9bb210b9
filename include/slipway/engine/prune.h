// Removing runs that are over, by count and age: what the server's retention and `db prune` do. Runs go in slices
// between which the engine does its work; a crash anywhere is gone on with by the next call.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "slipway/base/result.h"
#include "slipway/base/time.h"
#include "slipway/dag/dag.h"
#include "slipway/store/store.h"

namespace slipway::engine {

using dag::Retention;

// How the two writing steps are done: through a running engine, or on a store that nobody else holds.
struct PruneSteps {
  std::function<Result<void>(const std::vector<RunId>&)> condemn;
  std::function<Result<bool>(const RunId&)> erase;  // true: rows are left
};

// Without `older_than` and `keep` the retention of each DAG decides, else the server's; a given one replaces both.
struct PruneWish {
  std::optional<DagId> dag;  // all where absent
  std::optional<Duration> older_than;
  std::optional<int> keep;
  bool dry_run = false;
};

struct PrunePlace {
  const store::Store& store;
  std::string home;  // whose attempts, workspaces and artifacts go with the runs
  Retention retention;
  Instant now;
};

struct Pruned {
  std::vector<RunId> runs;  // gone, or for a dry run: would go
  bool more = false;        // call again
};

// At most `limit` runs. NotFound: there is no such DAG. Any thread but the engine's.
[[nodiscard]] Result<Pruned> prune(const PrunePlace& place, const PruneWish& wish, int limit, const PruneSteps& steps);

}  // namespace slipway::engine
