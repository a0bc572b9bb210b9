#include "dag/cron_match.h"

#include <bit>

namespace slipway::dag {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::local_days;
using std::chrono::minutes;
using std::chrono::year_month_day;

bool has(std::uint64_t bits, unsigned index) { return ((bits >> index) & 1U) != 0; }

bool names_day(const Cron& cron, local_days day) {
  const year_month_day date(day);
  if (!has(cron.months, static_cast<unsigned>(date.month()))) return false;
  const bool of_month = has(cron.days, static_cast<unsigned>(date.day()));
  const bool of_week = has(cron.weekdays, std::chrono::weekday(day).c_encoding());
  return cron.days_restricted && cron.weekdays_restricted ? of_month || of_week : of_month && of_week;
}

// The lowest set bit at or above `from`, or -1.
int bit_from(std::uint64_t bits, int from) {
  const std::uint64_t rest = from > 63 ? 0 : bits >> from << from;
  return rest == 0 ? -1 : std::countr_zero(rest);
}
// The highest set bit at or below `to`, or -1.
int bit_to(std::uint64_t bits, int to) {
  const std::uint64_t rest = to < 0 ? 0 : bits << (63 - to) >> (63 - to);
  return rest == 0 ? -1 : 63 - std::countl_zero(rest);
}

// Minute of the day, or -1.
int first_in_day(const Cron& cron, int from) {
  const int minute = bit_from(cron.minutes, from % 60);
  if (minute >= 0 && has(cron.hours, static_cast<unsigned>(from / 60))) return from / 60 * 60 + minute;
  const int hour = bit_from(cron.hours, from / 60 + 1);
  return hour < 0 ? -1 : hour * 60 + bit_from(cron.minutes, 0);
}
int last_in_day(const Cron& cron, int to) {
  const int minute = bit_to(cron.minutes, to % 60);
  if (minute >= 0 && has(cron.hours, static_cast<unsigned>(to / 60))) return to / 60 * 60 + minute;
  const int hour = bit_to(cron.hours, to / 60 - 1);
  return hour < 0 ? -1 : hour * 60 + bit_to(cron.minutes, 59);
}

// The first day of the month after the one of `day`.
local_days next_month(local_days day) {
  const year_month_day date(day);
  return local_days((date.year() / date.month() + std::chrono::months(1)) / 1);
}
local_days month_before(local_days day) {
  const year_month_day date(day);
  return local_days(date.year() / date.month() / 1) - days(1);
}

bool names_month(const Cron& cron, local_days day) {
  return has(cron.months, static_cast<unsigned>(year_month_day(day).month()));
}

}  // namespace

std::optional<WallSeconds> first_match(const Cron& cron, WallSeconds from, WallSeconds limit) {
  const auto start = std::chrono::ceil<minutes>(from);
  auto day = std::chrono::floor<days>(start);
  int minute = static_cast<int>((start - day).count());
  while (WallSeconds(day) < limit) {
    const int found = names_day(cron, day) ? first_in_day(cron, minute) : -1;
    if (found >= 0) {
      const WallSeconds match = day + minutes(found);
      return match < limit ? std::optional(match) : std::nullopt;
    }
    day = names_month(cron, day) ? day + days(1) : next_month(day);
    minute = 0;
  }
  return std::nullopt;
}

std::optional<WallSeconds> last_match(const Cron& cron, WallSeconds from, WallSeconds limit) {
  const auto start = std::chrono::ceil<minutes>(limit) - minutes(1);
  auto day = std::chrono::floor<days>(start);
  int minute = static_cast<int>((start - day).count());
  while (WallSeconds(day + days(1)) > from) {
    const int found = names_day(cron, day) ? last_in_day(cron, minute) : -1;
    if (found >= 0) {
      const WallSeconds match = day + minutes(found);
      return match >= from ? std::optional(match) : std::nullopt;
    }
    day = names_month(cron, day) ? day - days(1) : month_before(day);
    minute = 24 * 60 - 1;
  }
  return std::nullopt;
}

}  // namespace slipway::dag
