#include "store/migrations.h"

namespace slipway::store {
namespace {

Result<std::int64_t> single_integer(Connection& connection, std::string_view sql) {
  std::int64_t value = 0;
  SLIPWAY_TRY(connection.query(sql).each([&](Row& row) { value = row.integer(); }));
  return value;
}

Result<void> apply(Connection& connection, const Migration& step, std::size_t number) {
  SLIPWAY_TRY_ASSIGN(const auto transaction, Transaction::begin(connection, Transaction::Kind::Write));
  SLIPWAY_TRY(connection.execute(step.sql));
  const std::string stamp =
      "PRAGMA application_id = " + std::to_string(kApplicationId) + "; PRAGMA user_version = " + std::to_string(number);
  SLIPWAY_TRY(connection.execute(stamp.c_str()));
  return transaction->commit();
}

}  // namespace

Result<int> schema_version(Connection& connection) {
  SLIPWAY_TRY_ASSIGN(const auto application, single_integer(connection, "PRAGMA application_id"));
  SLIPWAY_TRY_ASSIGN(const auto version, single_integer(connection, "PRAGMA user_version"));
  SLIPWAY_TRY_ASSIGN(const auto objects, single_integer(connection, "SELECT COUNT(*) FROM sqlite_schema"));
  const bool empty = application == 0 && version == 0 && objects == 0;
  if (!empty && application != kApplicationId)
    return Error{ErrorCode::Corrupt, "the file is the database of another program", "choose another home"};
  return static_cast<int>(version);
}

Error newer_schema(int version, int known) {
  return {ErrorCode::Unsupported,
          "the database has schema " + std::to_string(version) + ", this slipway knows schemas up to " +
              std::to_string(known),
          "run the newer slipway, or restore the backup made before the upgrade"};
}

std::string backup_before(const std::string& path, int version) {
  return path + ".schema-" + std::to_string(version) + ".backup";
}

Result<void> migrate(Connection& connection, const std::string& path, std::span<const Migration> steps) {
  SLIPWAY_TRY_ASSIGN(const int version, schema_version(connection));
  const auto known = static_cast<int>(steps.size());
  if (version > known) return newer_schema(version, known);
  if (version > 0 && version < known) SLIPWAY_TRY(connection.copy_to(backup_before(path, version)));
  for (int number = version + 1; number <= known; ++number) {
    const Migration& step = steps[static_cast<std::size_t>(number - 1)];
    if (auto applied = apply(connection, step, static_cast<std::size_t>(number)); !applied)
      return applied.error().in(std::string("migration ") + step.name);
  }
  return {};
}

}  // namespace slipway::store
