// A slow, independent reading of the sentences in docs/dag-format.md, "Changes of the clocks": second by second or
// minute by minute, with glibc's clocks instead of ours. It shares no code with src/dag.
#pragma once

#include <time.h>

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "slipway/base/rng.h"

namespace slipway::dag::test {

constexpr std::int64_t kMinute = 60, kHour = 3600, kDay = 86'400;  // everything here counts seconds since the epoch

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

  [[nodiscard]] std::int64_t offset(std::int64_t second) const {
    const time_t instant = second;
    tm shown{};
    localtime_r(&instant, &shown);
    return shown.tm_gmtoff;
  }

  // The first seconds with a new offset in [from, to).
  [[nodiscard]] std::vector<std::int64_t> seams(std::int64_t from, std::int64_t to) const {
    constexpr std::int64_t kStride = 6 * kHour;  // no zone has ever changed twice within it since 1970
    std::vector<std::int64_t> found;
    for (std::int64_t at = from, before = offset(from); at < to; at += kStride) {
      const std::int64_t after = offset(at + kStride);
      if (after == before) continue;
      std::int64_t low = at, high = at + kStride;
      while (high - low > 1) {
        const std::int64_t middle = low + (high - low) / 2;
        (offset(middle) == before ? low : high) = middle;
      }
      found.push_back(high);
      before = after;
    }
    return found;
  }
};

// The zones of the system, one name for each distinct file.
inline std::vector<std::string> distinct_zones() {
  const std::filesystem::path root = "/usr/share/zoneinfo";
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
    const std::string name = entry.path().lexically_relative(root).string();
    if (entry.is_regular_file() && std::isupper(static_cast<unsigned char>(name[0])) != 0 &&
        name.find('.') == std::string::npos)
      names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  std::set<std::string> contents;
  std::erase_if(names, [&](const std::string& name) {
    std::ifstream file(root / name, std::ios::binary);
    return !contents.insert({std::istreambuf_iterator<char>(file), {}}).second;
  });
  return names;
}

// --- expressions
// -----------------------------------------------------------------------------------------------------

// A field and the values that it was made to mean.
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

class CronMaker {
 public:
  explicit CronMaker(std::uint64_t seed) : rng_(seed) {}

  // Any five fields. Mostly every day, and mostly in the small hours, so that seams are hit.
  CronText any() {
    const bool calendar = rng_.below(3) == 0;
    CronText cron{field(0, 59), rng_.below(2) == 0 ? field(0, 23) : list({number(0, 3), number(0, 23)}), star(1, 31, 1),
                  star(1, 12, 1), star(0, 6, 1)};
    if (!calendar) return cron;
    if (rng_.below(2) == 0) cron.day = field(1, 31);
    // Few months have every day, and a day that no year has is an error.
    if (cron.day.text[0] == '*' && rng_.below(2) == 0)
      cron.month = rng_.below(2) == 0 ? field(1, 12) : named({"JAN", "feb", "Mar", "APR"}, 1);
    if (rng_.below(2) == 0) cron.weekday = rng_.below(3) == 0 ? named({"SUN", "Mon", "tue", "WED"}, 0) : field(0, 6);
    return cron;
  }

 private:
  int number(int min, int max) { return min + static_cast<int>(rng_.below(static_cast<std::uint64_t>(max - min + 1))); }

  FieldText field(int min, int max) {
    switch (rng_.below(7)) {
      case 0:
      case 1: return star(min, max, 1);
      case 2: return star(min, max, number(1, max - min));
      case 3: {
        const int low = number(min, max);
        return range(low, number(low, max), 1);
      }
      case 4: {
        const int low = number(min, max);
        return range(low, number(low, max), number(1, max - min));
      }
      case 5: {
        FieldText one = star(min, max, number(2, max - min));
        const int more = number(min, max);
        one.text += "," + std::to_string(more);
        one.values.insert(more);
        return one;
      }
      default: {
        std::set<int> values{number(min, max)};
        for (int more = number(0, 2); more > 0; --more) values.insert(number(min, max));
        return list(values);
      }
    }
  }

