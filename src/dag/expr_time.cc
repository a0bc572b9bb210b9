// Functions on instants, which are RFC 3339 text: "2024-11-01", "2024-11-01T06:30:00Z", "2024-11-01T07:30:00+01:00".
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>

#include "dag/expr_functions.h"
#include "dag/quoted.h"
#include "slipway/base/diagnostics.h"
#include "slipway/base/time.h"

namespace slipway::dag {
namespace {

using std::chrono::days;

struct Moment {
  Instant instant;
  int offset_minutes = 0;  // of the clock it was written for
  bool date_only = false;

  [[nodiscard]] Instant wall() const { return instant + std::chrono::minutes(offset_minutes); }
};

// Four-digit years, which is all that RFC 3339 can write.
constexpr Instant kFirst = std::chrono::sys_days(std::chrono::year(0) / 1 / 1);
constexpr Instant kLast = std::chrono::sys_days(std::chrono::year(10'000) / 1 / 1) - Duration(1);

template <class... Numbers>
std::string print(const char* format, Numbers... numbers) {
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, format, static_cast<int>(numbers)...);
  return buffer;
}

Result<Moment> parse_moment(const std::string& text) {
  auto instant = parse_rfc3339(text);
  if (!instant) return expression_error(instant.error().message, instant.error().help);
  Moment moment{*instant, 0, text.size() == 10};
  const auto sign = text.find_first_of("+-", 10);
  if (sign != std::string::npos) {
    const auto digit = [&](std::size_t from_end) { return text[text.size() - from_end] - '0'; };
    const bool colon = text[text.size() - 3] == ':';
    const int hours = colon ? digit(5) * 10 + digit(4) : digit(4) * 10 + digit(3);
    moment.offset_minutes = (hours * 60 + digit(2) * 10 + digit(1)) * (text[sign] == '-' ? -1 : 1);
  }
  if (moment.wall() < kFirst || moment.wall() > kLast)
    return expression_error(quoted(text) + " is outside the years 0000-9999");
  return moment;
}

std::string offset_text(int minutes) {
  if (minutes == 0) return "Z";
  return (minutes < 0 ? "-" : "+") + print("%02d:%02d", std::abs(minutes) / 60, std::abs(minutes) % 60);
}

std::string to_text(const Moment& moment) {
  std::string text = to_rfc3339(moment.wall());
  if (moment.date_only && text.ends_with("T00:00:00.000000Z")) return text.substr(0, 10);
  text.resize(text.ends_with(".000000Z") ? text.size() - 8 : text.size() - 1);
  return text + offset_text(moment.offset_minutes);
}

constexpr std::array<const char*, 12> kMonths{"January", "February", "March",     "April",   "May",      "June",
                                              "July",    "August",   "September", "October", "November", "December"};
constexpr std::array<const char*, 7> kWeekdays{"Sunday",   "Monday", "Tuesday", "Wednesday",
                                               "Thursday", "Friday", "Saturday"};

struct IsoWeek {
  int year;
  int week;
};
// ISO 8601: a week belongs to the year that has its Thursday.
IsoWeek iso_week(std::chrono::sys_days day) {
  const auto thursday = day + days(4 - static_cast<int>(std::chrono::weekday(day).iso_encoding()));
  const auto year = std::chrono::year_month_day(thursday).year();
  return {static_cast<int>(year), static_cast<int>((thursday - std::chrono::sys_days(year / 1 / 1)).count()) / 7 + 1};
}

// The text for one letter behind %, or nothing for an unknown letter.
std::optional<std::string> conversion(char letter, const Moment& moment) {
  const auto day = std::chrono::floor<days>(moment.wall());
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(moment.wall() - day);
  const std::chrono::weekday weekday(day);
  const auto month = static_cast<unsigned>(date.month());
  switch (letter) {
    case 'Y': return print("%04d", static_cast<int>(date.year()));
    case 'm': return print("%02d", month);
    case 'd': return print("%02d", static_cast<unsigned>(date.day()));
    case 'H': return print("%02d", clock.hours().count());
    case 'M': return print("%02d", clock.minutes().count());
    case 'S': return print("%02d", clock.seconds().count());
    case 'f': return print("%06d", clock.subseconds().count());
    case 'y': return print("%02d", static_cast<int>(date.year()) % 100);
    case 'j': return print("%03d", (day - std::chrono::sys_days(date.year() / 1 / 1)).count() + 1);
    case 'B': return kMonths[month - 1];
    case 'b': return std::string(kMonths[month - 1]).substr(0, 3);
    case 'A': return kWeekdays[weekday.c_encoding()];
    case 'a': return std::string(kWeekdays[weekday.c_encoding()]).substr(0, 3);
    case 'u': return print("%d", weekday.iso_encoding());
    case 'w': return print("%d", weekday.c_encoding());
    case 'G': return print("%04d", iso_week(day).year);
    case 'V': return print("%02d", iso_week(day).week);
    case 'F': return to_rfc3339(moment.wall()).substr(0, 10);
    case 'T': return to_rfc3339(moment.wall()).substr(11, 8);
    case 's':
      return std::to_string(std::chrono::floor<std::chrono::seconds>(moment.instant).time_since_epoch().count());
    case 'z':
      return (moment.offset_minutes < 0 ? "-" : "+") +
             print("%02d%02d", std::abs(moment.offset_minutes) / 60, std::abs(moment.offset_minutes) % 60);
    case '%': return "%";
    default: return std::nullopt;
  }
}

struct NamedFormat {
  std::string_view name;
  std::string_view format;
};
constexpr std::array<NamedFormat, 6> kNamedFormats{{{"date", "%F"},
                                                    {"time", "%T"},
                                                    {"datetime", "%F %T"},
                                                    {"compact", "%Y%m%dT%H%M%S"},
                                                    {"week", "%G-W%V"},
                                                    {"unix", "%s"}}};

Result<std::string_view> format_named(std::string_view format) {
  if (format.find('%') != std::string_view::npos) return format;
  std::vector<std::string> names;
  std::string list;
  for (const NamedFormat& row : kNamedFormats) {
    if (row.name == format) return row.format;
    names.emplace_back(row.name);
    list += (list.empty() ? "" : ", ") + std::string(row.name);
  }
  const auto close = nearest(format, names);
  return expression_error(quoted(format) + " is no time format",
                          close ? "did you mean `" + *close + "`?" : "write %Y %m %d …, or one of " + list);
}

}  // namespace

Result<Value> call_format_time(Arguments arguments) {
  SLIPWAY_TRY_ASSIGN(const Moment moment, parse_moment(arguments[0]->as_string()));
  SLIPWAY_TRY_ASSIGN(const std::string_view format, format_named(arguments[1]->as_string()));
  std::string out;
  for (std::size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%') {
      out += format[i];
      continue;
    }
    const auto text = ++i < format.size() ? conversion(format[i], moment) : std::nullopt;
    if (!text)
      return expression_error(
          "`%" + std::string(format.substr(std::min(i, format.size()), 1)) + "` is no part of a time",
          "the parts are %Y %m %d %H %M %S %f %y %j %B %b %A %a %u %w %G %V %F %T %s %z %%");
    out += *text;
    if (out.size() > kResultBytesMax) return too_large_error();
  }
  return Value(std::move(out));
}

Result<Value> call_add_time(Arguments arguments) {
  SLIPWAY_TRY_ASSIGN(Moment moment, parse_moment(arguments[0]->as_string()));
  std::string_view text = arguments[1]->as_string();
  const bool back = text.starts_with('-');
  if (back) text.remove_prefix(1);
  const auto duration = parse_duration(text);
  if (!duration) return expression_error(duration.error().message, duration.error().help + "; `-` in front goes back");
  moment.instant += back ? -*duration : *duration;
  if (moment.wall() < kFirst || moment.wall() > kLast) return expression_error("`add_time` leaves the years 0000-9999");
  return Value(to_text(moment));
}

}  // namespace slipway::dag
