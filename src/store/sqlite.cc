#include "store/sqlite.h"

#include <sqlite3.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <limits>
#include <utility>

namespace slipway::store {
namespace {

// auto_vacuum comes first: it can be chosen only while the file has no page.
// secure_delete FAST: Debian builds default to ON, which rewrites freed pages.
constexpr const char* kWriterSettings = R"(
  PRAGMA auto_vacuum = INCREMENTAL;
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  PRAGMA wal_autocheckpoint = 0;
  PRAGMA journal_size_limit = 67108864;
  PRAGMA secure_delete = FAST;
  PRAGMA foreign_keys = ON;
)";
constexpr const char* kSharedSettings = R"(
  PRAGMA trusted_schema = OFF;
  PRAGMA cell_size_check = ON;
  PRAGMA mmap_size = 0;
)";
constexpr int kBusyTimeoutMs = 5'000;

ErrorCode error_code(int extended) {
  if (extended == SQLITE_CONSTRAINT_UNIQUE) return ErrorCode::Conflict;
  switch (extended & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return ErrorCode::Corrupt;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM: return ErrorCode::Io;
    case SQLITE_FULL:
    case SQLITE_READONLY:
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return ErrorCode::Unavailable;
    case SQLITE_TOOBIG: return ErrorCode::TooLarge;
    default: return ErrorCode::Internal;
  }
}

// A write that was refused before it took anything, and that somebody can cure while the daemon runs.
bool may_be_tried_again(int extended, int system_error) {
  if ((extended & 0xff) == SQLITE_FULL || (extended & 0xff) == SQLITE_READONLY) return true;
  return extended == SQLITE_IOERR_WRITE && (system_error == EROFS || system_error == EDQUOT || system_error == EACCES ||
                                            system_error == EPERM || system_error == ENOSPC);
}

}  // namespace

// --- Connection

Result<std::unique_ptr<Connection>> Connection::open(const ConnectionOptions& options) {
  std::unique_ptr<Connection> connection(new Connection());
  connection->vfs_ = options.vfs;
  const int access = options.read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  const int code = sqlite3_open_v2(options.path.c_str(), &connection->db_, access | SQLITE_OPEN_NOMUTEX,
                                   options.vfs.empty() ? nullptr : options.vfs.c_str());
  if (code != SQLITE_OK) return connection->error(code, "cannot open " + options.path);
  if (auto configured = connection->configure(options.read_only); !configured)
    return configured.error().in("opening " + options.path);
  return connection;
}

Connection::~Connection() {
  for (const auto& [text, statement] : statements_) sqlite3_finalize(statement);
  sqlite3_close(db_);
}

