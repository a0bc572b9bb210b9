#include "store/check.h"

#include <string>

#include "store/dag_rows.h"
#include "store/run_rows.h"

namespace slipway::store {
namespace {

// How many lines of SQLite's own checks are kept; one is enough to distrust the file.
constexpr std::string_view kIntegrity = "PRAGMA integrity_check(20)";
constexpr std::string_view kQuick = "PRAGMA quick_check(20)";
constexpr std::string_view kReferences = "PRAGMA foreign_key_check";

// The first difference, in words; empty if there is none.
std::string difference(const run::Run& folded, const run::Run& rows) {
  if (folded == rows) return {};
  if (folded.tasks.size() != rows.tasks.size()) return "number of task instances";
  if (folded.attempts.size() != rows.attempts.size()) return "number of attempts";
  for (const auto& [key, instance] : folded.tasks) {
    const auto row = rows.tasks.find(key);
    if (row == rows.tasks.end() || !(row->second == instance)) return "task instance " + key.str();
  }
  for (const auto& [id, attempt] : folded.attempts) {
    const auto row = rows.attempts.find(id);
    if (row == rows.attempts.end() || !(row->second == attempt)) return "attempt " + id.str();
  }
  return folded.header == rows.header ? "summary" : "header";
}

// SQLite's own checks; one that cannot even be carried out has found something.
Result<void> lines_of(Connection& connection, std::string_view check, std::vector<Finding>& findings) {
  const auto done = connection.query(check).each([&](Row& row) {
    if (auto line = row.text(); line != "ok") findings.push_back({"the database file is sound", std::move(line)});
  });
  if (done || done.error().code != ErrorCode::Corrupt) return done;
  findings.push_back({"the database file is sound", done.error().message});
  return {};
}

// A row or event that cannot be read is a finding; a disk that cannot be read ends the check.
template <class T>
Result<std::optional<T>> readable(Result<T> result, std::string_view invariant, std::vector<Finding>& findings) {
  if (result) return std::optional<T>(*std::move(result));
  const Error& error = result.error();
  if (error.code != ErrorCode::Corrupt && error.code != ErrorCode::NotFound) return error;
  findings.push_back({std::string(invariant), error.message});
  return std::optional<T>();
}

}  // namespace

Result<void> quick_check_file(Connection& connection, std::vector<Finding>& findings) {
  return lines_of(connection, kQuick, findings);
}

Result<void> check_file(Connection& connection, std::vector<Finding>& findings) {
  SLIPWAY_TRY(lines_of(connection, kIntegrity, findings));
  return connection.query(kReferences).each([&](Row& row) {
    findings.push_back({"every row belongs to a run", "a row of " + row.text() + " does not"});
  });
}

Result<void> check_run(Connection& connection, const RunId& id, std::vector<Finding>& findings) {
  SLIPWAY_TRY_ASSIGN(const auto folded, readable(fold_run(connection, id), "events are gap-free and legal", findings));
  SLIPWAY_TRY_ASSIGN(const auto rows, readable(load_run(connection, id), "rows can be read", findings));
  if (!folded || !rows) return {};
  if (const auto what = difference(*folded, *rows); !what.empty())
    findings.push_back({"state = fold of events", "run " + id.str() + ": " + what + " differs"});
  SLIPWAY_TRY(readable(load_version(connection, rows->header.version), "every run has its DAG version", findings));
  return {};
}

}  // namespace slipway::store
