// Rows of backfill, and the runs of ticks.
#pragma once

#include <map>
#include <vector>

#include "slipway/store/store.h"
#include "store/sqlite.h"

namespace slipway::store {

[[nodiscard]] Result<void> save_backfill(Connection& connection, const run::Backfill& backfill);
// Those that have not ended, oldest first.
[[nodiscard]] Result<std::vector<run::Backfill>> load_open_backfills(Connection& connection);
[[nodiscard]] Result<std::vector<run::Backfill>> list_backfills(Connection& connection, const BackfillFilter& filter);
[[nodiscard]] Result<std::map<Instant, TickRun>> find_ticks(Connection& connection, const TickRange& range);

}  // namespace slipway::store