  static FieldText star(int min, int max, int step) {
    FieldText made{step == 1 ? "*" : "*/" + std::to_string(step), {}};
    for (int value = min; value <= max; value += step) made.values.insert(value);
    return made;
  }
  static FieldText range(int low, int high, int step) {
    FieldText made{std::to_string(low) + "-" + std::to_string(high), {}};
    if (step > 1) made.text += "/" + std::to_string(step);
    for (int value = low; value <= high; value += step) made.values.insert(value);
    return made;
  }
  static FieldText list(const std::set<int>& values) {
    FieldText made{"", values};
    for (const int value : values) made.text += (made.text.empty() ? "" : ",") + std::to_string(value);
    return made;
  }
  FieldText named(const std::vector<std::string>& names, int first) {
    const int index = number(0, static_cast<int>(names.size()) - 1);
    return {names[static_cast<std::size_t>(index)], {first + index}};
  }

  Rng rng_;
};

// --- the sentences
// ---------------------------------------------------------------------------------------------------

inline bool matches(const CronText& cron, std::int64_t wall) {
  const time_t seconds = wall;
  tm fields{};
  gmtime_r(&seconds, &fields);
  if (cron.minute.values.count(fields.tm_min) == 0 || cron.hour.values.count(fields.tm_hour) == 0) return false;
  if (cron.month.values.count(fields.tm_mon + 1) == 0) return false;
  const bool day = cron.day.values.count(fields.tm_mday) != 0;
  const bool weekday = cron.weekday.values.count(fields.tm_wday) != 0;
  const bool both_restricted = cron.day.text[0] != '*' && cron.weekday.text[0] != '*';
  return both_restricted ? day || weekday : day && weekday;
}

// What the clocks of a zone show at each step of [from - 2 days, to). Steps are minutes, or seconds where an offset is
// not whole minutes (Liberia until 1972).
struct Window {
  Window(const GlibcZone& zone, std::int64_t from_second, std::int64_t to_second) : from(from_second), to(to_second) {
    const bool odd = zone.offset(begin()) % kMinute != 0 || zone.offset(to) % kMinute != 0;
    step = odd ? 1 : kMinute;
    for (std::int64_t at = begin(); at < to; at += step) walls.push_back(at + zone.offset(at));
  }
  [[nodiscard]] std::int64_t begin() const { return from - 2 * kDay; }

  std::int64_t from;
  std::int64_t to;
  std::int64_t step;
  std::vector<std::int64_t> walls;
};

// The sentences, word by word, for ticks in [from, to).
inline std::vector<std::int64_t> expected_ticks(const CronText& cron, const Window& window) {
  const std::string& hour = cron.hour.text;
  const bool every_so_often = hour == "*" || (hour.rfind("*/", 0) == 0 && hour.find(',') == std::string::npos);
  std::vector<std::int64_t> ticks;
  std::unordered_set<std::int64_t> shown;
  std::int64_t last_wall = window.walls.front() - 1;
  std::int64_t at = window.begin();
  for (const std::int64_t wall : window.walls) {
    bool fires = false;
    if (wall % kMinute == 0) {
      const bool first_time = shown.insert(wall).second;
      fires = matches(cron, wall) && (every_so_often || first_time);
    }
    if (!every_so_often && wall > last_wall + window.step)
      for (std::int64_t skipped = (last_wall / kMinute + 1) * kMinute; skipped < wall; skipped += kMinute)
        fires = fires || (shown.count(skipped) == 0 && matches(cron, skipped));
    if (fires && at >= window.from) ticks.push_back(at);
    last_wall = wall;
    at += window.step;
  }
  return ticks;
}

}  // namespace slipway::dag::test
