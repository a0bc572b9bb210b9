#include <gtest/gtest.h>

#include "slipway/run/run.h"
#include "support/run_builder.h"

namespace slipway::run {
namespace {

using test::at_second;
using test::key_of;

struct Row {
  EventBody body;
  std::string json;  // the stored form: a change here breaks every home that exists
};

RunHeader header() {
  RunHeader h;
  h.id = RunId("r1");
  h.dag = DagId("nightly");
  h.version = VersionId("ab12");
  h.trigger = TriggerKind::Schedule;
  h.schedule = "daily";
  h.logical_date = h.interval_end = h.created_at = at_second(0);
  h.interval_start = at_second(-86'400);
  h.params = Value::Object{{"limit", 3}};
  h.idempotency_key = "k";
  h.previous = RunId("r0");
  return h;
}

AttemptEnded ended() {
  AttemptEnded e{{RunId("r1"), {TaskId("a"), 3}, 2}, AttemptState::Failed, FailureClass::InfraLost, "node gone"};
  e.exit_code = 137;
  e.outputs = Value::Object{{"loss", 0.5}};
  e.task_to = TaskState::UpForRetry;
  e.retry_at = at_second(30);
  e.infra_budget = true;
  e.memory_step = true;
  e.at = at_second(-1);
  return e;
}

std::vector<Row> rows() {
  const AttemptId id{RunId("r1"), key_of("a"), 1};
  return {
      {RunCreated{header(), {key_of("a"), {TaskId("b"), 0}}},
       R"({"kind":"run_created","run":{"created_at":"2023-11-14T22:13:20.000000Z","dag":"nightly","id":"r1",)"
       R"("idempotency_key":"k","interval_end":"2023-11-14T22:13:20.000000Z",)"
       R"("interval_start":"2023-11-13T22:13:20.000000Z","logical_date":"2023-11-14T22:13:20.000000Z",)"
       R"("params":{"limit":3},"previous":"r0","schedule":"daily","trigger":"schedule","version":"ab12"},"tasks":["a","b[0]"]})"},
      {RunMoved{RunState::Failed, {"a: exit code 1 (user)"}, FailureClass::Timeout},
       R"x({"cause":"timeout","failures":["a: exit code 1 (user)"],"kind":"run_moved","to":"failed"})x"},
      {RunMoved{RunState::Cancelling, {}, FailureClass::External, true},
       R"({"cause":"external","kind":"run_moved","now":true,"to":"cancelling"})"},
      {RunMoved{RunState::Running}, R"({"kind":"run_moved","to":"running"})"},
      {TaskMoved{key_of("a"), TaskState::Failed, "null-value: x", FailureClass::Render},
       R"({"failure":"render","kind":"task_moved","reason":"null-value: x","task":"a","to":"failed"})"},
      {AttemptOpened{id, "local", Value::Object{{"argv", Value::Array{"true"}}}},
       R"({"attempt":"r1/a/1","executor":"local","kind":"attempt_opened","rendered":{"argv":["true"]}})"},
      {AttemptStarted{id, AttemptState::Running, "7:9", at_second(60), at_second(1)},
       R"({"at":"2023-11-14T22:13:21.000000Z","attempt":"r1/a/1","deadline":"2023-11-14T22:14:20.000000Z",)"
       R"("identity":"7:9","kind":"attempt_started","to":"running"})"},
      {AttemptStopping{id, FailureClass::External},
       R"({"attempt":"r1/a/1","cause":"external","kind":"attempt_stopping"})"},
      {AttemptStopping{id, FailureClass::External, "`a[3]` failed"},
       R"({"attempt":"r1/a/1","cause":"external","kind":"attempt_stopping","reason":"`a[3]` failed"})"},
      {ended(),
       R"({"at":"2023-11-14T22:13:19.000000Z","attempt":"r1/a[3]/2","exit_code":137,"failure":"infra_lost",)"
       R"("infra_budget":true,"kind":"attempt_ended","memory_step":true,"outputs":{"loss":0.5},"reason":"node gone",)"
       R"("retry_at":"2023-11-14T22:13:50.000000Z","task_to":"up_for_retry","to":"failed"})"},
      {TaskReset{key_of("a")}, R"({"kind":"task_reset","task":"a"})"},
      {RunReopened{}, R"({"kind":"run_reopened"})"},
      {TaskExpanded{TaskId("a"), Value::Array{1, "x", Value()}},
       R"({"items":[1,"x",null],"kind":"task_expanded","task":"a"})"},
      {ClockMoved{std::chrono::seconds(-90)}, R"({"by_us":-90000000,"kind":"clock_moved"})"},
      {RunReopened{"b1"}, R"({"backfill":"b1","kind":"run_reopened"})"},
      {TaskMoved{key_of("a"), TaskState::Success, "taken over", FailureClass::None, Value::Object{{"n", 1}}},
       R"({"kind":"task_moved","outputs":{"n":1},"reason":"taken over","task":"a","to":"success"})"},
      {TaskClearing{key_of("a")}, R"({"kind":"task_clearing","task":"a"})"},
      {TaskMarked{key_of("a"), TaskState::Skipped, "by hand"},
       R"({"kind":"task_marked","reason":"by hand","task":"a","to":"skipped"})"},
      {RunMarked{RunState::Success, "by hand"}, R"({"kind":"run_marked","reason":"by hand","to":"success"})"},
      {RunReversioned{VersionId("cd34"), Value::Object{{"n", 1}}, {key_of("b")}, {key_of("a")}},
       R"({"added":["b"],"kind":"run_reversioned","params":{"n":1},"removed":["a"],"version":"cd34"})"},
      {TaskWaiting{key_of("a"), Value::Object{{"kind", "for"}}, at_second(60), at_second(90), "for 1m"},
       R"({"deadline":"2023-11-14T22:14:50.000000Z","due":"2023-11-14T22:14:20.000000Z","kind":"task_waiting",)"
       R"("reason":"for 1m","task":"a","what":{"kind":"for"}})"},
      {TaskMoved{key_of("b"), TaskState::Success, "cached", FailureClass::None, Value::Object{{"n", 1}}, id,
                 Value::Object{{"V", 2}}},
       R"({"cached":"r1/a/1","kind":"task_moved","outputs":{"n":1},"reason":"cached","task":"b","to":"success",)"
       R"("vars":{"V":2}})"},
  };
}

TEST(EventValue, HasTheStoredFormAndReadsItBack) {
  for (const Row& row : rows()) {
    EXPECT_EQ(to_value(row.body).dump(), row.json);
    const auto parsed = parse_json(row.json);
    ASSERT_TRUE(parsed);
    const auto back = event_from_value(*parsed);
    ASSERT_TRUE(back) << row.json;
    EXPECT_EQ(back->index(), row.body.index());
    EXPECT_EQ(to_value(*back).dump(), row.json);
    EXPECT_EQ(kind_of(*back), parsed->get_string("kind"));
  }
}

TEST(EventValue, ASuccessCarriesItsVariablesAndDatasets) {
  AttemptEnded e = ended();
  e.vars = Value::Object{{"BEST", 0.5}};
  e.datasets = {"s3://lake/a", "s3://lake/b"};
  const auto back = event_from_value(to_value(e));
  ASSERT_TRUE(back);
  EXPECT_EQ(std::get<AttemptEnded>(*back).vars, e.vars);
  EXPECT_EQ(std::get<AttemptEnded>(*back).datasets, e.datasets);
}

TEST(EventValue, ASubRunNamesItsParent) {
  RunHeader h = header();
  h.parent = ParentTask{RunId("r0"), {TaskId("b"), 2}, 3, 4};
  const auto back = event_from_value(to_value(RunCreated{h, {}}));
  ASSERT_TRUE(back);
  EXPECT_EQ(std::get<RunCreated>(*back).header, h);
  const auto row = parent_from_value(to_value(h.parent));
  ASSERT_TRUE(row);
  EXPECT_EQ(*row, h.parent);
  EXPECT_FALSE(parent_from_value(Value::Object{{"run", "r0"}}));
}

TEST(EventValue, AWaitInARowIsReadBack) {
  const std::optional<WaitState> waiting = WaitState{Value::Object{{"kind", "until"}}, at_second(1), at_second(2), {}};
  const auto back = waiting_from_value(to_value(waiting));
  ASSERT_TRUE(back);
  EXPECT_EQ(*back, waiting);
  EXPECT_EQ(*waiting_from_value(Value()), std::nullopt);
  EXPECT_EQ(waiting_from_value(Value::Object{{"what", 1}}).error().message, "event lacks `since`");
}

TEST(EventValue, ExitCodeZeroIsNotLost) {
  AttemptEnded e = ended();
  e.exit_code = 0;
  const auto back = event_from_value(to_value(e));
  ASSERT_TRUE(back);
  EXPECT_EQ(std::get<AttemptEnded>(*back).exit_code, 0);
}

TEST(EventValue, IgnoresFieldsItDoesNotKnow) {
  const auto back = event_from_value(Value::Object{{"kind", "task_reset"}, {"task", "a"}, {"later", 1}});
  ASSERT_TRUE(back);
  EXPECT_EQ(std::get<TaskReset>(*back).key, key_of("a"));
}

TEST(EventValue, RefusesWhatItCannotRead) {
  const auto refusal = [](const char* json) {
    const auto back = event_from_value(*parse_json(json));
    return back ? std::string("accepted") : back.error().message;
  };
  EXPECT_EQ(refusal(R"({"kind":"task_gone"})"), "event of unknown kind `task_gone`");
  EXPECT_EQ(refusal(R"([])"), "event of unknown kind ``");
  EXPECT_EQ(refusal(R"({"kind":"task_reset"})"), "event lacks `task`");
  EXPECT_EQ(refusal(R"({"kind":"task_reset","task":"../x"})"), "event has an unusable `task`: \"../x\"");
  EXPECT_EQ(refusal(R"({"kind":"run_moved","to":"flying"})"), "event has an unusable `to`: \"flying\"");
  EXPECT_EQ(refusal(R"({"kind":"run_moved","to":"failed","failures":[1]})"), "event has an unusable `failures`: [1]");
  EXPECT_EQ(refusal(R"({"kind":"attempt_started","attempt":"r/a/1","to":"running","deadline":"soon"})"),
            "event has an unusable `deadline`: \"soon\"");
}

}  // namespace
}  // namespace slipway::run