Result<void> Connection::configure(bool read_only) {
  sqlite3_extended_result_codes(db_, 1);
  sqlite3_busy_timeout(db_, kBusyTimeoutMs);
  sqlite3_db_config(db_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  SLIPWAY_TRY(execute(kSharedSettings));
  if (read_only) {
    sqlite3_db_config(db_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
    return execute("PRAGMA wal_autocheckpoint = 0");
  }
  SLIPWAY_TRY(execute(kWriterSettings));
  std::string mode;
  SLIPWAY_TRY(query("PRAGMA journal_mode").each([&](Row& row) { mode = row.text(); }));
  if (mode != "wal")
    return Error{ErrorCode::Unsupported,
                 "the file system does not support a write-ahead log (journal mode " + mode + ")",
                 "put the home on a local file system"};
  sqlite3_wal_hook(db_, &Connection::on_commit, this);
  return {};
}

int Connection::on_commit(void* self, sqlite3*, const char*, int pages) {
  static_cast<Connection*>(self)->log_pages_ = pages;
  return SQLITE_OK;
}

Error Connection::error(int code, std::string_view what) const {
  std::string message(what);
  message += std::string(": ") + (db_ == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(db_));
  const int extended = db_ == nullptr ? code : sqlite3_extended_errcode(db_);
  if (db_ != nullptr && may_be_tried_again(extended, sqlite3_system_errno(db_)))
    return Error{ErrorCode::Unavailable, message,
                 (extended & 0xff) == SQLITE_FULL ? "free some space on the file system of the home"
                                                  : "make the home writable again"};
  return Error{error_code(extended), message, {}};
}

Result<void> Connection::execute(const char* script) {
  const int code = sqlite3_exec(db_, script, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return error(code, "database");
  return {};
}

Query Connection::query(std::string_view sql) {
  auto found = statements_.find(sql);
  if (found == statements_.end()) {
    sqlite3_stmt* statement = nullptr;
    const int code = sqlite3_prepare_v3(db_, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT,
                                        &statement, nullptr);
    if (code != SQLITE_OK) return Query(*this, nullptr, code);
    found = statements_.emplace(sql, statement).first;
  }
  SLIPWAY_ASSERT(sqlite3_stmt_busy(found->second) == 0);
  return Query(*this, found->second, SQLITE_OK);
}

Result<void> Connection::checkpoint(Checkpoint mode) {
  const int how = mode == Checkpoint::Passive ? SQLITE_CHECKPOINT_PASSIVE : SQLITE_CHECKPOINT_TRUNCATE;
  // Truncating waits for readers through the busy handler; nobody should wait for that.
  sqlite3_busy_timeout(db_, 0);
  int in_log = 0;
  int moved = 0;
  const int code = sqlite3_wal_checkpoint_v2(db_, nullptr, how, &in_log, &moved);
  sqlite3_busy_timeout(db_, kBusyTimeoutMs);
  if (code != SQLITE_OK && code != SQLITE_BUSY) return error(code, "checkpoint");
  if (in_log == moved) log_pages_ = 0;
  return {};
}

std::int64_t Connection::changed_rows() const { return sqlite3_changes64(db_); }

Result<void> Connection::copy_to(const std::string& path) {
  const std::string unfinished = path + ".tmp";
  std::remove(unfinished.c_str());
  Connection target;
  const int opened = sqlite3_open_v2(unfinished.c_str(), &target.db_, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                                     vfs_.empty() ? nullptr : vfs_.c_str());
  if (opened != SQLITE_OK) return target.error(opened, "cannot write " + unfinished);
  SLIPWAY_TRY(target.execute("PRAGMA synchronous = FULL"));
  sqlite3_backup* backup = sqlite3_backup_init(target.db_, "main", db_, "main");
  if (backup == nullptr) return target.error(sqlite3_errcode(target.db_), "backup");
  sqlite3_backup_step(backup, -1);  // one step, so the copy is of one moment; finish reports what went wrong
  if (const int code = sqlite3_backup_finish(backup); code != SQLITE_OK) return target.error(code, "backup");
  if (std::rename(unfinished.c_str(), path.c_str()) != 0) return errno_error("cannot rename " + unfinished, errno);
  return {};
}

// --- Row

bool Row::is_null() const { return sqlite3_column_type(statement_, column_) == SQLITE_NULL; }

std::int64_t Row::integer() { return sqlite3_column_int64(statement_, column_++); }

std::string Row::text() {
  const int column = column_++;
  const void* data = sqlite3_column_blob(statement_, column);
  const int size = sqlite3_column_bytes(statement_, column);
  return data == nullptr ? std::string() : std::string(static_cast<const char*>(data), static_cast<std::size_t>(size));
}

std::optional<int> Row::maybe_integer() {
  const bool absent = is_null();
  const auto value = integer();
  return absent ? std::nullopt : std::optional<int>(static_cast<int>(value));
}

std::optional<Instant> Row::maybe_instant() {
  const bool absent = is_null();
  const auto value = instant();
  return absent ? std::nullopt : std::optional<Instant>(value);
}

Value Row::json() {
  auto value = parse_json(text(), JsonLimits{.bytes_max = std::numeric_limits<std::size_t>::max(), .depth_max = 256});
  if (value) return *std::move(value);
  complain(value.error().message);
  return {};
}

void Row::complain(std::string problem) {
  if (problem_.empty())
    problem_ = std::string("column ") + sqlite3_column_name(statement_, column_ - 1) + ": " + std::move(problem);
}

Result<void> Row::ok() const {
  if (problem_.empty()) return {};
  return Error{ErrorCode::Corrupt, problem_, "restore a backup (slipway db restore)"};
}

// --- Query

Query::~Query() {
  if (statement_ == nullptr) return;
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

Result<bool> Query::step() {
  if (code_ != SQLITE_OK) return connection_.error(code_, "database");
  code_ = sqlite3_step(statement_);
  if (code_ != SQLITE_ROW && code_ != SQLITE_DONE) return connection_.error(code_, "database");
  return std::exchange(code_, SQLITE_OK) == SQLITE_ROW;
}

Result<void> Query::run() {
  SLIPWAY_TRY_ASSIGN(const bool row, step());
  SLIPWAY_ASSERT(!row);
  return {};
}

void Query::put(int index, std::int64_t value) {
  if (code_ == SQLITE_OK) code_ = sqlite3_bind_int64(statement_, index, value);
}

void Query::put(int index, std::string_view value) {
  if (code_ == SQLITE_OK)
    code_ = sqlite3_bind_text64(statement_, index, value.data() == nullptr ? "" : value.data(), value.size(),
                                SQLITE_TRANSIENT, SQLITE_UTF8);
}

void Query::put(int index, Bytes value) {
  if (code_ == SQLITE_OK)
    code_ = sqlite3_bind_blob64(statement_, index, value.bytes.data() == nullptr ? "" : value.bytes.data(),
                                value.bytes.size(), SQLITE_TRANSIENT);
}

void Query::put_null(int index) {
  if (code_ == SQLITE_OK) code_ = sqlite3_bind_null(statement_, index);
}

// --- Transaction

Result<std::unique_ptr<Transaction>> Transaction::begin(Connection& connection, Kind kind) {
  SLIPWAY_TRY(connection.query(kind == Kind::Write ? "BEGIN IMMEDIATE" : "BEGIN").run());
  std::unique_ptr<Transaction> transaction(new Transaction(connection));
  // A read transaction takes its snapshot with the first read, not with BEGIN.
  if (kind == Kind::Read) SLIPWAY_TRY(connection.query("SELECT COUNT(*) FROM sqlite_schema").each([](Row&) {}));
  return transaction;
}

Transaction::~Transaction() {
  if (!open_ || sqlite3_get_autocommit(connection_.db_) != 0) return;
  // Nothing can be done about a failed rollback: the log simply keeps no commit record.
  (void)connection_.query("ROLLBACK").run();
}

Result<void> Transaction::commit() {
  SLIPWAY_TRY(connection_.query("COMMIT").run());
  open_ = false;
  return {};
}

}  // namespace slipway::store
