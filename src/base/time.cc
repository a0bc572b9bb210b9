#include "slipway/base/time.h"

#include <array>
#include <cctype>
#include <cmath>
#include <cstdio>

namespace slipway {
namespace {

struct Unit {
  std::string_view name;
  std::int64_t micros;
};
// Falling order, which parse_duration demands.
constexpr std::array<Unit, 6> kUnits{
    {{"d", 86'400'000'000}, {"h", 3'600'000'000}, {"m", 60'000'000}, {"s", 1'000'000}, {"ms", 1'000}, {"us", 1}}};

Error bad(std::string_view what, std::string_view text, std::string_view help) {
  return {ErrorCode::InvalidArgument, "`" + std::string(text) + "` is no " + std::string(what), std::string(help)};
}

// Reads exactly `width` digits at the front of `text`, or returns -1.
int take_digits(std::string_view& text, std::size_t width) {
  if (text.size() < width) return -1;
  int number = 0;
  for (std::size_t i = 0; i < width; ++i) {
    if (text[i] < '0' || text[i] > '9') return -1;
    number = number * 10 + (text[i] - '0');
  }
  text.remove_prefix(width);
  return number;
}

bool take(std::string_view& text, char c) {
  if (text.empty() || text.front() != c) return false;
  text.remove_prefix(1);
  return true;
}

// The fraction's digits as micros; further digits are cut. -1 if there is none.
std::int64_t take_fraction(std::string_view& text) {
  std::int64_t micros = 0;
  std::size_t digits = 0;
  for (; digits < text.size() && text[digits] >= '0' && text[digits] <= '9'; ++digits)
    if (digits < 6) micros = micros * 10 + (text[digits] - '0');
  if (digits == 0 || digits > 9) return -1;
  text.remove_prefix(digits);
  for (; digits < 6; ++digits) micros *= 10;
  return micros;
}

// "Z", "+01:00" or "-0530" as minutes east of UTC.
std::optional<int> take_offset(std::string_view& text) {
  if (take(text, 'Z') || take(text, 'z')) return 0;
  const int sign = take(text, '+') ? 1 : take(text, '-') ? -1 : 0;
  const int hours = sign == 0 ? -1 : take_digits(text, 2);
  take(text, ':');
  const int minutes = hours < 0 ? -1 : take_digits(text, 2);
  if (minutes < 0 || hours > 23 || minutes > 59) return std::nullopt;
  return sign * (hours * 60 + minutes);
}

}  // namespace

std::string to_rfc3339(Instant instant) {
  const auto day = std::chrono::floor<std::chrono::days>(instant);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(instant - day);
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, "%04d-%02u-%02uT%02d:%02d:%02d.%06dZ", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()), static_cast<int>(clock.subseconds().count()));
  return buffer;
}

Result<Instant> parse_rfc3339(std::string_view text) {
  constexpr std::string_view kHelp = "write 2024-11-01 or 2024-11-01T06:30:00Z";
  const std::string_view whole = text;
  const int year = take_digits(text, 4);
  const bool dash1 = take(text, '-');
  const int month = take_digits(text, 2);
  const bool dash2 = take(text, '-');
  const int day = take_digits(text, 2);
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (year < 0 || !dash1 || !dash2 || month < 0 || day < 0 || !date.ok()) return bad("date", whole, kHelp);
  const Instant midnight = std::chrono::sys_days(date);
  if (text.empty()) return midnight;
  if (!take(text, 'T') && !take(text, 't') && !take(text, ' ')) return bad("instant", whole, kHelp);
  const int hour = take_digits(text, 2);
  const bool colon1 = take(text, ':');
  const int minute = take_digits(text, 2);
  const bool colon2 = take(text, ':');
  const int second = take_digits(text, 2);
  std::int64_t fraction = 0;
  if (take(text, '.')) fraction = take_fraction(text);
  const auto offset = take_offset(text);
  if (!colon1 || !colon2 || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60 ||
      fraction < 0 || !offset || !text.empty())
    return bad("instant", whole, kHelp);
  return midnight + std::chrono::hours(hour) + std::chrono::minutes(minute - *offset) + std::chrono::seconds(second) +
         Duration(fraction);
}

Result<Duration> parse_duration(std::string_view text) {
  constexpr std::string_view kHelp = "write numbers with units in falling order, such as 30s, 10m, 1h30m, 2d";
  constexpr std::int64_t kMax = 36'500LL * 86'400'000'000LL;
  const std::string_view whole = text;
  double total = 0;
  std::size_t next_unit = 0;
  if (text.empty()) return bad("duration", whole, kHelp);
  while (!text.empty()) {
    double number = 0;
    std::size_t digits = 0;
    for (; !text.empty() && std::isdigit(static_cast<unsigned char>(text.front())) != 0;
         text.remove_prefix(1), ++digits)
      number = number * 10 + (text.front() - '0');
    if (digits == 0 || digits > 12) return bad("duration", whole, kHelp);
    if (take(text, '.')) {
      const auto fraction = take_fraction(text);
      if (fraction < 0) return bad("duration", whole, kHelp);
      number += static_cast<double>(fraction) / 1e6;
    }
    std::size_t length = 0;
    while (length < text.size() && std::isalpha(static_cast<unsigned char>(text[length])) != 0) ++length;
    std::size_t unit = next_unit;
    while (unit < kUnits.size() && kUnits[unit].name != text.substr(0, length)) ++unit;
    if (unit == kUnits.size()) return bad("duration", whole, kHelp);
    total += number * static_cast<double>(kUnits[unit].micros);
    next_unit = unit + 1;
    text.remove_prefix(length);
  }
  if (total > static_cast<double>(kMax)) return bad("duration of at most 100 years", whole, kHelp);
  return Duration(std::llround(total));
}

std::string to_text(Duration duration) {
  std::int64_t rest = duration.count();
  if (rest == 0) return "0s";
  std::string out = rest < 0 ? "-" : "";
  rest = rest < 0 ? -rest : rest;
  for (const Unit& unit : kUnits) {
    if (rest < unit.micros) continue;
    out += std::to_string(rest / unit.micros) + std::string(unit.name);
    rest %= unit.micros;
  }
  return out;
}

double to_seconds(Duration duration) { return static_cast<double>(duration.count()) / 1e6; }

}  // namespace slipway
