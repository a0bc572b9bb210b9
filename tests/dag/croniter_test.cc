// Ours beside croniter's answers (croniter/ticks.tsv, made by croniter/generate.py): equal away from the changes of the
// clocks but for one rule; on them the differences are those of croniter/differences.txt. docs/dag-format.md has the
// reasons.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "slipway/dag/schedule.h"
#include "support/golden.h"

namespace slipway::dag {
namespace {

struct Row {
  std::string kind, cron, zone, after, ticks;
};

std::vector<Row> table() {
  std::ifstream file(SLIPWAY_SOURCE_DIR "/tests/dag/croniter/ticks.tsv");
  std::vector<Row> rows;
  for (std::string line; std::getline(file, line);) {
    Row row;
    std::istringstream cells(line);
    for (std::string* cell : {&row.kind, &row.cron, &row.zone, &row.after}) std::getline(cells, *cell, '\t');
    std::getline(cells, row.ticks);
    rows.push_back(std::move(row));
  }
  return rows;
}

std::string ours(const Row& row) {
  const auto cron = parse_cron(row.cron);
  if (!cron) return "error " + cron.error().message;
  Schedule schedule;
  schedule.cron = *cron;
  schedule.zone = *load_time_zone(row.zone);
  std::string text;
  std::optional<Instant> tick = *parse_rfc3339(row.after);
  for (int i = 0; i < 5 && (tick = next_tick(schedule, *tick)); ++i)
    text += (i > 0 ? "\t" : "") + slipway::to_rfc3339(*tick).substr(0, 19) + "Z";
  return text;
}

// `*/n` in one day field beside a restricted other one: both must match here, as in Vixie cron, where croniter lets
// either match unless its option `implement_cron_bug` is set.
bool has_stepped_star_beside_a_day(const Row& row) {
  std::istringstream fields(row.cron);
  std::string minute, hour, day, month, weekday;
  fields >> minute >> hour >> day >> month >> weekday;
  const bool stepped = day.starts_with("*/") || weekday.starts_with("*/");
  return stepped && day != "*" && weekday != "*";
}

TEST(Croniter, AgreesAwayFromTheChangesOfTheClocks) {
  int compared = 0, otherwise = 0;
  for (const Row& row : table()) {
    if (row.kind != "plain") continue;
    if (has_stepped_star_beside_a_day(row) && ++otherwise > 0) continue;
    EXPECT_EQ(ours(row), row.ticks) << row.cron << " " << row.zone << " after " << row.after;
    ++compared;
  }
  EXPECT_GT(compared, 600);
  EXPECT_GT(otherwise, 0);
}

TEST(Croniter, DiffersOnTheChangesOfTheClocksAsListed) {
  std::string differences;
  int equal = 0;
  for (const Row& row : table()) {
    if (row.kind != "seam" || has_stepped_star_beside_a_day(row)) continue;
    const std::string mine = ours(row);
    if (mine == row.ticks && ++equal > 0) continue;
    differences +=
        row.cron + " | " + row.zone + " | " + row.after + "\n  croniter " + row.ticks + "\n  slipway  " + mine + "\n";
  }
  EXPECT_GT(equal, 80);
  test::expect_golden("tests/dag/croniter/differences.txt", differences);
}

}  // namespace
}  // namespace slipway::dag
