// Copies of the database, out and back.
#include <cerrno>
#include <cstdio>
#include <filesystem>

#include "slipway/base/failpoint.h"
#include "slipway/base/file.h"
#include "slipway/store/sqlite_store.h"
#include "store/check.h"
#include "store/migrations.h"
#include "store/sqlite.h"

namespace slipway::store {
namespace {

Result<std::unique_ptr<Connection>> open_existing(const std::string& path) {
  if (!std::filesystem::exists(path)) return Error{ErrorCode::NotFound, path + " does not exist", {}};
  return Connection::open({.path = path, .read_only = true, .vfs = {}});
}

// A damaged or foreign file must not replace a database that may be better than it.
Result<void> check_backup(Connection& backup) {
  SLIPWAY_TRY_ASSIGN(const int version, schema_version(backup));
  const int known = static_cast<int>(migrations().size());
  if (version < 1 || version > known)
    return Error{version < 1 ? ErrorCode::Corrupt : ErrorCode::Unsupported,
                 "the backup has schema " + std::to_string(version) + ", this slipway knows schemas 1 to " +
                     std::to_string(known),
                 {}};
  std::vector<Finding> findings;
  SLIPWAY_TRY(check_file(backup, findings));
  if (findings.empty()) return {};
  return Error{ErrorCode::Corrupt, "the backup is damaged: " + findings.front().detail, "choose another one"};
}

Result<void> move_if_there(const std::string& from, const std::string& to) {
  if (std::rename(from.c_str(), to.c_str()) == 0 || errno == ENOENT) return {};
  return errno_error("cannot rename " + from, errno);
}

}  // namespace

Result<void> backup_sqlite(const std::string& source, const std::string& target) {
  SLIPWAY_TRY_ASSIGN(const auto connection, open_existing(source));
  SLIPWAY_TRY(schema_version(*connection));
  reach(Failpoint::BackupBegin);
  SLIPWAY_TRY(connection->copy_to(target));
  reach(Failpoint::BackupCopied);
  return sync_to_disk(std::filesystem::absolute(target).parent_path());
}

Result<void> restore_sqlite(const std::string& source, const std::string& path) {
  SLIPWAY_TRY_ASSIGN(const auto backup, open_existing(source));
  if (auto sound = check_backup(*backup); !sound) return sound.error().in(source);
  const std::string fresh = path + ".restored";
  SLIPWAY_TRY(backup->copy_to(fresh));
  // The log goes with its database: beside another one it would be replayed into it. A log whose database is gone is
  // deleted by SQLite, so a crash between these steps leaves an empty home and the files to try again with.
  SLIPWAY_TRY(move_if_there(path, path + ".before-restore"));
  SLIPWAY_TRY(move_if_there(path + "-wal", path + ".before-restore-wal"));
  SLIPWAY_TRY(move_if_there(path + "-shm", path + ".before-restore-shm"));
  if (std::rename(fresh.c_str(), path.c_str()) != 0) return errno_error("cannot rename " + fresh, errno);
  return sync_to_disk(std::filesystem::absolute(path).parent_path());
}

}  // namespace slipway::store
