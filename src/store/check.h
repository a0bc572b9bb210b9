// The invariants that stored rows alone can show.
#pragma once

#include <vector>

#include "slipway/store/store.h"
#include "store/sqlite.h"

namespace slipway::store {

// The file itself: pages, indexes, references. Reads everything.
// Pages and rows alone, not whether indexes agree with their tables.
[[nodiscard]] Result<void> quick_check_file(Connection& connection, std::vector<Finding>& findings);
[[nodiscard]] Result<void> check_file(Connection& connection, std::vector<Finding>& findings);
// One run: its events are gap-free and legal, and its rows are what they fold to.
[[nodiscard]] Result<void> check_run(Connection& connection, const RunId& id, std::vector<Finding>& findings);

}  // namespace slipway::store
