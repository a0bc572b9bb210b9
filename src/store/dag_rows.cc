#include "store/dag_rows.h"

namespace slipway::store {
namespace {

constexpr std::string_view kInsertVersion = R"(
  INSERT INTO dag_version (id, dag, file, text, first_seen, files) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING)";
constexpr std::string_view kVersionById = R"(
  SELECT id, dag, file, text, first_seen, files FROM dag_version WHERE id = ?)";

constexpr std::string_view kVersionsOfDag = R"(
  SELECT id, dag, file, text, first_seen, files FROM dag_version WHERE dag = ? ORDER BY first_seen DESC, id LIMIT ?)";

constexpr std::string_view kSaveDag = R"(
  INSERT INTO dag (id, version, paused, present, cursors, error, file, seen) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT (id) DO UPDATE SET
    version = excluded.version, paused = excluded.paused, present = excluded.present, cursors = excluded.cursors,
    error = excluded.error, file = excluded.file, seen = excluded.seen)";
constexpr std::string_view kDags = R"(
  SELECT id, version, paused, present, cursors, error, file, seen FROM dag ORDER BY id)";

constexpr std::string_view kSaveVar = R"(
  INSERT INTO var (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value)";
constexpr std::string_view kDeleteVar = "DELETE FROM var WHERE name = ?";
constexpr std::string_view kVars = "SELECT name, value FROM var ORDER BY name";

constexpr std::string_view kSaveService = R"(
  INSERT INTO service (name, dag, revision, url, logical_date, deployed_at, rollback_to)
  VALUES (?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT (name) DO UPDATE SET
    dag = excluded.dag, revision = excluded.revision, url = excluded.url, logical_date = excluded.logical_date,
    deployed_at = excluded.deployed_at, rollback_to = excluded.rollback_to)";
constexpr std::string_view kDeleteService = "DELETE FROM service WHERE name = ?";
constexpr std::string_view kServices = R"(
  SELECT name, dag, revision, url, logical_date, deployed_at, rollback_to FROM service ORDER BY name)";

constexpr std::string_view kSaveNotice = R"(
  INSERT INTO notice (id, target, kind, at, data) VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING)";
constexpr std::string_view kDeleteNotice = "DELETE FROM notice WHERE id = ?";
constexpr std::string_view kNotices = "SELECT id, target, kind, at, data FROM notice ORDER BY at, id";

constexpr std::string_view kSavePool = R"(
  INSERT INTO pool (name, slots, description) VALUES (?, ?, ?)
  ON CONFLICT (name) DO UPDATE SET slots = excluded.slots, description = excluded.description)";
constexpr std::string_view kDeletePool = "DELETE FROM pool WHERE name = ?";
constexpr std::string_view kPools = "SELECT name, slots, description FROM pool ORDER BY name";

constexpr std::string_view kSaveShare = R"(
  INSERT INTO share (pool, dag, virtual_time, as_of) VALUES (?, ?, ?, ?)
  ON CONFLICT (pool, dag) DO UPDATE SET virtual_time = excluded.virtual_time, as_of = excluded.as_of)";
constexpr std::string_view kShares = "SELECT pool, dag, virtual_time, as_of FROM share ORDER BY pool, dag";

constexpr std::string_view kSaveBlob = R"(
  INSERT INTO blob (space, name, bytes) VALUES (?, ?, ?)
  ON CONFLICT (space, name) DO UPDATE SET bytes = excluded.bytes)";
constexpr std::string_view kDeleteBlob = "DELETE FROM blob WHERE space = ? AND name = ?";
constexpr std::string_view kBlobs = "SELECT name, bytes FROM blob WHERE space = ? ORDER BY name";

constexpr std::string_view kNextBootEpoch = R"(
  UPDATE meta SET value = value + 1 WHERE name = 'boot_epoch' RETURNING value)";

constexpr std::string_view kSaveMeta = R"(
  INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value)";
constexpr std::string_view kClock = R"(
  SELECT boot.value, wall.value FROM meta AS boot, meta AS wall
  WHERE boot.name = 'clock_boot' AND wall.name = 'clock_wall_offset')";

Value to_json(const std::map<std::string, Instant>& cursors) {
  Value::Object object;
  for (const auto& [schedule, instant] : cursors) object.emplace(schedule, to_rfc3339(instant));
  return Value(std::move(object));
}

