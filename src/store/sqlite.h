// SQLite behind three RAII types: Connection, Query, Transaction. No other file includes sqlite3.h.
// A connection and everything made from it belong to one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "slipway/base/enum_table.h"
#include "slipway/base/ids.h"
#include "slipway/base/result.h"
#include "slipway/base/time.h"
#include "slipway/base/value.h"

struct sqlite3;
struct sqlite3_stmt;

namespace slipway::store {

class Query;

struct ConnectionOptions {
  std::string path;
  bool read_only = false;
  std::string vfs;  // registered VFS to go through, for fault tests; empty = the machine's
};

class Connection final {
 public:
  // A writer creates the file if it is absent. Every setting is made here and nowhere else.
  static Result<std::unique_ptr<Connection>> open(const ConnectionOptions& options);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // A script of several statements without parameters.
  Result<void> execute(const char* script);
  // The prepared statement for `sql`, kept and reused; one Query per text may be alive at a time.
  [[nodiscard]] Query query(std::string_view sql);

  enum class Checkpoint : unsigned char { Passive, Truncate };
  // Moves pages from the log into the file. Busy readers leave some behind, which is no error.
  Result<void> checkpoint(Checkpoint mode);
  // Pages in the write-ahead log after the last commit of this connection.
  [[nodiscard]] int log_pages() const { return log_pages_; }

  // Rows that the last statement inserted, updated or deleted.
  [[nodiscard]] std::int64_t changed_rows() const;

  // A consistent copy of the whole database as of now, on disk when this returns; `path` is replaced atomically.
  Result<void> copy_to(const std::string& path);

 private:
  friend class Query;
  friend class Transaction;
  Connection() = default;
  Result<void> configure(bool read_only);
  [[nodiscard]] Error error(int code, std::string_view what) const;
  static int on_commit(void* self, sqlite3* db, const char* name, int pages);

  sqlite3* db_ = nullptr;
  std::map<std::string, sqlite3_stmt*, std::less<>> statements_;
  std::string vfs_;
  int log_pages_ = 0;
};

// The current row of a query; columns are taken from left to right. Text that does not have its form (JSON, an enum's
// word) reads as a default and leaves a problem, which ends the query with error Corrupt.
class Row final {
 public:
  explicit Row(sqlite3_stmt* statement) : statement_(statement) {}

  [[nodiscard]] std::int64_t integer();
  [[nodiscard]] std::string text();
  [[nodiscard]] std::string bytes() { return text(); }
  [[nodiscard]] Instant instant() { return from_micros(integer()); }
  [[nodiscard]] std::optional<int> maybe_integer();
  [[nodiscard]] std::optional<Instant> maybe_instant();
  [[nodiscard]] Value json();
  template <class Identifier>
  [[nodiscard]] Identifier id() {
    return Identifier(text());
  }
  template <class E, std::size_t N>
  [[nodiscard]] E word(const EnumTable<E, N>& table) {
    const std::string word = text();
    const auto value = table.parse(word);
    if (!value) complain("`" + word + "` is no word of its table");
    return value.value_or(E{});
  }

  void complain(std::string problem);
  [[nodiscard]] Result<void> ok() const;

 private:
  [[nodiscard]] bool is_null() const;

  sqlite3_stmt* statement_;
  int column_ = 0;
  std::string problem_;
};

// Bytes bound as BLOB; text is bound as TEXT.
struct Bytes {
  std::string_view bytes;
};

// One execution of a prepared statement. Errors of preparing and binding come out of the first step.
class Query final {
 public:
  ~Query();
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;

  template <class... Values>
  Query& bind(const Values&... values) {
    int index = 0;
    (put(++index, values), ...);
    return *this;
  }

  // For statements without rows.
  Result<void> run();
  // Calls visit(Row&) for every row.
  template <class Visit>
  Result<void> each(Visit visit) {
    for (;;) {
      SLIPWAY_TRY_ASSIGN(const bool more, step());
      if (!more) return {};
      Row row(statement_);
      visit(row);
      SLIPWAY_TRY(row.ok());
    }
  }

 private:
  friend class Connection;
  Query(Connection& connection, sqlite3_stmt* statement, int code)
      : connection_(connection), statement_(statement), code_(code) {}

  Result<bool> step();
  void put(int index, std::int64_t value);
  void put(int index, int value) { put(index, std::int64_t{value}); }
  void put(int index, std::uint64_t value) { put(index, static_cast<std::int64_t>(value)); }
  void put(int index, bool value) { put(index, std::int64_t{value}); }
  void put(int index, std::string_view value);
  void put(int index, const std::string& value) { put(index, std::string_view(value)); }
  void put(int index, const char* value) = delete;
  void put(int index, Bytes value);
  void put(int index, Instant value) { put(index, to_micros(value)); }
  void put(int index, const Value& json) { put(index, json.dump()); }
  void put_null(int index);
  template <class Tag>
  void put(int index, const Id<Tag>& id) {
    put(index, id.str());
  }
  template <class T>
  void put(int index, const std::optional<T>& value) {
    if (value) return put(index, *value);
    put_null(index);
  }

  Connection& connection_;
  sqlite3_stmt* statement_;
  int code_;  // first failure so far
};

// BEGIN now, ROLLBACK on destruction unless committed.
class Transaction final {
 public:
  enum class Kind : unsigned char { Read, Write };
  // Read: a snapshot of this moment. Write: takes the write lock at once.
  static Result<std::unique_ptr<Transaction>> begin(Connection& connection, Kind kind);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  Result<void> commit();

 private:
  explicit Transaction(Connection& connection) : connection_(connection) {}

  Connection& connection_;
  bool open_ = true;
};

}  // namespace slipway::store
