// Ticks against a slow reading of the sentences in docs/dag-format.md, "Time": minute by minute, with glibc's clocks
// instead of ours. RC_PARAMS="max_success=10000" looks longer.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>
#include <time.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <set>

#include "slipway/dag/schedule.h"

namespace slipway::dag {
namespace {

constexpr std::int64_t kDay = 24 * 60;  // everything here counts minutes since the epoch

// The zone that glibc shows, while this lives.
class GlibcZone {
 public:
  explicit GlibcZone(const std::string& name) {
    setenv("TZ", name.c_str(), 1);
    tzset();
  }
  GlibcZone(const GlibcZone&) = delete;
  GlibcZone& operator=(const GlibcZone&) = delete;
  ~GlibcZone() {
    unsetenv("TZ");
    tzset();
  }

  // Minutes since the epoch as the zone's clocks show them.
  [[nodiscard]] std::int64_t wall(std::int64_t minute) const {
    const time_t seconds = minute * 60;
    tm shown{};
    localtime_r(&seconds, &shown);
    return minute + shown.tm_gmtoff / 60;
  }
};

// RapidCheck draws small numbers in its first cases; here every number is as good as any.
template <class T>
T in_range(T min, T end) {
  return *rc::gen::resize(rc::kNominalSize, rc::gen::inRange(min, end));
}

struct FieldText {
  std::string text;
  std::set<int> values;
};

struct CronText {
  FieldText minute, hour, day, month, weekday;
  [[nodiscard]] std::string text() const {
    return minute.text + " " + hour.text + " " + day.text + " " + month.text + " " + weekday.text;
  }
};

FieldText star(int min, int max, int step) {
  FieldText field{step == 1 ? "*" : "*/" + std::to_string(step), {}};
  for (int value = min; value <= max; value += step) field.values.insert(value);
  return field;
}

FieldText range(int low, int high) {
  FieldText field{std::to_string(low) + "-" + std::to_string(high), {}};
  for (int value = low; value <= high; ++value) field.values.insert(value);
  return field;
}

FieldText list(const std::set<int>& values) {
  FieldText field{"", values};
  for (const int value : values) field.text += (field.text.empty() ? "" : ",") + std::to_string(value);
  return field;
}

rc::Gen<FieldText> any_field(int min, int max) {
  return rc::gen::exec([=] {
    switch (in_range(0, 6)) {
      case 0:
      case 1: return star(min, max, 1);
      case 2: return star(min, max, in_range(1, max - min + 1));
      case 3: {
        const int low = in_range(min, max + 1);
        return range(low, in_range(low, max + 1));
      }
      default: {
        std::set<int> values{in_range(min, max + 1)};
        for (int more = in_range(0, 3); more > 0; --more) values.insert(in_range(min, max + 1));
        return list(values);
      }
    }
  });
}

rc::Gen<CronText> any_cron() {
  return rc::gen::exec([] {
    // Mostly every day, so that the seam is hit.
    const bool calendar = in_range(0, 3) == 0;
    const FieldText hour = in_range(0, 2) == 0 ? *any_field(0, 23) : list({in_range(0, 4), in_range(0, 24)});
    const FieldText all_days = star(1, 31, 1);
    const FieldText all_weekdays = star(0, 6, 1);
    return CronText{*any_field(0, 59), hour, calendar ? *any_field(1, 31) : all_days, star(1, 12, 1),
                    calendar ? *any_field(0, 6) : all_weekdays};
  });
}

bool matches(const CronText& cron, std::int64_t wall) {
  const time_t seconds = wall * 60;
  tm fields{};
  gmtime_r(&seconds, &fields);
  if (cron.minute.values.count(fields.tm_min) == 0 || cron.hour.values.count(fields.tm_hour) == 0) return false;
  if (cron.month.values.count(fields.tm_mon + 1) == 0) return false;
  const bool day = cron.day.values.count(fields.tm_mday) != 0;
  const bool weekday = cron.weekday.values.count(fields.tm_wday) != 0;
  const bool both_restricted = cron.day.text[0] != '*' && cron.weekday.text[0] != '*';
  return both_restricted ? day || weekday : day && weekday;
}

// What the clocks of a zone show at each minute of [from - 2 days, to).
struct Window {
  Window(const GlibcZone& zone, std::int64_t from_minute, std::int64_t to_minute) : from(from_minute), to(to_minute) {
    for (std::int64_t minute = begin(); minute < to; ++minute) walls.push_back(zone.wall(minute));
  }
  [[nodiscard]] std::int64_t begin() const { return from - 2 * kDay; }

