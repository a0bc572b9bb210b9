// The store on SQLite, one file "slipway.db" in the home, with its write-ahead log beside it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "slipway/base/result.h"
#include "slipway/store/store.h"

namespace slipway::store {

struct SqliteOptions {
  std::string vfs;               // registered SQLite VFS to go through, for fault tests; empty = the machine's
  int checkpoint_pages = 1'000;  // log length after which commit() moves pages into the database file
};

// Opens or creates the database at `path` and brings its schema up to date, after a copy to
// "<path>.schema-<n>.backup" if it is an older one. The caller holds the HomeLock. Errors: Unsupported (newer schema,
// or a file system without a write-ahead log), Corrupt (no database, or another program's), Io.
[[nodiscard]] Result<std::unique_ptr<Store>> open_sqlite(const std::string& path, const SqliteOptions& options = {});

// The database at `path` for reading, beside a daemon that writes it; every change fails (Io). NotFound, Unsupported
// (another schema than this program's; of an older one with the cure).
[[nodiscard]] Result<std::unique_ptr<Store>> look_at_sqlite(const std::string& path);

// From one schema to another.
struct Upgrade {
  int from = 0, to = 0;
  std::vector<std::string> steps;  // names of migrations, in order; empty if the schema is the newest
  std::string backup;              // the copy made before; empty without steps
};
// What open_sqlite() would do to the schema of the database at `path`. NotFound, Corrupt, Unsupported (newer schema).
[[nodiscard]] Result<Upgrade> plan_upgrade(const std::string& path);
// Does it. The caller holds the HomeLock.
[[nodiscard]] Result<Upgrade> upgrade_sqlite(const std::string& path);

// Copies the database at `source` to `target` (replaced atomically), consistent as of now, on disk when this returns.
// Any thread, also while a daemon writes `source`.
[[nodiscard]] Result<void> backup_sqlite(const std::string& source, const std::string& target);

// Puts the backup at `source` in the place of the database at `path`, which is kept as "<path>.before-restore" with its
// log. The caller holds the HomeLock. Errors leave the database as it was: NotFound, Corrupt (no sound database of
// ours), Unsupported (newer schema), Io.
[[nodiscard]] Result<void> restore_sqlite(const std::string& source, const std::string& path);

}  // namespace slipway::store