std::map<std::string, Instant> cursors_from(Row& row) {
  std::map<std::string, Instant> cursors;
  const Value value = row.json();
  if (!value.is_object()) {
    row.complain("no object");
    return cursors;
  }
  for (const auto& [schedule, text] : value.as_object()) {
    const auto instant = parse_rfc3339(text.is_string() ? text.as_string() : "");
    if (instant) {
      cursors.emplace(schedule, *instant);
    } else {
      row.complain(instant.error().message);
    }
  }
  return cursors;
}

Value to_json(const std::map<std::string, std::map<std::string, std::int64_t>>& seen) {
  Value::Object object;
  for (const auto& [schedule, counts] : seen)
    for (const auto& [uri, count] : counts) object[schedule][uri] = count;
  return Value(std::move(object));
}

std::map<std::string, std::map<std::string, std::int64_t>> seen_from(Row& row) {
  std::map<std::string, std::map<std::string, std::int64_t>> seen;
  const Value value = row.json();
  if (!value.is_object()) {
    row.complain("no object");
    return seen;
  }
  for (const auto& [schedule, counts] : value.as_object())
    if (counts.is_object())
      for (const auto& [uri, count] : counts.as_object())
        count.is_int() ? void(seen[schedule][uri] = count.as_int()) : row.complain("no count of updates");
  return seen;
}

Value to_json(const std::map<std::string, std::string>& files) {
  Value::Object object;
  for (const auto& [name, text] : files) object.emplace(name, text);
  return Value(std::move(object));
}

std::map<std::string, std::string> files_from(Row& row) {
  std::map<std::string, std::string> files;
  const Value value = row.json();
  if (!value.is_object()) {
    row.complain("no object");
    return files;
  }
  for (const auto& [name, text] : value.as_object())
    text.is_string() ? void(files.emplace(name, text.as_string())) : row.complain("no text of a file");
  return files;
}

DagVersion version_from(Row& row) {
  return DagVersion{.id = row.id<VersionId>(),
                    .dag = row.id<DagId>(),
                    .file = row.text(),
                    .text = row.text(),
                    .first_seen = row.instant(),
                    .files = files_from(row)};
}

DagRow dag_from(Row& row) {
  return DagRow{.id = row.id<DagId>(),
                .version = row.id<VersionId>(),
                .paused = row.integer() != 0,
                .present = row.integer() != 0,
                .cursors = cursors_from(row),
                .error = row.text(),
                .file = row.text(),
                .seen = seen_from(row)};
}

AttemptId revision_from(Row& row) {
  const std::string text = row.text();
  const auto id = AttemptId::parse(text);
  if (!id) row.complain("`" + text + "` names no attempt");
  return id.value_or(AttemptId{});
}

Service service_from(Row& row) {
  return Service{.name = row.id<ServiceId>(),
                 .dag = row.id<DagId>(),
                 .revision = revision_from(row),
                 .url = row.text(),
                 .logical_date = row.instant(),
                 .deployed_at = row.instant(),
                 .rollback_to = row.id<RunId>()};
}

}  // namespace

Result<void> insert_version(Connection& connection, const DagVersion& version) {
  return connection.query(kInsertVersion)
      .bind(version.id, version.dag, version.file, version.text, version.first_seen, to_json(version.files))
      .run();
}

Result<DagVersion> load_version(Connection& connection, const VersionId& id) {
  std::optional<DagVersion> version;
  SLIPWAY_TRY(connection.query(kVersionById).bind(id).each([&](Row& row) { version = version_from(row); }));
  if (!version) return Error{ErrorCode::NotFound, "there is no DAG version " + id.str(), {}};
  return *std::move(version);
}

Result<std::vector<DagVersion>> load_versions(Connection& connection, const DagId& dag, int limit) {
  std::vector<DagVersion> versions;
  SLIPWAY_TRY(
      connection.query(kVersionsOfDag).bind(dag, limit).each([&](Row& row) { versions.push_back(version_from(row)); }));
  return versions;
}

Result<void> save_dag(Connection& connection, const DagRow& dag) {
  return connection.query(kSaveDag)
      .bind(dag.id, dag.version, dag.paused, dag.present, to_json(dag.cursors), dag.error, dag.file, to_json(dag.seen))
      .run();
}

Result<std::vector<DagRow>> load_dags(Connection& connection) {
  std::vector<DagRow> dags;
  SLIPWAY_TRY(connection.query(kDags).each([&](Row& row) { dags.push_back(dag_from(row)); }));
  return dags;
}

Result<void> save_var(Connection& connection, const std::string& name, const std::optional<Value>& value) {
  if (!value) return connection.query(kDeleteVar).bind(name).run();
  return connection.query(kSaveVar).bind(name, *value).run();
}

