// A zone as what it is: stretches of time with one offset each. Everything about daylight saving follows from their
// seams.
#pragma once

#include <chrono>

#include "slipway/dag/schedule.h"

namespace slipway::dag {

// Seconds since 1970-01-01T00:00:00 as the clocks of the zone show them.
using WallSeconds = std::chrono::local_seconds;
using SysSeconds = std::chrono::sys_seconds;

// Instants outside [kEarliest, kLatest) are no business of a scheduler; period ends are cut to them.
inline constexpr SysSeconds kEarliest = std::chrono::sys_days(std::chrono::year(1800) / 1 / 1);
inline constexpr SysSeconds kLatest = std::chrono::sys_days(std::chrono::year(2400) / 1 / 1);

// [begin, end), during which wall time = UTC + offset.
struct ZonePeriod {
  SysSeconds begin;
  SysSeconds end;
  std::chrono::seconds offset;

  [[nodiscard]] WallSeconds wall(SysSeconds instant) const {
    return WallSeconds((instant + offset).time_since_epoch());
  }
  [[nodiscard]] SysSeconds instant(WallSeconds wall) const { return SysSeconds(wall.time_since_epoch() - offset); }
  [[nodiscard]] WallSeconds wall_begin() const { return wall(begin); }
  [[nodiscard]] WallSeconds wall_end() const { return wall(end); }
};

// The period that holds `instant`, which is within [kEarliest, kLatest).
[[nodiscard]] ZonePeriod period_at(const TimeZone& zone, SysSeconds instant);

}  // namespace slipway::dag
