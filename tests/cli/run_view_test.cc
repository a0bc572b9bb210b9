#include "cli/run_view.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "cli/exit_code.h"

namespace slipway::cli {
namespace {

Value task(const std::string& name, const std::string& state, const std::string& reason = "") {
  Value value = Value::Object{
      {"task", name}, {"map_index", -1}, {"state", state}, {"attempt", state == "none" ? 0 : 1}, {"reason", reason}};
  if (state != "none") value["started_at"] = "2024-01-01T00:00:01.000000Z";
  if (state == "success" || state == "failed") value["ended_at"] = "2024-01-01T00:00:03.500000Z";
  return value;
}

Value body(Value::Array tasks, const std::string& state = "running") {
  return Value::Object{
      {"run",
       Value::Object{
           {"id", "01abc"}, {"dag", "demo"}, {"state", state}, {"started_at", "2024-01-01T00:00:00.000000Z"}}},
      {"tasks", std::move(tasks)}};
}

const Instant kNow = *parse_rfc3339("2024-01-01T00:00:10Z");

TEST(DrawRun, ShowsStateTimeProgressOutputsAndReasons) {
  Value done = task("prepare", "success");
  done["outputs"] = Value::Object{{"rows", 800}};
  const auto lines = draw_run(
      body({done, task("finetune", "active"), task("other", "failed", "exit code 3 (user)"), task("serve", "none")}),
      {{"finetune", {120, 500, 0.4123, 12.0}}}, {.width = 100, .now = kNow});
  const std::vector<std::string> want = {
      "▶ demo  01abc  running  10.0s",
      "  ✔ prepare   success         2.5s    rows=800",
      "  ▶ finetune  active          9.0s    step 120/500  loss 0.412  eta 12.0s",
      "  ✘ other     failed          2.5s    exit code 3 (user)",
      "  · serve     none",
  };
  EXPECT_EQ(lines, want);
}

TEST(DrawRun, SaysHowLongItMayStillTake) {
  const auto head = [](const Value& shown, std::optional<double> usual) {
    return draw_run(shown, {}, {.width = 100, .now = kNow, .usual_s = usual})[0];
  };
  EXPECT_EQ(head(body({}), 72.0), "▶ demo  01abc  running  10.0s  eta 1m02s");
  EXPECT_EQ(head(body({}), 4.0), "▶ demo  01abc  running  10.0s  longer than the usual 4.0s");
  EXPECT_EQ(head(body({}), std::nullopt), "▶ demo  01abc  running  10.0s");
  EXPECT_EQ(head(body({}, "success"), 72.0).find("eta"), std::string::npos);
}

TEST(UsualDuration, IsTheMedianOfTheOthers) {
  const auto run = [](const char* id, const char* ended) {
    return Value(Value::Object{{"id", id}, {"started_at", "2024-01-01T00:00:00Z"}, {"ended_at", ended}});
  };
  const Value runs =
      Value::Object{{"runs", Value::Array{run("a", "2024-01-01T00:00:30Z"), run("b", "2024-01-01T00:00:10Z"),
                                          run("c", "2024-01-01T00:00:20Z"), run("d", "2024-01-01T01:00:00Z")}}};
  EXPECT_EQ(usual_duration(runs, "d"), 20.0);
  EXPECT_EQ(usual_duration(Value(Value::Object{{"runs", Value::Array{}}}), ""), std::nullopt);
  EXPECT_EQ(
      usual_duration(
          Value(Value::Object{{"runs", Value::Array{Value(Value::Object{{"id", "a"}, {"ended_at", Value()}})}}}), ""),
      std::nullopt);
}

TEST(DrawRun, IsAsciiAndNarrowOnRequest) {
  const auto lines = draw_run(body({task("other", "failed", "a very long reason that goes on")}), {},
                              {.width = 40, .ascii = true, .now = kNow});
  EXPECT_EQ(lines[0], "> demo  01abc  running  10.0s");
  EXPECT_EQ(lines[1], "  x other     failed          2.5s   ...");
}

TEST(DrawRun, KeepsFailuresWhenThereIsNoRoom) {
  Value::Array tasks;
  for (int i = 0; i < 50; ++i) tasks.push_back(task("t" + std::to_string(i), i == 40 ? "failed" : "success"));
  const auto lines = draw_run(body(tasks), {}, {.width = 80, .height_max = 10, .now = kNow});
  EXPECT_LE(lines.size(), 10U);
  EXPECT_TRUE(
      std::any_of(lines.begin(), lines.end(), [](const auto& line) { return line.find("t40") != std::string::npos; }));
  EXPECT_EQ(lines.back(), "  50 tasks: 1 failed, 49 success");
}

Value instance(int index, const std::string& state) {
  Value value = task("each", state);
  value["map_index"] = index;
  return value;
}

TEST(DrawRun, FoldsManyInstancesIntoALineAndTheirFailures) {
  Value::Array tasks{task("each", "removed", "expanded to 8 instances")};
  for (int i = 0; i < 8; ++i) tasks.push_back(instance(i, i == 2 ? "failed" : i < 5 ? "success" : "scheduled"));
  tasks.push_back(task("next", "none"));
  const auto lines = draw_run(body(tasks), {}, {.width = 100, .now = kNow});
  const std::vector<std::string> want = {
      "▶ demo  01abc  running  10.0s",
      "  ○ each[8]   scheduled       9.0s    1 failed, 3 scheduled, 4 success",
      "  ✘ each[2]   failed          2.5s",
      "  · next      none",
  };
  EXPECT_EQ(lines, want);
}

TEST(DrawRun, FoldsGroupsWhereTheHeightIsTooSmall) {
  Value::Array tasks{task("first", "success")};
  for (int i = 0; i < 12; ++i) {
    tasks.push_back(task("in" + std::to_string(i), i == 7 ? "failed" : i < 5 ? "success" : "none"));
    tasks.back()["group"] = "load";
  }
  tasks.push_back(task("last", "none"));
  EXPECT_EQ(draw_run(body(tasks), {}, {.width = 100, .height_max = 16, .now = kNow}).size(), 15U);
  const std::vector<std::string> want = {
      "▶ demo  01abc  running  10.0s",
      "  ✔ first      success         2.5s",
      "  · load (12)  none            9.0s    1 failed, 6 none, 5 success",
      "  ✘ in7        failed          2.5s",
      "  · last       none",
  };
  EXPECT_EQ(draw_run(body(tasks), {}, {.width = 100, .height_max = 10, .now = kNow}), want);
}

TEST(DrawRun, NeverIsHigherThanItMayAndShowsFailures) {
  Value::Array tasks;
  for (int i = 0; i < 3000; ++i) {
    tasks.push_back(task("t" + std::to_string(i % 60), i == 1234 ? "failed" : "success"));
    tasks.back()["map_index"] = i / 60;
    tasks.back()["group"] = i % 60 < 30 ? "one" : "";
  }
  std::stable_sort(tasks.begin(), tasks.end(),
                   [](const Value& a, const Value& b) { return a.get_string("task") < b.get_string("task"); });
  for (std::size_t height = 4; height < 30; ++height) {  // 32 lines would be enough
    const auto lines = draw_run(body(tasks), {}, {.width = 100, .height_max = height, .now = kNow});
    EXPECT_LE(lines.size(), height);
    EXPECT_TRUE(std::any_of(lines.begin(), lines.end(), [](const auto& line) {
      return line.find("t34[20]") != std::string::npos;
    })) << height;
    EXPECT_EQ(lines.back(), "  3000 tasks: 1 failed, 2999 success") << height;
  }
}

TEST(DrawRun, ShowsAFewInstancesOneByOne) {
  const auto lines = draw_run(body({task("each", "removed"), instance(0, "success"), instance(1, "none")}), {},
                              {.width = 100, .now = kNow});
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[1], "  ✔ each[0]   success         2.5s");
  EXPECT_EQ(lines[2], "  · each[1]   none");
}

TEST(DrawRun, ColoursOnlyWhenAsked) {
  const auto plain = draw_run(body({task("a", "success")}), {}, {.now = kNow});
  const auto coloured = draw_run(body({task("a", "success")}), {}, {.color = true, .now = kNow});
  EXPECT_EQ(plain[1].find('\x1b'), std::string::npos);
  EXPECT_EQ(coloured[1].rfind("\x1b[32m", 0), 0U);
}

TEST(ParseProgress, ReadsOnlyItsOwnLines) {
  const auto progress = parse_progress(R"(progress {"step":12,"steps":50,"loss":1.234,"eta_s":12.5})");
  ASSERT_TRUE(progress);
  EXPECT_EQ(progress->text(), "step 12/50  loss 1.234  eta 12.5s");
  for (const char* line : {"", "progress", "progress x", "progress []", "in progress {}", "step 12/50"})
    EXPECT_FALSE(parse_progress(line)) << line;
}

TEST(ChangeLine, SpeaksOfChangesOnly) {
  EXPECT_EQ(change_line({}, task("a", "active"), kNow), "00:00:10 a active");
  EXPECT_EQ(change_line(task("a", "active"), task("a", "active"), kNow), "");
  EXPECT_EQ(change_line(task("a", "active"), task("a", "failed", "exit code 1"), kNow),
            "00:00:10 a failed: exit code 1");
  Value second = task("a", "active");
  second["attempt"] = 2;
  EXPECT_EQ(change_line(task("a", "active"), second, kNow), "00:00:10 a active (attempt 2)");
}

TEST(ExitCodeOfRun, FollowsTheState) {
  EXPECT_EQ(exit_code_of_run(body({}, "success")), kOk);
  EXPECT_EQ(exit_code_of_run(body({}, "failed")), kFailed);
  EXPECT_EQ(exit_code_of_run(body({}, "cancelled")), kCancelled);
  EXPECT_FALSE(is_over(body({}, "cancelling")));
  EXPECT_TRUE(is_over(body({}, "cancelled")));
}

}  // namespace
}  // namespace slipway::cli
