// Runs told as events, for store tests: each event is folded and kept for the next commit.
#pragma once

#include <gtest/gtest.h>

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "slipway/store/sqlite_store.h"
#include "support/temp_folder.h"

namespace slipway::store {

using test::TempFolder;

template <class T>
T expect_ok(Result<T> result) {
  EXPECT_TRUE(result) << (result ? "" : result.error().message);
  return std::move(result).value();
}
inline void expect_ok(const Result<void>& result) { EXPECT_TRUE(result) << (result ? "" : result.error().message); }

inline const Instant kNoon = *parse_rfc3339("2024-11-01T12:00:00.000001Z");

// The id of the n-th run; they sort by n.
inline RunId run_id(int n) {
  char text[27];
  std::snprintf(text, sizeof text, "01jb%022d", n);
  return RunId(text);
}

inline run::RunHeader header(int n) {
  return {.id = run_id(n),
          .dag = DagId("nightly"),
          .version = VersionId("v1"),
          .trigger = run::TriggerKind::Manual,
          .schedule = "",
          .logical_date = kNoon,
          .interval_start = kNoon,
          .interval_end = kNoon,
          .params = Value(Value::Object{{"limit", 3}}),
          .created_at = kNoon,
          .idempotency_key = ""};
}

class Story {
 public:
  explicit Story(run::RunHeader head)
      : Story(run::RunCreated{std::move(head), {prepare(), TaskKey{TaskId("train"), 0}, TaskKey{TaskId("train"), 1}}}) {
  }
  explicit Story(run::RunCreated created) : id(created.header.id) { tell(std::move(created)); }

  static TaskKey prepare() { return {TaskId("prepare")}; }
  [[nodiscard]] AttemptId attempt(int number = 1) const { return {id, prepare(), number}; }

  Story& tell(run::EventBody body) {
    const run::Event event{id, run.last_seq + 1, kNoon + std::chrono::seconds(run.last_seq), std::move(body)};
    expect_ok(run::check(run, event));
    run::apply(run, event);
    events.push_back(event);
    return *this;
  }
  Story& start() {
    tell(run::RunMoved{run::RunState::Running});
    tell(run::TaskMoved{prepare(), run::TaskState::Scheduled});
    tell(run::AttemptOpened{attempt(), "local", Value(Value::Object{{"argv", Value::Array{"true"}}})});
    return tell(run::AttemptStarted{.id = attempt(), .to = run::AttemptState::Running, .identity = "12:34"});
  }
  Story& finish_task() {
    return tell(run::AttemptEnded{.id = attempt(),
                                  .to = run::AttemptState::Succeeded,
                                  .exit_code = 0,
                                  .outputs = Value(Value::Object{{"rows", 7}}),
                                  .task_to = run::TaskState::Success});
  }
  Story& end(run::RunState state, std::vector<std::string> failures = {}) {
    for (const int element : {0, 1})
      tell(run::TaskMoved{TaskKey{TaskId("train"), element}, run::TaskState::Skipped, "not wanted"});
    return tell(run::RunMoved{state, std::move(failures)});
  }

  // What was told since the last batch.
  Batch batch() {
    Batch batch;
    batch.events = std::exchange(events, {});
    batch.runs = {&run};
    batch.versions = {{VersionId("v1"), DagId("nightly"), "nightly.yaml", "dag: nightly\n", kNoon}};
    return batch;
  }

  RunId id;
  run::Run run;
  std::vector<run::Event> events;
};

}  // namespace slipway::store