  std::int64_t from;
  std::int64_t to;
  std::vector<std::int64_t> walls;
};

// The sentences, word by word, for ticks in [from, to).
std::vector<std::int64_t> expected_ticks(const CronText& cron, const Window& window) {
  const bool every_hour = cron.hour.text == "*" || cron.hour.text.rfind("*/", 0) == 0;
  std::vector<std::int64_t> ticks;
  std::set<std::int64_t> shown;
  std::int64_t last_wall = window.walls.front() - 1;
  std::int64_t minute = window.begin();
  for (const std::int64_t wall : window.walls) {
    const bool first_fold = shown.insert(wall).second;
    bool fires = matches(cron, wall) && (every_hour || first_fold);
    for (std::int64_t skipped = last_wall + 1; skipped < wall && !every_hour; ++skipped)
      fires = fires || (shown.count(skipped) == 0 && matches(cron, skipped));
    if (fires && minute >= window.from) ticks.push_back(minute);
    last_wall = wall;
    ++minute;
  }
  return ticks;
}

std::vector<std::string> zones() {
  std::vector<std::string> names;
  const std::filesystem::path root = "/usr/share/zoneinfo";
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
    const std::string name = entry.path().lexically_relative(root).string();
    if (entry.is_regular_file() && std::isupper(static_cast<unsigned char>(name[0])) &&
        name.find('.') == std::string::npos)
      names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

// A minute of the year near a change of offset, if the year has one.
std::int64_t interesting_minute(const GlibcZone& zone, std::int64_t year_begin) {
  std::vector<std::int64_t> seams;
  for (std::int64_t minute = year_begin; minute < year_begin + 366 * kDay; minute += 360)
    if (zone.wall(minute + 360) - zone.wall(minute) != 360) seams.push_back(minute);
  return seams.empty() ? year_begin + in_range<std::int64_t>(0, 365 * kDay) : *rc::gen::elementOf(seams);
}

Instant to_instant(std::int64_t minute) { return Instant(std::chrono::minutes(minute)); }

RC_GTEST_PROP(Ticks, AgreeWithTheSentencesInEveryZone, ()) {
  static const std::vector<std::string> kZones = zones();
  const std::string name = *rc::gen::elementOf(kZones);
  const int year = in_range(1973, 2045);
  const GlibcZone glibc(name);
  const std::chrono::sys_days new_year = std::chrono::year(year) / 1 / 1;
  const std::int64_t middle = interesting_minute(glibc, new_year.time_since_epoch().count() * kDay);
  const std::int64_t from = middle - 2 * kDay;
  const std::int64_t to = middle + 2 * kDay;
  const Window window(glibc, from, to);
  for (int i = 0; i < 10; ++i) {
    const CronText text = *any_cron();
    RC_LOG() << name << " `" << text.text() << "` from " << slipway::to_rfc3339(to_instant(from)) << "\n";
    Schedule schedule;
    schedule.cron = *parse_cron(text.text());
    schedule.zone = *load_time_zone(name);
    const std::vector<std::int64_t> want = expected_ticks(text, window);

    std::vector<std::int64_t> forwards;
    for (auto tick = next_tick(schedule, to_instant(from) - Duration(1)); tick && *tick < to_instant(to);
         tick = next_tick(schedule, *tick))
      forwards.push_back(std::chrono::floor<std::chrono::minutes>(tick->time_since_epoch()).count());
    RC_ASSERT(forwards == want);

    std::vector<std::int64_t> backwards;
    for (auto tick = previous_tick(schedule, to_instant(to)); tick && *tick >= to_instant(from);
         tick = previous_tick(schedule, *tick))
      backwards.insert(backwards.begin(), std::chrono::floor<std::chrono::minutes>(tick->time_since_epoch()).count());
    RC_ASSERT(backwards == want);
  }
}

}  // namespace
}  // namespace slipway::dag
