#include <algorithm>

#include "support/engine_world.h"

namespace slipway::engine {
namespace {

using namespace std::chrono_literals;
using run::BackfillState;
using run::Reprocess;
using run::RunState;
using run::TaskState;
using test::EngineWorld;
using test::key_of;

constexpr const char* kDag =
    "dag: d\nparams: {n: {type: integer, default: 1}}\nschedule: {name: s, every: 1h, missed: none}\n"
    "tasks:\n  a: {run: 'true'}\n  b: {needs: a, run: 'true'}\n";

class BackfillTest : public ::testing::Test, public EngineWorld {
 protected:
  void SetUp() override {
    options.slots = 8;
    boot();
    put(kDag);
    pause("d");
  }
  void pause(const std::string& dag, bool paused = true) { ASSERT_TRUE(ask(PauseDag{DagId(dag), paused})); }
  // The `hours` ticks before now.
  StartBackfill past(int hours, const std::string& dag = "d") {
    return {.dag = DagId(dag), .schedule = {}, .from = clock.now() - std::chrono::hours(hours), .to = clock.now()};
  }
  std::string begin(const StartBackfill& command) {
    const auto reply = ask(command);
    EXPECT_TRUE(reply) << reply.error().message;
    return reply ? reply->backfill : "";
  }
  template <class C>
  Error refusal(C command) {
    const auto reply = ask(std::move(command));
    EXPECT_FALSE(reply);
    return reply ? Error{ErrorCode::Internal, "", {}} : reply.error();
  }
  [[nodiscard]] const run::Backfill& stored(const std::string& id) const { return disk->backfills.at(id); }
  // "4 ticks: 2 created, 1 cleared, 1 left; 2 succeeded, 1 failed, 0 cancelled"
  [[nodiscard]] std::string counts(const std::string& id) const {
    const run::Backfill& b = stored(id);
    const auto text = [](int count, const char* what) { return std::to_string(count) + what; };
    return text(b.ticks, " ticks: ") + text(b.created, " created, ") + text(b.cleared, " cleared, ") +
           text(b.left, " left; ") + text(b.succeeded, " succeeded, ") + text(b.failed, " failed, ") +
           text(b.cancelled, " cancelled");
  }
  // Attempts of `a` and of `b` in the runs, oldest logical date first: "1/1 2/1".
  [[nodiscard]] std::string attempts() const {
    std::map<Instant, std::string> texts;
    for (const auto& [id, run] : disk->runs)
      texts[run.header.logical_date] =
          std::to_string(run.tasks.at(key_of("a")).attempts) + "/" + std::to_string(run.tasks.at(key_of("b")).attempts);
    std::string all;
    for (const auto& [date, text] : texts) all += (all.empty() ? "" : " ") + text;
    return all;
  }
  // Of its runs, in the order in which they were made.
  [[nodiscard]] std::vector<Instant> dates() const {
    std::vector<Instant> found;
    for (const auto& [id, run] : disk->runs) found.push_back(run.header.logical_date);
    return found;
  }
  [[nodiscard]] int most_at_once() const {
    int most = 0;
    for (const auto& [id, run] : disk->runs) {
      const auto under_way = [at = *run.started_at](const auto& other) {
        return *other.second.started_at <= at && at < *other.second.ended_at;
      };
      most = std::max(most, static_cast<int>(std::count_if(disk->runs.begin(), disk->runs.end(), under_way)));
    }
    return most;
  }
};

TEST_F(BackfillTest, MakesARunOfEachTickBesideTheLimitsOfTheDag) {
  scripts["a"].run_time = 10s;
  StartBackfill command = past(5);
  command.max_active = 2;
  command.params = Value::Object{{"n", 7}};
  const std::string id = begin(command);
  EXPECT_EQ(stored(id).state, BackfillState::Running);
  drive();
  EXPECT_EQ(disk->runs.size(), 5U);
  EXPECT_EQ(most_at_once(), 2);
  for (const auto& [run_id, run] : disk->runs) {
    EXPECT_EQ(run.state, RunState::Success);
    EXPECT_EQ(run.header.trigger, run::TriggerKind::Backfill);
    EXPECT_EQ(run.header.schedule, "s");
    EXPECT_EQ(run.header.interval_end, run.header.logical_date);
    EXPECT_EQ(run.header.interval_end - run.header.interval_start, Duration(1h));
    EXPECT_EQ(run.header.params.dump(), R"({"n":7})");
    EXPECT_EQ(run.backfill, id);
  }
  const auto in_order = dates();
  EXPECT_TRUE(std::is_sorted(in_order.begin(), in_order.end()));
  EXPECT_EQ(stored(id).state, BackfillState::Success);
  EXPECT_EQ(stored(id).ended_at, clock.now());
  EXPECT_EQ(counts(id), "5 ticks: 5 created, 0 cleared, 0 left; 5 succeeded, 0 failed, 0 cancelled");
  EXPECT_TRUE(daemon->snapshot().backfills.empty());
}

TEST_F(BackfillTest, RunsOfTheDagGoOnBesideIt) {
  scripts["a"].run_time = 10s;
  const RunId by_hand = trigger();
  const std::string id = begin(past(2));
  drive(clock.now() + 1s);
  EXPECT_EQ(run(by_hand).state, RunState::Running);
  EXPECT_EQ(stored(id).open(), 1);
  drive();
  EXPECT_EQ(most_at_once(), 2) << "max_active_runs is 1";
}

TEST_F(BackfillTest, ReverseBeginsWithTheNewest) {
  StartBackfill command = past(4);
  command.reverse = true;
  begin(command);
  drive();
  const auto in_order = dates();
  EXPECT_EQ(in_order.size(), 4U);
  EXPECT_TRUE(std::is_sorted(in_order.rbegin(), in_order.rend()));
}

TEST_F(BackfillTest, GoesOnAfterARestart) {
  scripts["a"].run_time = 10s;
  scripts["b"].exit_code = 1;
  const std::string id = begin(past(4));
  drive(clock.now() + 15s);
  ASSERT_EQ(stored(id).failed, 1);
  die();
  scripts["b"].exit_code = 0;
  boot();
  drive();
  EXPECT_EQ(disk->runs.size(), 4U);
  EXPECT_EQ(stored(id).state, BackfillState::Failed);
  EXPECT_EQ(counts(id), "4 ticks: 4 created, 0 cleared, 0 left; 3 succeeded, 1 failed, 0 cancelled");
}

TEST_F(BackfillTest, ATickHasOneRunWhoeverMadeIt) {
  pause("d", false);
  drive(clock.now() + 3h);
  ASSERT_EQ(disk->runs.size(), 3U);
  pause("d");
  StartBackfill command = past(6);
  command.preview = true;
  const auto preview = ask(command);
  ASSERT_EQ(preview->ticks.size(), 6U);
  EXPECT_EQ(preview->ticks.front().action, TickAction::Create);
  EXPECT_TRUE(preview->ticks.front().run.empty());
  EXPECT_EQ(preview->ticks.back(), (TickChange{disk->runs.rbegin()->second.header.logical_date,
                                               disk->runs.rbegin()->first, RunState::Success, TickAction::Leave}));
  EXPECT_EQ(disk->runs.size(), 3U);
  EXPECT_TRUE(disk->backfills.empty());
  command.preview = false;
  const std::string id = begin(command);
  drive();
  EXPECT_EQ(counts(id), "6 ticks: 3 created, 0 cleared, 3 left; 3 succeeded, 0 failed, 0 cancelled");
  EXPECT_EQ(attempts(), "1/1 1/1 1/1 1/1 1/1 1/1");
}

TEST_F(BackfillTest, AScheduleLeavesAloneWhatABackfillHasDealtWith) {
  put("dag: late\nschedule: {name: s, every: 1h, missed: all}\ntasks:\n  a: {run: 'true'}\n  b: {run: 'true'}\n",
      "late.yaml");
  pause("late");
  drive(clock.now() + 4h);
  begin(past(4, "late"));
  drive();
  const std::size_t runs = disk->runs.size();
  EXPECT_EQ(runs, 4U);
  pause("late", false);
  drive(clock.now() + 1min);
  EXPECT_EQ(disk->runs.size(), runs);
}

struct ReprocessRow {
  Reprocess reprocess;
  const char* counts;
  const char* attempts;  // of tasks a/b in a run that failed in b, and in one that succeeded
};
class ReprocessTest : public BackfillTest, public ::testing::WithParamInterface<ReprocessRow> {};

TEST_P(ReprocessTest, RunsAgainWhatItSays) {
  scripts["b"].exit_code = 1;
  StartBackfill command = past(1);
  command.from -= 1h;
  command.to -= 1h;
  begin(command);
  drive();
  scripts.clear();
  begin(past(1));
  drive();
  ASSERT_EQ(attempts(), "1/1 1/1");
  command = past(3);
  command.reprocess = GetParam().reprocess;
  command.preview = true;
  const auto preview = ask(command);
  command.preview = false;
  const std::string id = begin(command);
  drive();
  EXPECT_EQ(counts(id), GetParam().counts);
  EXPECT_EQ(attempts(), GetParam().attempts);
  const auto told = [&](TickAction action) {
    return std::count_if(preview->ticks.begin(), preview->ticks.end(),
                         [&](const auto& t) { return t.action == action; });
  };
  EXPECT_EQ(told(TickAction::Leave), stored(id).left);
  EXPECT_EQ(told(TickAction::Create), stored(id).created);
  EXPECT_EQ(told(TickAction::Retry) + told(TickAction::Clear), stored(id).cleared);
}

INSTANTIATE_TEST_SUITE_P(
    Table, ReprocessTest,
    ::testing::Values(
        ReprocessRow{Reprocess::None, "3 ticks: 1 created, 0 cleared, 2 left; 1 succeeded, 0 failed, 0 cancelled",
                     "1/1 1/1 1/1"},
        ReprocessRow{Reprocess::Failed, "3 ticks: 1 created, 1 cleared, 1 left; 2 succeeded, 0 failed, 0 cancelled",
                     "1/1 1/2 1/1"},
        ReprocessRow{Reprocess::All, "3 ticks: 1 created, 2 cleared, 0 left; 3 succeeded, 0 failed, 0 cancelled",
                     "1/1 2/2 2/2"}),
    [](const auto& row) { return std::string(run::kReprocess.text(row.param.reprocess)); });

TEST_F(BackfillTest, ARunThatIsNotOverIsLeftAlone) {
  scripts["a"].run_time = 10min;
  begin(past(1));
  drive(clock.now() + 5s);
  StartBackfill command = past(1);
  command.reprocess = Reprocess::All;
  const std::string id = begin(command);
  EXPECT_EQ(stored(id).state, BackfillState::Success);
  EXPECT_EQ(counts(id), "1 ticks: 0 created, 0 cleared, 1 left; 0 succeeded, 0 failed, 0 cancelled");
}

TEST_F(BackfillTest, CancelStopsItsRunsUnlessTheyAreKept) {
  scripts["a"].run_time = 10min;
  for (const bool keep : {true, false}) {
    const std::string id = begin(past(4));
    drive(clock.now() + 5s);
    ASSERT_TRUE(ask(CancelBackfill{id, keep}));
    EXPECT_EQ(stored(id).state, BackfillState::Cancelled);
    EXPECT_EQ(stored(id).next, std::nullopt);
    EXPECT_EQ(stored(id).ended_at, std::nullopt) << "its run is not over";
    drive();
    EXPECT_NE(stored(id).ended_at, std::nullopt);
    EXPECT_EQ(stored(id).state, BackfillState::Cancelled);
    EXPECT_EQ(stored(id).cancelled, keep ? 0 : 1);
    EXPECT_EQ(refusal(CancelBackfill{id}).code, ErrorCode::Conflict);
    EXPECT_EQ(disk->runs.rbegin()->second.state, keep ? RunState::Success : RunState::Cancelled);
  }
  EXPECT_EQ(disk->runs.size(), 2U);
  EXPECT_EQ(refusal(CancelBackfill{"nobody"}).code, ErrorCode::NotFound);
}

TEST_F(BackfillTest, WhatWasKeptCanBeCancelledAfterAll) {
  scripts["a"].run_time = 10min;
  const std::string id = begin(past(4));
  drive(clock.now() + 5s);
  ASSERT_TRUE(ask(CancelBackfill{id, true}));
  ASSERT_TRUE(ask(CancelBackfill{id, false}));
  drive();
  EXPECT_EQ(counts(id), "4 ticks: 1 created, 0 cleared, 0 left; 0 succeeded, 0 failed, 1 cancelled");
}

TEST_F(BackfillTest, ARetryStaysWithItWhileItGoesOn) {
  scripts["b"].exit_code = 1;
  scripts["a"].run_time = 10s;
  const std::string id = begin(past(3));
  drive(clock.now() + 15s);
  ASSERT_EQ(stored(id).failed, 1);
  const RunId first = disk->runs.begin()->first;
  scripts["b"].exit_code = 0;
  ASSERT_TRUE(ask(RetryRun{first, {}}));
  EXPECT_EQ(run(first).state, RunState::Queued) << "another run of the backfill is under way";
  drive();
  EXPECT_EQ(counts(id), "3 ticks: 3 created, 0 cleared, 0 left; 3 succeeded, 0 failed, 0 cancelled");
  EXPECT_EQ(stored(id).state, BackfillState::Success);
  ASSERT_TRUE(ask(ClearRun{.run = first}));
  EXPECT_EQ(run(first).backfill, "") << "it is over";
  drive();
  EXPECT_EQ(stored(id).succeeded, 3);
}

TEST_F(BackfillTest, TasksThatDependOnThePastRunInOrder) {
  put("dag: past\nschedule: {name: s, every: 1h, missed: none}\ntasks:\n  a: {run: 'true', depends_on_past: true}\n"
      "  b: {run: 'true'}\n",
      "past.yaml");
  pause("past");
  StartBackfill command = past(3, "past");
  command.reverse = true;
  EXPECT_EQ(refusal(command).message, "tasks of DAG `past` depend on the past, so their ticks run oldest first");
  command.reverse = false;
  command.max_active = 3;
  scripts["a"].exit_code = 1;
  const std::string id = begin(command);
  drive();
  ASSERT_EQ(disk->runs.size(), 3U);
  RunId before;
  for (const auto& [run_id, run] : disk->runs) {
    EXPECT_EQ(run.header.previous, before);
    before = run_id;
  }
  const RunId first = disk->runs.begin()->first;
  EXPECT_EQ(task(first, "a").attempts, 1);
  EXPECT_EQ(task(before, "a").attempts, 0) << "it waits for the run before";
  scripts["a"].exit_code = 0;
  ASSERT_TRUE(ask(RetryRun{first, {}}));
  drive();
  EXPECT_EQ(stored(id).state, BackfillState::Success);
  // A tick of the schedule knows the backfill's run before it.
  pause("past", false);
  drive(clock.now() + 1h);
  EXPECT_EQ(disk->runs.rbegin()->second.header.trigger, run::TriggerKind::Schedule);
  EXPECT_EQ(disk->runs.rbegin()->second.header.previous, before);
}

TEST_F(BackfillTest, EndsWhereItCannotGoOn) {
  scripts["a"].run_time = 10s;
  const std::string without_schedule =
      "dag: d\nparams: {n: {type: integer, default: 1}}\nschedule: {name: t, every: 1h, missed: none}\n"
      "tasks:\n  a: {run: 'true'}\n  b: {needs: a, run: 'true'}\n";
  const std::string without_default =
      "dag: d\nparams: {n: {type: integer}}\nschedule: {name: s, every: 1h, missed: none, params: {n: 1}}\n"
      "tasks:\n  a: {run: 'true'}\n  b: {needs: a, run: 'true'}\n";
  const std::string other_name =
      "dag: d\nparams: {m: {type: integer, default: 1}}\nschedule: {name: s, every: 1h, missed: none}\n"
      "tasks:\n  a: {run: 'true'}\n  b: {needs: a, run: 'true'}\n";
  const std::vector<std::pair<std::string, std::string>> rows{
      {without_schedule, "the DAG has no schedule `s` any more"}, {without_default, ""}, {other_name, "`n`"}};
  for (const auto& [text, reason] : rows) {
    StartBackfill command = past(3);
    command.params = Value::Object{{"n", 2}};
    const std::string id = begin(command);
    drive(clock.now() + 5s);
    put(text);
    drive();
    EXPECT_EQ(stored(id).state, reason.empty() ? BackfillState::Success : BackfillState::Failed);
    EXPECT_NE(stored(id).reason.find(reason), std::string::npos) << stored(id).reason;
    EXPECT_EQ(stored(id).succeeded, reason.empty() ? 3 : 1) << "its runs go on";
    put(kDag);
    drive(clock.now() + 3h);  // other ticks
  }
}

TEST_F(BackfillTest, WaitsWhileTheFileIsGone) {
  scripts["a"].run_time = 10s;
  const std::string id = begin(past(3));
  drive(clock.now() + 5s);
  ASSERT_TRUE(ask(DagFolder{{{"d.yaml", "", false}}, false}));
  drive();
  EXPECT_EQ(counts(id), "3 ticks: 1 created, 0 cleared, 0 left; 1 succeeded, 0 failed, 0 cancelled");
  EXPECT_EQ(stored(id).state, BackfillState::Running);
  put(kDag);
  drive();
  EXPECT_EQ(stored(id).succeeded, 3);
}

TEST_F(BackfillTest, ServicesAreNotDeployedUnlessTheySaySo) {
  for (const bool deploys : {false, true}) {
    put(std::string("dag: web\nschedule: {name: s, every: 1h, missed: none}\ntasks:\n") +
            "  serve: {service: {name: web, run: [serve], port: 8000" + (deploys ? ", deploy_on_backfill: true" : "") +
            "}}\n",
        "web.yaml");
    pause("web");
    begin(past(1, "web"));
    drive();
    const run::TaskInstance& serve = task(disk->runs.rbegin()->first, "serve");
    EXPECT_EQ(serve.state, deploys ? TaskState::Success : TaskState::Skipped);
    EXPECT_EQ(serve.attempts, deploys ? 1 : 0);
    EXPECT_EQ(serve.reason, deploys ? "" : "a backfill deploys no service without `deploy_on_backfill: true`");
    drive(clock.now() + 1h);
  }
}

// Ticks that need nothing are passed over many at a time.
TEST_F(BackfillTest, PassesOverWhatIsThere) {
  put("dag: many\nschedule: {name: s, every: 1m, missed: none}\ntasks:\n  a: {noop: true}\n", "many.yaml");
  pause("many");
  StartBackfill command = past(10, "many");
  command.max_active = 50;
  begin(command);
  drive();
  ASSERT_EQ(disk->runs.size(), 600U);
  const std::string id = begin(command);
  EXPECT_EQ(stored(id).state, BackfillState::Success);
  EXPECT_EQ(stored(id).left, 600);
}

TEST_F(BackfillTest, WhatMakesNoSenseIsRefused) {
  put("dag: bare\ntasks:\n  a: {run: 'true'}\n", "bare.yaml");
  put("dag: two\nschedule: [{name: s, every: 1h}, {name: t, every: 2h}]\ntasks:\n  a: {run: 'true'}\n", "two.yaml");
  const auto with = [&](auto change) {
    StartBackfill command = past(3);
    change(command);
    const Error error = refusal(std::move(command));
    return std::string(kErrorCodes.text(error.code)) + ": " + error.message;
  };
  const auto dag = [](const char* id) { return [id](StartBackfill& c) { c.dag = DagId(id); }; };
  EXPECT_EQ(with(dag("x")), "not-found: there is no DAG `x`");
  EXPECT_EQ(with(dag("bare")), "invalid-argument: DAG `bare` has no schedule of ticks");
  EXPECT_EQ(with(dag("two")), "invalid-argument: DAG `two` has several schedules");
  EXPECT_EQ(with([](StartBackfill& c) { c.schedule = "x"; }), "not-found: DAG `d` has no schedule `x` of ticks");
  EXPECT_EQ(with([](StartBackfill& c) { std::swap(c.from, c.to); }),
            "invalid-argument: the range ends before it begins");
  EXPECT_EQ(with([](StartBackfill& c) { c.to += 2h; }), "invalid-argument: the range ends in the future");
  EXPECT_EQ(with([](StartBackfill& c) { c.max_active = 0; }), "invalid-argument: `max_active` is not from 1 to 1000");
  EXPECT_EQ(with([](StartBackfill& c) { c.from -= 10'000h; }), "too-large: the range has more than 10000 ticks");
  EXPECT_EQ(with([](StartBackfill& c) { c.from = c.to; }).rfind("invalid-argument: the schedule has no tick", 0), 0U);
  EXPECT_EQ(with([](StartBackfill& c) { c.params = Value::Object{{"n", "x"}}; }).rfind("invalid-argument", 0), 0U);
  EXPECT_TRUE(disk->backfills.empty());
  scripts["a"].run_time = 1h;
  const std::string first = begin(past(3));
  EXPECT_EQ(with([](StartBackfill& c) { c.from += 1h; }),
            "conflict: backfill " + first + " deals with ticks of that range");
}

TEST_F(BackfillTest, NoMoreThanAHundredAreUnderWay) {
  scripts["a"].run_time = 1h;
  StartBackfill command = past(1);
  for (int i = 0; i < kBackfillsMax; ++i, command.from -= 1h, command.to -= 1h) begin(command);
  EXPECT_EQ(refusal(command).message, "100 backfills are under way");
}

}  // namespace
}  // namespace slipway::engine
