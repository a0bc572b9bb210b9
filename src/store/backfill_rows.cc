#include "store/backfill_rows.h"

#include <algorithm>

namespace slipway::store {
namespace {

using run::kBackfillStates;
using run::kReprocess;
using run::kRunStates;

constexpr std::string_view kSave = R"(
  INSERT INTO backfill (id, dag, schedule, first, last, reverse, max_active, reprocess, params, created_at, state,
                        reason, next, ticks, created, cleared, left_alone, succeeded, failed, cancelled, ended_at)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT (id) DO UPDATE SET
    state = excluded.state, reason = excluded.reason, next = excluded.next, created = excluded.created,
    cleared = excluded.cleared, left_alone = excluded.left_alone, succeeded = excluded.succeeded,
    failed = excluded.failed, cancelled = excluded.cancelled, ended_at = excluded.ended_at)";

constexpr std::string_view kSelect = R"(
  SELECT id, dag, schedule, first, last, reverse, max_active, reprocess, params, created_at, state, reason, next, ticks,
         created, cleared, left_alone, succeeded, failed, cancelled, ended_at
  FROM backfill )";
// Bounds of the primary key make both the keyset cursor and the prefix.
constexpr std::string_view kPage = R"(
  WHERE id >= ?1 AND id < ?2 AND (?4 = '' OR dag = ?4) AND (?5 = '' OR state = ?5) ORDER BY id DESC LIMIT ?3)";

constexpr std::string_view kRunsOfTicks = R"(
  SELECT logical_date, id, state FROM run
  WHERE dag = ? AND schedule = ? AND logical_date BETWEEN ? AND ? AND trigger_kind IN ('schedule', 'backfill'))";

int count_from(Row& row) { return static_cast<int>(row.integer()); }

// Initialisers in braces run in order, which is that of the columns.
run::Backfill backfill_from(Row& row) {
  return run::Backfill{.id = row.text(),
                       .dag = row.id<DagId>(),
                       .schedule = row.text(),
                       .first = row.instant(),
                       .last = row.instant(),
                       .reverse = row.integer() != 0,
                       .max_active = count_from(row),
                       .reprocess = row.word(kReprocess),
                       .params = row.json(),
                       .created_at = row.instant(),
                       .state = row.word(kBackfillStates),
                       .reason = row.text(),
                       .next = row.maybe_instant(),
                       .ticks = count_from(row),
                       .created = count_from(row),
                       .cleared = count_from(row),
                       .left = count_from(row),
                       .succeeded = count_from(row),
                       .failed = count_from(row),
                       .cancelled = count_from(row),
                       .ended_at = row.maybe_instant()};
}

Result<std::vector<run::Backfill>> backfills_of(Query& query) {
  std::vector<run::Backfill> found;
  SLIPWAY_TRY(query.each([&](Row& row) { found.push_back(backfill_from(row)); }));
  return found;
}

}  // namespace

Result<void> save_backfill(Connection& connection, const run::Backfill& b) {
  return connection.query(kSave)
      .bind(b.id, b.dag, b.schedule, b.first, b.last, b.reverse, b.max_active, kReprocess.text(b.reprocess), b.params,
            b.created_at, kBackfillStates.text(b.state), b.reason, b.next, b.ticks, b.created, b.cleared, b.left,
            b.succeeded, b.failed, b.cancelled, b.ended_at)
      .run();
}

Result<std::vector<run::Backfill>> load_open_backfills(Connection& connection) {
  auto query = connection.query(std::string(kSelect) + "WHERE ended_at IS NULL ORDER BY id");
  return backfills_of(query);
}

Result<std::vector<run::Backfill>> list_backfills(Connection& connection, const BackfillFilter& filter) {
  std::string end = filter.id_prefix + "\x7f";  // after every id that starts so; ids are ASCII
  if (!filter.before.empty()) end = std::min(end, filter.before);
  auto query = connection.query(std::string(kSelect) + std::string(kPage));
  query.bind(filter.id_prefix, end, std::max(filter.limit, 0), filter.dag ? filter.dag->str() : std::string(),
             filter.state ? kBackfillStates.text(*filter.state) : std::string_view());
  return backfills_of(query);
}

Result<std::map<Instant, TickRun>> find_ticks(Connection& connection, const TickRange& range) {
  std::map<Instant, TickRun> found;
  SLIPWAY_TRY(
      connection.query(kRunsOfTicks).bind(range.dag, range.schedule, range.first, range.last).each([&](Row& row) {
        const Instant tick = row.instant();
        auto id = row.id<RunId>();
        found.emplace(tick, TickRun{std::move(id), row.word(kRunStates)});
      }));
  return found;
}

}  // namespace slipway::store
