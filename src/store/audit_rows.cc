#include "store/audit_rows.h"

#include "slipway/base/sha256.h"

namespace slipway::store {
namespace {

constexpr std::string_view kInsert =
    "INSERT INTO audit (seq, at, token, actor, action, outcome, hash) VALUES (?, ?, ?, ?, ?, ?, ?)";
constexpr std::string_view kPage = R"(
  SELECT seq, at, token, actor, action, outcome, hash FROM audit WHERE seq < ? ORDER BY seq DESC LIMIT ?)";
constexpr std::string_view kAll = "SELECT seq, at, token, actor, action, outcome, hash FROM audit ORDER BY seq";

AuditEntry entry_from(Row& row) {
  return AuditEntry{.seq = static_cast<std::uint64_t>(row.integer()),
                    .at = row.instant(),
                    .token = row.text(),
                    .actor = row.text(),
                    .action = row.text(),
                    .outcome = row.text(),
                    .hash = row.text()};
}

}  // namespace

// A JSON array, so that no two entries are the same bytes.
std::string audit_hash(std::string_view previous, const AuditEntry& entry) {
  const Value hashed = Value::Array{std::string(previous), static_cast<std::int64_t>(entry.seq),
                                    to_micros(entry.at),   entry.token,
                                    entry.actor,           entry.action,
                                    entry.outcome};
  return sha256_hex(hashed.dump());
}

Result<void> append_audit(Connection& connection, const std::vector<AuditEntry>& entries) {
  if (entries.empty()) return {};
  SLIPWAY_TRY_ASSIGN(const auto newest, list_audit(connection, std::nullopt, 1));
  AuditEntry last = newest.empty() ? AuditEntry{} : newest.front();
  for (AuditEntry entry : entries) {
    entry.seq = last.seq + 1;
    entry.hash = audit_hash(last.hash, entry);
    SLIPWAY_TRY(connection.query(kInsert)
                    .bind(static_cast<std::int64_t>(entry.seq), entry.at, entry.token, entry.actor, entry.action,
                          entry.outcome, entry.hash)
                    .run());
    last = std::move(entry);
  }
  return {};
}

Result<std::vector<AuditEntry>> list_audit(Connection& connection, std::optional<std::uint64_t> before, int limit) {
  std::vector<AuditEntry> found;
  const auto end = before ? static_cast<std::int64_t>(*before) : INT64_MAX;
  SLIPWAY_TRY(connection.query(kPage).bind(end, limit).each([&](Row& row) { found.push_back(entry_from(row)); }));
  return found;
}

Result<void> check_audit(Connection& connection, std::vector<Finding>& findings) {
  AuditEntry last;
  bool broken = false;
  return connection.query(kAll).each([&](Row& row) {
    AuditEntry entry = entry_from(row);
    const bool follows = entry.seq == last.seq + 1 && entry.hash == audit_hash(last.hash, entry);
    if (!follows && !broken)
      findings.push_back({"the audit log is a chain", "entry " + std::to_string(entry.seq) +
                                                          " does not follow from entry " + std::to_string(last.seq)});
    broken = broken || !follows;
    last = std::move(entry);
  });
}

}  // namespace slipway::store
