#include "slipway/dag/schedule.h"

#include <gtest/gtest.h>

namespace slipway::dag {
namespace {

Instant at(const char* text) { return *parse_rfc3339(text); }

Schedule cron(const char* text, const char* zone = "UTC") {
  Schedule schedule;
  schedule.cron = *parse_cron(text);
  schedule.zone = *load_time_zone(zone);
  return schedule;
}

Schedule every(Duration interval) {
  Schedule schedule;
  schedule.kind = ScheduleKind::Every;
  schedule.every = interval;
  return schedule;
}

struct Row {
  const char* cron;
  const char* zone;
  const char* after;
  std::vector<const char*> ticks;
};

// The rows of the table in docs/dag-format.md, and the odd seams of history.
const Row kRows[] = {
    {"30 2 * * *", "UTC", "2024-02-28T02:30:00Z", {"2024-02-29T02:30:00Z", "2024-03-01T02:30:00Z"}},
    // Paris, 31 March 2024: 02:00 -> 03:00 at 01:00Z.
    {"30 2 * * *", "Europe/Paris", "2024-03-30T02:00:00Z", {"2024-03-31T01:00:00Z", "2024-04-01T00:30:00Z"}},
    {"*/20 2 * * *", "Europe/Paris", "2024-03-30T02:00:00Z", {"2024-03-31T01:00:00Z", "2024-04-01T00:00:00Z"}},
    {"0 2,3 * * *", "Europe/Paris", "2024-03-30T22:00:00Z", {"2024-03-31T01:00:00Z", "2024-04-01T00:00:00Z"}},
    {"30 * * * *", "Europe/Paris", "2024-03-31T00:00:00Z", {"2024-03-31T00:30:00Z", "2024-03-31T01:30:00Z"}},
    {"0 */2 * * *", "Europe/Paris", "2024-03-30T23:00:00Z", {"2024-03-31T02:00:00Z", "2024-03-31T04:00:00Z"}},
    // Paris, 27 October 2024: 03:00 -> 02:00 at 01:00Z.
    {"30 2 * * *", "Europe/Paris", "2024-10-26T12:00:00Z", {"2024-10-27T00:30:00Z", "2024-10-28T01:30:00Z"}},
    {"30 * * * *",
     "Europe/Paris",
     "2024-10-27T00:00:00Z",
     {"2024-10-27T00:30:00Z", "2024-10-27T01:30:00Z", "2024-10-27T02:30:00Z"}},
    {"30 0-23 * * *", "Europe/Paris", "2024-10-27T00:00:00Z", {"2024-10-27T00:30:00Z", "2024-10-27T02:30:00Z"}},
    {"0 */2 * * *",
     "Europe/Paris",
     "2024-10-26T23:00:00Z",
     {"2024-10-27T00:00:00Z", "2024-10-27T01:00:00Z", "2024-10-27T03:00:00Z"}},
    // Lord Howe Island shifts by half an hour.
    {"15 2 * * *", "Australia/Lord_Howe", "2024-10-05T12:00:00Z", {"2024-10-05T15:30:00Z", "2024-10-06T15:15:00Z"}},
    // Samoa had no 30 December 2011: its two daily runs become one at the seam, where the 31st begins.
    {"0 6,18 * * *", "Pacific/Apia", "2011-12-30T05:00:00Z", {"2011-12-30T10:00:00Z", "2011-12-30T16:00:00Z"}},
    {"0 */6 * * *", "Pacific/Apia", "2011-12-30T05:00:00Z", {"2011-12-30T10:00:00Z", "2011-12-30T16:00:00Z"}},
    // Either day matches where both are restricted.
    {"0 0 13 * FRI", "UTC", "2024-09-06T00:00:00Z", {"2024-09-13T00:00:00Z", "2024-09-20T00:00:00Z"}},
    // 2100 is no leap year.
    {"0 0 29 2 *", "UTC", "2096-03-01T00:00:00Z", {"2104-02-29T00:00:00Z"}},
    // Not restricted for a field that begins with *: 29 February on a Sunday or Thursday.
    {"0 0 29 2 */4", "UTC", "2080-03-01T00:00:00Z", {"2088-02-29T00:00:00Z", "2120-02-29T00:00:00Z"}},
};

TEST(NextTick, FollowsTheTable) {
  for (const Row& row : kRows) {
    const Schedule schedule = cron(row.cron, row.zone);
    Instant instant = at(row.after);
    for (const char* want : row.ticks) {
      const auto tick = next_tick(schedule, instant);
      ASSERT_TRUE(tick) << row.cron << " " << row.zone;
      EXPECT_EQ(slipway::to_rfc3339(*tick), slipway::to_rfc3339(at(want))) << row.cron << " " << row.zone;
      instant = at(want);
    }
  }
}

TEST(PreviousTick, WalksTheTableBackwards) {
  for (const Row& row : kRows) {
    const Schedule schedule = cron(row.cron, row.zone);
    for (std::size_t i = row.ticks.size(); i > 1; --i) {
      const auto tick = previous_tick(schedule, at(row.ticks[i - 1]));
      ASSERT_TRUE(tick) << row.cron << " " << row.zone;
      EXPECT_EQ(slipway::to_rfc3339(*tick), slipway::to_rfc3339(at(row.ticks[i - 2]))) << row.cron << " " << row.zone;
    }
  }
}

TEST(NextTick, IsStrictlyAfterAtMicrosecondPrecision) {
  const Schedule schedule = cron("0 * * * *");
  EXPECT_EQ(next_tick(schedule, at("2024-01-01T00:59:59.999999Z")), at("2024-01-01T01:00:00Z"));
  EXPECT_EQ(next_tick(schedule, at("2024-01-01T01:00:00Z")), at("2024-01-01T02:00:00Z"));
  EXPECT_EQ(previous_tick(schedule, at("2024-01-01T01:00:00.000001Z")), at("2024-01-01T01:00:00Z"));
  EXPECT_EQ(previous_tick(schedule, at("2024-01-01T01:00:00Z")), at("2024-01-01T00:00:00Z"));
}

TEST(NextTick, StartAndEndAreInclusive) {
  Schedule schedule = cron("0 0 * * *");
  schedule.start = at("2024-05-01");
  schedule.end = at("2024-05-03");
  EXPECT_EQ(next_tick(schedule, at("2020-01-01")), at("2024-05-01"));
  EXPECT_EQ(next_tick(schedule, at("2024-05-02")), at("2024-05-03"));
  EXPECT_EQ(next_tick(schedule, at("2024-05-03")), std::nullopt);
  EXPECT_EQ(previous_tick(schedule, at("2024-05-01")), at("2024-04-30")) << "the first run has an interval too";
  EXPECT_EQ(previous_tick(schedule, at("2030-01-01")), at("2024-05-03"));
}

TEST(NextTick, EveryIsAlignedToStartElseToTheEpoch) {
  Schedule schedule = every(std::chrono::hours(6));
  EXPECT_EQ(next_tick(schedule, at("2024-05-01T05:00:00Z")), at("2024-05-01T06:00:00Z"));
  EXPECT_EQ(next_tick(schedule, at("1969-12-31T23:00:00Z")), at("1970-01-01"));
  EXPECT_EQ(previous_tick(schedule, at("1969-12-31T17:00:00Z")), at("1969-12-31T12:00:00Z"));
  schedule.start = at("2024-05-01T05:10:00Z");
  EXPECT_EQ(next_tick(schedule, at("2024-01-01")), at("2024-05-01T05:10:00Z"));
  EXPECT_EQ(next_tick(schedule, at("2024-05-01T05:10:00Z")), at("2024-05-01T11:10:00Z"));
  EXPECT_EQ(previous_tick(schedule, at("2024-05-01T05:10:00Z")), at("2024-04-30T23:10:00Z"));
}

TEST(NextTick, OnceAndContinuousHaveNoTickByTime) {
  for (const ScheduleKind kind : {ScheduleKind::Once, ScheduleKind::Continuous}) {
    Schedule schedule;
    schedule.kind = kind;
    EXPECT_EQ(next_tick(schedule, at("2024-01-01")), std::nullopt);
    EXPECT_EQ(previous_tick(schedule, at("2024-01-01")), std::nullopt);
  }
}

TEST(NextTick, TheEndsOfTimeAreNoTick) {
  for (const Schedule& schedule : {cron("* * * * *", "Asia/Tokyo"), every(std::chrono::hours(1))})
    for (const Instant instant : {Instant::min(), Instant::max()}) {
      EXPECT_EQ(next_tick(schedule, instant), std::nullopt);
      EXPECT_EQ(previous_tick(schedule, instant), std::nullopt);
    }
}

TEST(TimeZone, LoadsByNameAndShowsWallTime) {
  EXPECT_EQ(TimeZone().name(), "UTC");
  EXPECT_EQ(load_time_zone("Asia/Kathmandu")->name(), "Asia/Kathmandu");
  EXPECT_EQ(to_rfc3339(at("2024-06-01T12:00:00Z"), *load_time_zone("Asia/Kathmandu")), "2024-06-01T17:45:00+05:45");
  EXPECT_EQ(to_rfc3339(at("2024-06-01T12:00:00.5Z"), *load_time_zone("America/New_York")),
            "2024-06-01T08:00:00.500000-04:00");
  EXPECT_EQ(to_rfc3339(at("2024-06-01T12:00:00Z"), TimeZone()), "2024-06-01T12:00:00+00:00");
}

TEST(TimeZone, UnknownNamesHaveACure) {
  const std::pair<const char*, const char*> rows[] = {
      {"Europe/Pariss", "did you mean `Europe/Paris`?"},
      {"europe/paris", "did you mean `Europe/Paris`?"},
      {"Paris", "did you mean `Europe/Paris`?"},
      {"PST", "abbreviations are ambiguous; write a place, such as America/Los_Angeles, or UTC"},
      {"../../etc/passwd", "write a zone of the IANA database, such as Europe/Paris"},
      {"", "abbreviations are ambiguous; write a place, such as America/Los_Angeles, or UTC"},
      {"Europe", "write a zone of the IANA database, such as Europe/Paris"},
  };
  for (const auto& [name, help] : rows) {
    const auto zone = load_time_zone(name);
    ASSERT_FALSE(zone) << name;
    EXPECT_EQ(zone.error().code, ErrorCode::InvalidArgument);
    EXPECT_EQ(zone.error().message, "`" + std::string(name) + "` is no time zone");
    EXPECT_EQ(zone.error().help, help) << name;
  }
}

}  // namespace
}  // namespace slipway::dag
