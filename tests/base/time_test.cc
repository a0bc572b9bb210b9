#include "slipway/base/time.h"

#include <gtest/gtest.h>

namespace slipway {
namespace {

TEST(Rfc3339, RoundTrips) {
  const auto instant = parse_rfc3339("2024-11-01T06:30:00.25+02:00");
  ASSERT_TRUE(instant);
  EXPECT_EQ(to_rfc3339(*instant), "2024-11-01T04:30:00.250000Z");
  EXPECT_EQ(to_rfc3339(*parse_rfc3339("2024-02-29")), "2024-02-29T00:00:00.000000Z");
  EXPECT_EQ(to_rfc3339(*parse_rfc3339("1969-12-31T23:59:59.999999Z")), "1969-12-31T23:59:59.999999Z");
}

TEST(Rfc3339, RefusesWhatIsNoInstant) {
  for (const char* text : {"", "2024-13-01", "2023-02-29", "2024-11-01T25:00:00Z", "2024-11-01T06:30:00", "2024-11-01x",
                           "2024-11-01T06:30:00Zz", "2024-1-1", "2024-11-01T06:30:00.Z"})
    EXPECT_FALSE(parse_rfc3339(text)) << text;
}

struct DurationRow {
  const char* text;
  std::int64_t micros;
  const char* shown;
};
class DurationTest : public testing::TestWithParam<DurationRow> {};

TEST_P(DurationTest, ParsesAndPrints) {
  const auto duration = parse_duration(GetParam().text);
  ASSERT_TRUE(duration) << GetParam().text;
  EXPECT_EQ(duration->count(), GetParam().micros);
  EXPECT_EQ(to_text(*duration), GetParam().shown);
  EXPECT_EQ(parse_duration(to_text(*duration))->count(), GetParam().micros);
}

INSTANTIATE_TEST_SUITE_P(Rows, DurationTest,
                         testing::Values(DurationRow{"30s", 30'000'000, "30s"}, DurationRow{"0s", 0, "0s"},
                                         DurationRow{"1h30m", 5'400'000'000, "1h30m"},
                                         DurationRow{"1.5h", 5'400'000'000, "1h30m"},
                                         DurationRow{"2d", 172'800'000'000, "2d"},
                                         DurationRow{"500ms", 500'000, "500ms"},
                                         DurationRow{"90s", 90'000'000, "1m30s"}));

TEST(ParseDuration, RefusesTheRest) {
  for (const char* text : {"", "10", "m", "1m1h", "1s1s", "-1s", "1 s", "1w", "1.s", "99999999999999s", "40000d"})
    EXPECT_FALSE(parse_duration(text)) << text;
}

TEST(SystemClock, MovesForward) {
  const SystemClock clock;
  const auto first = clock.monotonic();
  EXPECT_LE(first, clock.monotonic());
  EXPECT_GT(to_micros(clock.now()), to_micros(*parse_rfc3339("2024-01-01")));
}

}  // namespace
}  // namespace slipway
