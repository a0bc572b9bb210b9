// The schema: numbered scripts, forward only, each applied in one transaction.
#pragma once

#include <span>
#include <string>

#include "store/sqlite.h"

namespace slipway::store {

// Marks a file as ours ("slwy").
inline constexpr std::int64_t kApplicationId = 0x736c7779;

struct Migration {
  const char* name;  // "0001_initial"
  const char* sql;
};

// migrations/*.sql in order; number i+1 leads from schema i to i+1.
[[nodiscard]] std::span<const Migration> migrations();

// The schema of a database, 0 for an empty one. Corrupt: the file belongs to another program.
[[nodiscard]] Result<int> schema_version(Connection& connection);

// Unsupported, with the cure: the database is newer than this program knows.
[[nodiscard]] Error newer_schema(int version, int known);
// The copy that is made before a database of this schema is changed.
[[nodiscard]] std::string backup_before(const std::string& path, int version);

// Brings the database to the last of `steps`. An older, non-empty one is first copied to "<path>.schema-<n>.backup".
// A failed step leaves the schema before it. Unsupported: the database is newer than `steps`.
[[nodiscard]] Result<void> migrate(Connection& connection, const std::string& path, std::span<const Migration> steps);

}  // namespace slipway::store
