#include <gtest/gtest.h>

#include "slipway/dag/schedule.h"

namespace slipway::dag {
namespace {

struct Good {
  const char* text;
  std::uint64_t minutes;
  std::uint32_t hours, days, months, weekdays;
  bool days_restricted, weekdays_restricted, hours_every;
};

constexpr std::uint64_t kAllMinutes = (1ULL << 60U) - 1;
constexpr std::uint32_t kAllHours = (1U << 24U) - 1, kAllDays = 0xfffffffeU, kAllMonths = 0x1ffe, kAllWeekdays = 0x7f;

constexpr Good kGood[] = {
    {"* * * * *", kAllMinutes, kAllHours, kAllDays, kAllMonths, kAllWeekdays, false, false, true},
    {"  5   4 * * *  ", 1U << 5U, 1U << 4U, kAllDays, kAllMonths, kAllWeekdays, false, false, false},
    {"*/20 */6 * * *", 1ULL | 1ULL << 20U | 1ULL << 40U, 1U | 1U << 6U | 1U << 12U | 1U << 18U, kAllDays, kAllMonths,
     kAllWeekdays, false, false, true},
    {"0 */6,7 * * *", 1, 1U | 1U << 6U | 1U << 7U | 1U << 12U | 1U << 18U, kAllDays, kAllMonths, kAllWeekdays, false,
     false, false},
    {"0 0-23 * * *", 1, kAllHours, kAllDays, kAllMonths, kAllWeekdays, false, false, false},
    {"50/5 8-18/4 1,15 jan-mar MON-fri", 1ULL << 50U | 1ULL << 55U, 1U << 8U | 1U << 12U | 1U << 16U,
     1U << 1U | 1U << 15U, 1U << 1U | 1U << 2U | 1U << 3U, 0x3e, true, true, false},
    {"0 0 * * 7", 1, 1, kAllDays, kAllMonths, 1, false, true, false},
    {"0 0 * * 5-7", 1, 1, kAllDays, kAllMonths, 1U | 1U << 5U | 1U << 6U, false, true, false},
    {"0 0 * * SAT-SUN", 1, 1, kAllDays, kAllMonths, 1U | 1U << 6U, false, true, false},
    {"0 0 * * */2", 1, 1, kAllDays, kAllMonths, 1U | 1U << 2U | 1U << 4U | 1U << 6U, false, false, false},
    {"0 0 29 2 *", 1, 1, 1U << 29U, 1U << 2U, kAllWeekdays, true, false, false},
    {"0 0 30 2 MON", 1, 1, 1U << 30U, 1U << 2U, 2, true, true, false},
    {"@quarterly", 1, 1, 2, 1U << 1U | 1U << 4U | 1U << 7U | 1U << 10U, kAllWeekdays, true, false, false},
    {"@hourly", 1, kAllHours, kAllDays, kAllMonths, kAllWeekdays, false, false, true},
    {"@midnight", 1, 1, kAllDays, kAllMonths, kAllWeekdays, false, false, false},
    {"@weekly", 1, 1, kAllDays, kAllMonths, 1, false, true, false},
    {"@annually", 1, 1, 2, 2, kAllWeekdays, true, false, false},
};

TEST(Cron, ReadsFields) {
  for (const Good& row : kGood) {
    const auto cron = parse_cron(row.text);
    ASSERT_TRUE(cron) << row.text << ": " << cron.error().message;
    EXPECT_EQ(cron->minutes, row.minutes) << row.text;
    EXPECT_EQ(cron->hours, row.hours) << row.text;
    EXPECT_EQ(cron->days, row.days) << row.text;
    EXPECT_EQ(cron->months, row.months) << row.text;
    EXPECT_EQ(cron->weekdays, row.weekdays) << row.text;
    EXPECT_EQ(cron->days_restricted, row.days_restricted) << row.text;
    EXPECT_EQ(cron->weekdays_restricted, row.weekdays_restricted) << row.text;
    EXPECT_EQ(cron->hours_every, row.hours_every) << row.text;
  }
}

struct Bad {
  const char* text;
  const char* message;
  const char* help;
};

constexpr const char* kForm =
    "write `minute hour day-of-month month day-of-week`, such as `30 2 * * *` (every day at 02:30)";

const Bad kBad[] = {
    {"", "the cron expression is empty", kForm},
    {"0 25 * *", "cron `0 25 * *`: it has 4 fields, cron takes 5; hour `25` is not in 0-23", kForm},
    {"daily", "cron `daily`: it has 1 field, cron takes 5; minute `daily` is not understood; it takes 0-59", kForm},
    {"0 0 2 * * *", "cron `0 0 2 * * *`: it has 6 fields, cron takes 5",
     "leave out the seconds in front and the year at the end; write `minute hour day-of-month month day-of-week`, such "
     "as "
     "`30 2 * * *` (every day at 02:30)"},
    {"60 24 0 13 8",
     "cron `60 24 0 13 8`: minute `60` is not in 0-59; hour `24` is not in 0-23; day-of-month `0` is not in 1-31; "
     "month `13` is not in 1-12 or JAN-DEC; day-of-week `8` is not in 0-7 (0 and 7 are Sunday) or SUN-SAT",
     kForm},
    {"*/90 * * * *", "cron `*/90 * * * *`: minute `*/90`: the step `90` is not in 1-59",
     "cron counts within one hour; for a longer interval write `every: 90m`"},
    {"*/0 * * * *", "cron `*/0 * * * *`: minute `*/0`: the step `0` is not in 1-59", kForm},
    {"0 22-6 * * *", "cron `0 22-6 * * *`: hour `22-6` runs backwards", "write two ranges: `22-23,0-6`"},
    {"0 0 ? * MON", "cron `0 0 ? * MON`: day-of-month `?` is not understood; it takes 1-31",
     "write `*` where any value will do"},
    {"0 0 * * MON#1",
     "cron `0 0 * * MON#1`: day-of-week `MON#1` is not understood; it takes 0-7 (0 and 7 are Sunday) or SUN-SAT",
     "L, W and # are not cron; name the days, or decide in a `when:`"},
    {"0 0 * juni *", "cron `0 0 * juni *`: month `juni` is not understood; it takes 1-12 or JAN-DEC",
     "did you mean `JUN`?"},
    {"0 0 1, * *", "cron `0 0 1, * *`: day-of-month has an empty item; it takes 1-31", kForm},
    {"0 0 30 2 *", "cron `0 0 30 2 *`: it never fires: no day-of-month `30` in month `2`",
     "February has 29 days at most; April, June, September and November have 30"},
    {"0 0 31 4,6,9,11 *", "cron `0 0 31 4,6,9,11 *`: it never fires: no day-of-month `31` in month `4,6,9,11`",
     "February has 29 days at most; April, June, September and November have 30"},
    {"@dayly", "`@dayly` is no schedule preset", "did you mean `@daily`?"},
    {"@reboot", "`@reboot` is no schedule preset",
     "the presets are @hourly @daily @midnight @weekly @monthly @quarterly @yearly @annually"},
};

TEST(Cron, ErrorsNameTheFieldThePartAndTheCure) {
  for (const Bad& row : kBad) {
    const auto cron = parse_cron(row.text);
    ASSERT_FALSE(cron) << row.text;
    EXPECT_EQ(cron.error().code, ErrorCode::InvalidArgument) << row.text;
    EXPECT_EQ(cron.error().message, row.message);
    EXPECT_EQ(cron.error().help, row.help) << row.text;
  }
}

TEST(Cron, KeepsTheTextAsWritten) {
  EXPECT_EQ(parse_cron(" @daily ")->text, "@daily");
  EXPECT_EQ(parse_cron("0  2 * * *")->text, "0  2 * * *");
}

TEST(Cron, OddTextIsAnErrorNeverACrash) {
  for (const char* text :
       {"-", "- - - - -", "/ / / / /", "*/ * * * *", "1- * * * *", "-1 * * * *", "1-2-3 * * * *", ",,,, * * * *",
        "* * * * * * * * *", "99999999999 * * * *", "1/99999999999 * * * *", "+1 * * * *", "@", "1/2/3 * * * *"})
    EXPECT_FALSE(parse_cron(text)) << text;
}

}  // namespace
}  // namespace slipway::dag
