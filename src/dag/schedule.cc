#include "slipway/dag/schedule.h"

#include "slipway/base/rng.h"

#include <algorithm>

#include "dag/cron_match.h"
#include "dag/zone_periods.h"

namespace slipway::dag {
namespace {

using std::chrono::seconds;

// The longest wait there is: a 29 February on a given weekday can be forty years away.
constexpr auto kHorizon = std::chrono::days(41 * 366);
// More than any two offsets of one zone have ever differed.
constexpr auto kOffsetSpan = std::chrono::hours(48);

// The wall time up to which the clocks had already shown every minute, or skipped it, before `period` began.
WallSeconds shown_before(const TimeZone& zone, const ZonePeriod& period) {
  WallSeconds shown = WallSeconds::min();
  for (auto begin = period.begin; begin > kEarliest && period.begin - begin < kOffsetSpan;) {
    const ZonePeriod earlier = period_at(zone, begin - seconds(1));
    shown = std::max(shown, earlier.wall_end());
    begin = earlier.begin;
  }
  return shown;
}

// Hours written as * or */n fire by elapsed time: each fold on its own, nothing for a gap. Other hours name a time of
// day, which comes once a day: in the first fold, or at the end of the gap that swallowed it.
struct Firings {
  const Cron& cron;
  const TimeZone& zone;

  [[nodiscard]] WallSeconds floor_of(const ZonePeriod& period, WallSeconds shown) const {
    return cron.hours_every ? period.wall_begin() : std::max(period.wall_begin(), shown);
  }
  [[nodiscard]] bool fires_at_begin_of(const ZonePeriod& period, WallSeconds shown) const {
    return !cron.hours_every && shown != WallSeconds::min() && first_match(cron, shown, period.wall_begin());
  }

  // The first firing in [from, period.end).
  [[nodiscard]] std::optional<SysSeconds> first(const ZonePeriod& period, SysSeconds from) const {
    const WallSeconds shown = shown_before(zone, period);
    if (from <= period.begin && fires_at_begin_of(period, shown)) return period.begin;
    const auto match = first_match(cron, std::max(floor_of(period, shown), period.wall(from)), period.wall_end());
    return match ? std::optional(period.instant(*match)) : std::nullopt;
  }
  // The last firing in [period.begin, limit).
  [[nodiscard]] std::optional<SysSeconds> last(const ZonePeriod& period, SysSeconds limit) const {
    const WallSeconds shown = shown_before(zone, period);
    if (const auto match = last_match(cron, floor_of(period, shown), period.wall(limit))) return period.instant(*match);
    return fires_at_begin_of(period, shown) ? std::optional(period.begin) : std::nullopt;
  }
};

std::optional<Instant> next_cron(const Schedule& schedule, SysSeconds from) {
  const Firings firings{schedule.cron, schedule.zone};
  const SysSeconds horizon = std::min(kLatest, from + kHorizon);
  while (from < horizon) {
    ZonePeriod period = period_at(schedule.zone, from);
    period.end = std::min(period.end, horizon);
    if (const auto tick = firings.first(period, from)) return *tick;
    from = period.end;
  }
  return std::nullopt;
}

std::optional<Instant> previous_cron(const Schedule& schedule, SysSeconds limit) {
  const Firings firings{schedule.cron, schedule.zone};
  const SysSeconds horizon = std::max(kEarliest, limit - kHorizon);
  while (limit > horizon) {
    const ZonePeriod period = period_at(schedule.zone, limit - seconds(1));
    if (const auto tick = firings.last(period, limit)) return *tick;
    limit = period.begin;
  }
  return std::nullopt;
}

// The last instant of `schedule`'s grid that is not after `instant`.
Instant grid_floor(const Schedule& schedule, Instant instant) {
  const Instant anchor = schedule.start.value_or(Instant{});
  const auto since = instant - anchor;
  const auto rest = since % schedule.every;
  return instant - (rest.count() < 0 ? rest + schedule.every : rest);
}

bool in_range(Instant instant) { return instant >= kEarliest && instant < kLatest; }

std::optional<Instant> next_unbounded(const Schedule& schedule, Instant after) {
  switch (schedule.kind) {
    case ScheduleKind::Cron: return next_cron(schedule, std::chrono::floor<seconds>(after) + seconds(1));
    case ScheduleKind::Every: return grid_floor(schedule, after) + schedule.every;
    case ScheduleKind::Once:
    case ScheduleKind::Continuous:
    case ScheduleKind::Datasets: return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace

std::optional<Instant> next_tick(const Schedule& schedule, Instant after) {
  SLIPWAY_ASSERT(schedule.kind != ScheduleKind::Every || schedule.every.count() > 0);
  const Instant floor = schedule.start ? std::max(after, *schedule.start - Duration(1)) : after;
  if (!in_range(floor)) return std::nullopt;
  const auto tick = next_unbounded(schedule, floor);
  return tick && (!schedule.end || *tick <= *schedule.end) ? tick : std::nullopt;
}

std::optional<Instant> previous_tick(const Schedule& schedule, Instant before) {
  SLIPWAY_ASSERT(schedule.kind != ScheduleKind::Every || schedule.every.count() > 0);
  const Instant limit = schedule.end ? std::min(before, *schedule.end + Duration(1)) : before;
  if (!in_range(limit)) return std::nullopt;
  switch (schedule.kind) {
    case ScheduleKind::Cron: return previous_cron(schedule, std::chrono::ceil<seconds>(limit));
    case ScheduleKind::Every: return grid_floor(schedule, limit - Duration(1));
    case ScheduleKind::Once:
    case ScheduleKind::Continuous:
    case ScheduleKind::Datasets: return std::nullopt;
  }
  return std::nullopt;
}

Instant start_of_tick(const Schedule& schedule, const DagId& dag, Instant tick) {
  if (schedule.jitter <= Duration(0)) return tick;
  Rng rng(stable_hash(dag.str() + "|" + schedule.name + "|" + std::to_string(to_micros(tick))));
  return tick + Duration(static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(schedule.jitter.count()))));
}

}  // namespace slipway::dag
