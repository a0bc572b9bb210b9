// Removing runs that are over: out of sight at once, then gone in slices. The writer's connection, within a transaction
// of the caller, except where it says reader.
#pragma once

#include <string_view>
#include <vector>

#include "slipway/store/store.h"
#include "store/sqlite.h"

namespace slipway::store {

// A condition on a column that names a run: it is not being removed.
inline constexpr std::string_view kInSight = " NOT IN (SELECT run FROM pruning)";

// Reader: runs that `rule` removes, oldest first.
[[nodiscard]] Result<std::vector<RunId>> prunable_runs(Connection& connection, const PruneRule& rule, int limit);
// Reader: runs that are being removed.
[[nodiscard]] Result<std::vector<RunId>> condemned_runs(Connection& connection);

[[nodiscard]] Result<void> condemn_run(Connection& connection, const RunId& run);
// Deletes about `rows` rows of a condemned run, whatever refers to another row first; true: some are left.
[[nodiscard]] Result<bool> erase_rows(Connection& connection, const RunId& run, int rows);

}  // namespace slipway::store
