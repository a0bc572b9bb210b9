// Ticks against the oracle, around the changes of the clocks of every zone of the system from 1970 to 2037.
// SLIPWAY_CRON_SEAMS=all takes every change of every zone; without it each zone gives one, and the odd ones all.
// SLIPWAY_CRON_SEED chooses other expressions.
#include <gtest/gtest.h>

#include "cron_oracle.h"
#include "slipway/dag/schedule.h"

namespace slipway::dag {
namespace {

using test::kDay;

std::int64_t year_begin(int year) {
  return std::chrono::seconds(std::chrono::sys_days(std::chrono::year(year) / 1 / 1).time_since_epoch()).count();
}

std::uint64_t seed() {
  const char* text = std::getenv("SLIPWAY_CRON_SEED");
  return text == nullptr ? 1 : std::strtoull(text, nullptr, 10);
}

bool all_seams() {
  const char* text = std::getenv("SLIPWAY_CRON_SEAMS");
  return text != nullptr && std::string(text) == "all";
}

Instant to_instant(std::int64_t second) { return Instant(std::chrono::seconds(second)); }
std::int64_t to_second(Instant instant) {
  EXPECT_EQ(instant.time_since_epoch() % std::chrono::seconds(1), Duration(0));
  return std::chrono::floor<std::chrono::seconds>(instant.time_since_epoch()).count();
}

std::vector<std::int64_t> forwards(const Schedule& schedule, std::int64_t from, std::int64_t to) {
  std::vector<std::int64_t> ticks;
  auto tick = next_tick(schedule, to_instant(from) - Duration(1));
  for (; tick && *tick < to_instant(to); tick = next_tick(schedule, *tick)) ticks.push_back(to_second(*tick));
  return ticks;
}

std::vector<std::int64_t> backwards(const Schedule& schedule, std::int64_t from, std::int64_t to) {
  std::vector<std::int64_t> ticks;
  auto tick = previous_tick(schedule, to_instant(to));
  for (; tick && *tick >= to_instant(from); tick = previous_tick(schedule, *tick)) ticks.push_back(to_second(*tick));
  std::reverse(ticks.begin(), ticks.end());
  return ticks;
}

// Compares `count` expressions over two days on either side of `middle`; false at the first difference.
bool agrees(const std::string& zone, const test::GlibcZone& glibc, std::int64_t middle, int count) {
  test::CronMaker maker(seed() ^ stable_hash(zone + std::to_string(middle)));
  const std::int64_t from = (middle - 2 * kDay) / kDay * kDay;
  const std::int64_t to = from + 4 * kDay;
  const test::Window window(glibc, from, to);
  Schedule schedule;
  schedule.zone = zone == "UTC" ? TimeZone() : *load_time_zone(zone);
  for (int i = 0; i < count; ++i) {
    const test::CronText text = maker.any();
    const auto cron = parse_cron(text.text());
    if (!cron) {
      ADD_FAILURE() << text.text() << ": " << cron.error().message;
      return false;
    }
    schedule.cron = *cron;
    const auto want = test::expected_ticks(text, window);
    const std::string where = zone + " `" + text.text() + "` from " + slipway::to_rfc3339(to_instant(from));
    EXPECT_EQ(forwards(schedule, from, to), want) << where;
    EXPECT_EQ(backwards(schedule, from, to), want) << where;
    if (::testing::Test::HasFailure()) return false;
  }
  return true;
}

// Half an hour (Lord Howe), a day left out and one shown twice (Apia, Kwajalein), a rule that follows the moon
// (Casablanca), two hours (Troll), offsets with seconds (Monrovia), quarters (Chatham, Kathmandu), changes at midnight
// (Havana, Cairo, Sao_Paulo), a standard time that is the summer one (Dublin), changes without daylight saving
// (Pyongyang, Caracas).
const std::set<std::string> kOdd{"Australia/Lord_Howe", "Pacific/Apia",    "Pacific/Kwajalein", "Africa/Casablanca",
                                 "Antarctica/Troll",    "Africa/Monrovia", "Pacific/Chatham",   "Asia/Kathmandu",
                                 "America/Havana",      "Africa/Cairo",    "America/Sao_Paulo", "Europe/Dublin",
                                 "Asia/Pyongyang",      "America/Caracas"};

TEST(Ticks, AgreeWithTheSentencesAroundTheSeamsOfEveryZone) {
  const std::int64_t begin = year_begin(1970), end = year_begin(2038);
  std::size_t seen = 0, zones = 0;
  for (const std::string& zone : test::distinct_zones()) {
    const test::GlibcZone glibc(zone);
    Rng rng(seed() ^ stable_hash(zone));
    const bool odd = kOdd.count(zone) != 0;
    std::vector<std::int64_t> seams;
    if (all_seams() || odd) {
      seams = glibc.seams(begin, end);
    } else {
      // A year of its own for each zone; some have no change in it.
      const int year = 1970 + static_cast<int>(rng.below(68));
      seams = glibc.seams(year_begin(year), year_begin(year + 1));
      if (seams.empty()) seams.push_back(year_begin(year) + static_cast<std::int64_t>(rng.below(365)) * kDay);
      seams.erase(seams.begin() + 1, seams.end());
    }
    for (const std::int64_t seam : seams) ASSERT_TRUE(agrees(zone, glibc, seam, odd && !all_seams() ? 1 : 3));
    seen += seams.size();
    ++zones;
  }
  std::cout << zones << " zones, " << seen << " changes of the clocks\n";
  EXPECT_GT(zones, 300U) << "is tzdata installed?";
  EXPECT_GT(seen, 600U);
}

TEST(Ticks, AgreeWithTheSentencesAroundLeapDays) {
  for (const char* zone : {"UTC", "Europe/Paris", "Pacific/Apia", "Asia/Kathmandu"}) {
    const test::GlibcZone glibc(zone);
    for (int year = 1972; year <= 2104; year += year < 2096 ? 12 : 4) {
      const std::int64_t middle = year_begin(year) + 59 * kDay;  // 29 February; 1 March in 2100
      ASSERT_TRUE(agrees(zone, glibc, middle, 3)) << year;
    }
  }
}

}  // namespace
}  // namespace slipway::dag
