// docs/dag-format.md says what the code does: its tables are run.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "slipway/dag/expr.h"
#include "slipway/dag/schedule.h"

namespace slipway::dag {
namespace {

// The cells of every table row between two headings.
std::vector<std::vector<std::string>> rows(const std::string& from, const std::string& to) {
  std::ifstream file(SLIPWAY_SOURCE_DIR "/docs/dag-format.md");
  std::vector<std::vector<std::string>> out;
  bool inside = false;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("#")) inside = line == from || (inside && line != to);
    if (!inside || !line.starts_with("| ") || line.starts_with("| function ") || line.starts_with("| cron ")) continue;
    std::vector<std::string> cells;
    for (std::size_t at = 2; at < line.size();) {
      const std::size_t end = std::min(line.find(" | ", at), line.size() - 2);
      cells.push_back(line.substr(at, end - at));
      at = end + 3;
    }
    out.push_back(std::move(cells));
  }
  return out;
}

// "2024-03-31T03:00+02:00": the documentation leaves seconds out.
std::string with_seconds(const std::string& text) { return text.substr(0, 16) + ":00" + text.substr(16); }

TEST(Docs, TableOfFunctionsIsTheTable) {
  std::vector<std::vector<std::string>> want;
  for (const FunctionDoc& function : expression_functions())
    want.push_back(
        {"`" + std::string(function.signature) + "`", std::string(function.result), std::string(function.doc)});
  EXPECT_EQ(rows("### Functions", "### Limits"), want);
}

TEST(Docs, TableOfClockChangesIsTrue) {
  const auto table = rows("### Changes of the clocks", "### Late, missed and overlapping ticks");
  ASSERT_GE(table.size(), 11U);
  for (const auto& row : table) {
    ASSERT_EQ(row.size(), 4U) << row[0];
    Schedule schedule;
    schedule.cron = *parse_cron(row[0].substr(1, row[0].size() - 2));
    schedule.zone = *load_time_zone(row[1]);
    Instant at = *parse_rfc3339(with_seconds(row[2]));
    std::istringstream ticks(row[3]);
    for (std::string want; ticks >> want;) {
      if (want.back() == ',') want.pop_back();
      const auto tick = next_tick(schedule, at);
      ASSERT_TRUE(tick) << row[0];
      EXPECT_EQ(to_rfc3339(*tick, schedule.zone), with_seconds(want)) << row[0] << " " << row[1];
      at = *tick;
    }
  }
}

}  // namespace
}  // namespace slipway::dag
