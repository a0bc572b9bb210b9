// When a DAG runs by itself: cron expressions and intervals, and the instants they stand for. Pure: the zone data is
// loaded once, by TimeZones, and carried as a value.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "slipway/base/enum_table.h"
#include "slipway/base/ids.h"
#include "slipway/base/result.h"
#include "slipway/base/source_span.h"
#include "slipway/base/time.h"
#include "slipway/base/value.h"

namespace slipway::dag {

// A loaded IANA zone; copies share the immutable rules. Default: UTC.
class TimeZone {
 public:
  TimeZone();
  [[nodiscard]] const std::string& name() const;
  struct Rules;  // private to time_zone.cc
  explicit TimeZone(std::shared_ptr<const Rules> rules);
  [[nodiscard]] const Rules& rules() const { return *rules_; }

 private:
  std::shared_ptr<const Rules> rules_;
};

// Loads "Europe/Paris" from the system's zone database. NotFound with the nearest known name in `help` otherwise.
[[nodiscard]] Result<TimeZone> load_time_zone(const std::string& name);

// "2024-11-01T01:00:00+01:00": the instant as the clocks of `zone` show it; a fraction only where there is one.
[[nodiscard]] std::string to_rfc3339(Instant instant, const TimeZone& zone);

// A parsed five-field cron expression. Bit i of a field is set where the value i matches.
struct Cron {
  std::uint64_t minutes = 0;         // 0-59
  std::uint32_t hours = 0;           // 0-23
  std::uint32_t days = 0;            // 1-31
  std::uint32_t months = 0;          // 1-12
  std::uint32_t weekdays = 0;        // 0-6, Sunday = 0 (7 is read as 0)
  bool days_restricted = false;      // the field did not begin with *
  bool weekdays_restricted = false;  // both restricted: either may match
  bool hours_every = false;          // hour field * or */n: each fold of a DST change fires, gaps do not
  std::string text;                  // as written, or the preset

  bool operator==(const Cron&) const = default;
};

// Five fields with names, ranges, steps and lists, or @hourly @daily @weekly @monthly @quarterly @yearly (@midnight,
// @annually). The error names the field, the offending part and what the field takes.
[[nodiscard]] Result<Cron> parse_cron(std::string_view text);

enum class ScheduleKind : unsigned char { Cron, Every, Once, Continuous, Datasets };
enum class Missed : unsigned char { Last, None, All };
inline constexpr EnumTable<Missed, 3> kMissed{{{
    {Missed::Last, "last", "the latest missed tick fires, the others are recorded"},
    {Missed::None, "none", "missed ticks are recorded only"},
    {Missed::All, "all", "missed ticks fire, oldest first, at most max_missed"},
}}};
enum class Overlap : unsigned char { Queue, Skip, Cancel };
inline constexpr EnumTable<Overlap, 3> kOverlaps{{{
    {Overlap::Queue, "queue", "the new run waits; one waits at most unless missed is all"},
    {Overlap::Skip, "skip", "the tick is recorded, no run is made"},
    {Overlap::Cancel, "cancel", "the active run is cancelled, the new one starts after it"},
}}};

struct Schedule {
  std::string name;  // as written, or a hash of kind, expression and zone
  ScheduleKind kind = ScheduleKind::Cron;
  Cron cron;                          // kind Cron
  Duration every{0};                  // kind Every: aligned to start, else to the Unix epoch
  std::vector<std::string> datasets;  // kind Datasets: URIs, sorted, no duplicates; a run when each was updated
  TimeZone zone;
  std::optional<Instant> start;   // first possible tick, inclusive
  std::optional<Instant> end;     // last possible tick, inclusive
  std::optional<Duration> grace;  // how late a tick may still fire; default min(1 h, half the interval)
  Missed missed = Missed::Last;
  int max_missed = 100;
  Overlap overlap = Overlap::Queue;
  Duration jitter{
      0};        // a run starts less than so much after its tick, by an amount that follows from DAG, entry and tick
  Value params;  // object, over the DAG's defaults
  SourceSpan span;
};

// The first tick strictly after `after`, within [start, end]; nullopt if there is none (no parsed cron is silent for 41
// years). Once, Continuous and Datasets have none by time. Rules across DST changes: docs/dag-format.md, "Time".
[[nodiscard]] std::optional<Instant> next_tick(const Schedule& schedule, Instant after);
// The last tick strictly before `before`, ignoring `start`; for interval_start.
[[nodiscard]] std::optional<Instant> previous_tick(const Schedule& schedule, Instant before);

// When the run of a tick is made: the tick and a delay below `jitter`, which is the same whenever it is asked for, so
// that neither a restart nor an unpausing draws again.
[[nodiscard]] Instant start_of_tick(const Schedule& schedule, const DagId& dag, Instant tick);

}  // namespace slipway::dag
