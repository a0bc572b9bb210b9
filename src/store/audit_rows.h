// Rows of audit.
#pragma once

#include <optional>
#include <vector>

#include "slipway/store/store.h"
#include "store/sqlite.h"

namespace slipway::store {

// Appends, in order, each chained to the one before.
[[nodiscard]] Result<void> append_audit(Connection& connection, const std::vector<AuditEntry>& entries);
[[nodiscard]] Result<std::vector<AuditEntry>> list_audit(Connection& connection, std::optional<std::uint64_t> before,
                                                         int limit);
// Finds the first entry that is missing or does not follow from the one before.
[[nodiscard]] Result<void> check_audit(Connection& connection, std::vector<Finding>& findings);

}  // namespace slipway::store
