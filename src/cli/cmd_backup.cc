// db backup, db restore: copies of a home's database, out and back.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <ostream>

#include "cli/exit_code.h"
#include "cli/print.h"
#include "cli/process.h"
#include "cli/session.h"
#include "cli/verbs.h"
#include "slipway/store/home.h"
#include "slipway/store/sqlite_store.h"

namespace slipway::cli {
namespace {

std::string database(const Session& session) { return session.home() + "/slipway.db"; }

// While a daemon holds the home it alone copies; the copy is then brought to where it is wanted.
Result<void> backup_through_daemon(Session& session, const std::string& file) {
  SLIPWAY_TRY_ASSIGN(const auto reply, session.call("POST", "/db/backup"));
  const std::string made = reply.get_string("file");
  SLIPWAY_TRY(store::backup_sqlite(made, file));
  std::remove(made.c_str());
  return {};
}

Result<void> backup_here(const Session& session, const std::string& file) {
  if (!std::filesystem::exists(database(session)))
    return Error{ErrorCode::NotFound, "there is no database in " + session.home(), "name its home with --home"};
  SLIPWAY_TRY_ASSIGN(const auto lock, store::HomeLock::acquire(session.home()));
  return store::backup_sqlite(database(session), file);
}

int backup(Session& session, const std::string& file) {
  const auto done = running_daemon(session.home()) ? backup_through_daemon(session, file) : backup_here(session, file);
  if (!done) return session.fail(done.error());
  print_file(session, file);
  return kOk;
}

int restore(Session& session, const std::string& file) {
  const auto lock = store::HomeLock::acquire(session.home());
  if (!lock) return session.fail(lock.error());
  const auto done = store::restore_sqlite(file, database(session));
  if (!done) return session.fail(done.error());
  if (!session.globals.quiet)
    session.err << "restored; what was there before is in " << database(session) << ".before-restore\n";
  return kOk;
}

}  // namespace

Handler setup_db_backup(CLI::App& app) {
  auto file = std::make_shared<std::string>();
  app.add_option("file", *file, "where to write it; an existing file is replaced")->required();
  return [file](Session& session) { return backup(session, absolute_path(*file)); };
}

Handler setup_db_restore(CLI::App& app) {
  auto file = std::make_shared<std::string>();
  app.add_option("file", *file, "a backup made by `slipway db backup`")->required();
  return [file](Session& session) { return restore(session, absolute_path(*file)); };
}

}  // namespace slipway::cli