Result<Value> load_vars(Connection& connection) {
  Result<Value> vars = Value(Value::Object{});
  SLIPWAY_TRY(connection.query(kVars).each([&](Row& row) {
    const auto name = row.text();
    vars.value()[name] = row.json();
  }));
  return vars;
}

Result<void> save_service(Connection& connection, const Service& service) {
  return connection.query(kSaveService)
      .bind(service.name, service.dag, service.revision.str(), service.url, service.logical_date, service.deployed_at,
            service.rollback_to)
      .run();
}

Result<void> delete_service(Connection& connection, const ServiceId& name) {
  return connection.query(kDeleteService).bind(name).run();
}

Result<std::vector<Service>> load_services(Connection& connection) {
  std::vector<Service> services;
  SLIPWAY_TRY(connection.query(kServices).each([&](Row& row) { services.push_back(service_from(row)); }));
  return services;
}

Result<void> save_notice(Connection& connection, const run::Notice& notice) {
  return connection.query(kSaveNotice)
      .bind(notice.id, notice.target, run::kNoticeKinds.text(notice.kind), notice.at, notice.data)
      .run();
}

Result<void> delete_notice(Connection& connection, const std::string& id) {
  return connection.query(kDeleteNotice).bind(id).run();
}

Result<std::vector<run::Notice>> load_notices(Connection& connection) {
  std::vector<run::Notice> notices;
  SLIPWAY_TRY(connection.query(kNotices).each([&](Row& row) {
    notices.push_back({.id = row.text(),
                       .target = row.text(),
                       .kind = row.word(run::kNoticeKinds),
                       .at = row.instant(),
                       .data = row.json()});
  }));
  return notices;
}

Result<void> save_pool(Connection& connection, const PoolId& name, const std::optional<run::Pool>& pool) {
  if (!pool) return connection.query(kDeletePool).bind(name).run();
  return connection.query(kSavePool).bind(name, pool->slots, pool->description).run();
}

Result<std::map<PoolId, run::Pool>> load_pools(Connection& connection) {
  std::map<PoolId, run::Pool> pools;
  SLIPWAY_TRY(connection.query(kPools).each([&](Row& row) {
    auto name = row.id<PoolId>();
    pools.emplace(std::move(name), run::Pool{.slots = static_cast<int>(row.integer()), .description = row.text()});
  }));
  return pools;
}

Result<void> save_share(Connection& connection, const run::Share& share) {
  return connection.query(kSaveShare).bind(share.pool, share.dag, share.virtual_time_us, share.as_of).run();
}

Result<std::vector<run::Share>> load_shares(Connection& connection) {
  std::vector<run::Share> shares;
  SLIPWAY_TRY(connection.query(kShares).each([&](Row& row) {
    shares.push_back(run::Share{
        .pool = row.id<PoolId>(), .dag = row.id<DagId>(), .virtual_time_us = row.integer(), .as_of = row.instant()});
  }));
  return shares;
}

Result<void> save_blob(Connection& connection, const BlobName& blob, const std::optional<std::string>& bytes) {
  if (!bytes) return connection.query(kDeleteBlob).bind(blob.space, blob.name).run();
  return connection.query(kSaveBlob).bind(blob.space, blob.name, Bytes{*bytes}).run();
}

Result<std::map<std::string, std::string>> load_blobs(Connection& connection, const std::string& space) {
  std::map<std::string, std::string> blobs;
  SLIPWAY_TRY(connection.query(kBlobs).bind(space).each([&](Row& row) {
    auto name = row.text();
    blobs.emplace(std::move(name), row.bytes());
  }));
  return blobs;
}

Result<void> save_clock(Connection& connection, const ClockAnchor& clock) {
  SLIPWAY_TRY(connection.query(kSaveMeta).bind(std::string("clock_boot"), static_cast<std::int64_t>(clock.boot)).run());
  return connection.query(kSaveMeta)
      .bind(std::string("clock_wall_offset"), static_cast<std::int64_t>(clock.wall_offset.count()))
      .run();
}

Result<std::optional<ClockAnchor>> load_clock(Connection& connection) {
  std::optional<ClockAnchor> clock;
  SLIPWAY_TRY(connection.query(kClock).each([&](Row& row) {
    const auto boot = static_cast<std::uint64_t>(row.integer());
    clock = ClockAnchor{boot, Duration(row.integer())};
  }));
  return clock;
}

Result<std::uint64_t> next_boot_epoch(Connection& connection) {
  std::uint64_t epoch = 0;
  SLIPWAY_TRY(
      connection.query(kNextBootEpoch).each([&](Row& row) { epoch = static_cast<std::uint64_t>(row.integer()); }));
  return epoch;
}

}  // namespace slipway::store
