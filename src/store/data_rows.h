// Rows of dataset and cache.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "slipway/store/store.h"
#include "store/sqlite.h"

namespace slipway::store {

[[nodiscard]] Result<void> save_dataset(Connection& connection, const std::string& uri, const run::Dataset& dataset);
[[nodiscard]] Result<std::map<std::string, run::Dataset>> load_datasets(Connection& connection);

// Replaces the entry of the same key. The attempt's row exists already.
[[nodiscard]] Result<void> save_cached(Connection& connection, const CacheEntry& entry);
// The entry of the key, else the newest of the task, else nullopt.
[[nodiscard]] Result<std::optional<CacheEntry>> find_cached(Connection& connection, const std::string& key,
                                                            const DagId& dag, const TaskKey& task);

}  // namespace slipway::store
