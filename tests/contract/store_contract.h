// What every store must do: a suite to be instantiated on each of them.
//
//   INSTANTIATE_TEST_SUITE_P(Sqlite, StoreContract, ::testing::Values(make_sqlite_place));
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>

#include "slipway/store/store.h"
#include "support/run_builder.h"

namespace slipway::test {

// Where a store keeps its state. open() may be called again once the store before was destroyed: a restart.
class StorePlace {
 public:
  virtual ~StorePlace() = default;
  [[nodiscard]] virtual std::unique_ptr<store::Store> open() = 0;
};
using MakeStorePlace = std::function<std::unique_ptr<StorePlace>()>;

// One run, told as events that are committed as the test says.
class Story {
 public:
  explicit Story(const std::string& id, const std::string& key = {}, std::optional<Instant> tick = {}) {
    run::RunCreated created;
    created.header.id = RunId(id);
    created.header.dag = DagId("d");
    created.header.version = VersionId("v1");
    created.header.trigger = tick ? run::TriggerKind::Schedule : run::TriggerKind::Manual;
    created.header.schedule = tick ? "daily" : "";
    created.header.logical_date = tick.value_or(at_second(0));
    created.header.interval_start = created.header.interval_end = created.header.logical_date;
    created.header.created_at = at_second(0);
    created.header.params = Value::Object{{"n", 1}};
    created.header.idempotency_key = key;
    created.tasks = {key_of("a"), key_of("b")};
    tell(std::move(created));
  }
  Story& tell(run::EventBody body) {
    const RunId id = run.header.id.empty() ? std::get<run::RunCreated>(body).header.id : run.header.id;
    events.push_back({id, run.last_seq + 1, at_second(static_cast<std::int64_t>(run.last_seq)), std::move(body)});
    run::apply(run, events.back());
    return *this;
  }
  // From scheduled to success.
  Story& finish(const std::string& task) {
    const AttemptId id{run.header.id, key_of(task), run.tasks.at(key_of(task)).attempts + 1};
    if (run.tasks.at(key_of(task)).state == run::TaskState::None)
      tell(run::TaskMoved{key_of(task), run::TaskState::Scheduled});
    tell(run::AttemptOpened{id, "fake", Value::Object{{"argv", Value::Array{"true"}}}});
    tell(run::AttemptStarted{id, run::AttemptState::Running, "7:1", at_second(99)});
    run::AttemptEnded ended{id, run::AttemptState::Succeeded};
    ended.exit_code = 0;
    ended.outputs = Value::Object{{"loss", 0.25}};
    ended.task_to = run::TaskState::Success;
    return tell(std::move(ended));
  }
  // Over, cancelled before anything started.
  Story& end() {
    tell(run::RunMoved{run::RunState::Cancelling, {}, run::FailureClass::External});
    return tell(run::RunMoved{run::RunState::Cancelled});
  }
  // What was told since the last call; the first time with the version of the DAG, as an engine would.
  [[nodiscard]] store::Batch batch() {
    store::Batch batch;
    if (committed_ == 0) batch.versions = {{VersionId("v1"), DagId("d"), "d.yaml", "dag: d\n", at_second(0)}};
    batch.events.assign(events.begin() + static_cast<std::ptrdiff_t>(committed_), events.end());
    batch.runs = {&run};
    committed_ = events.size();
    return batch;
  }

  run::Run run;
  std::vector<run::Event> events;

 private:
  std::size_t committed_ = 0;
};

class StoreContract : public ::testing::TestWithParam<MakeStorePlace> {
 protected:
  void SetUp() override {
    place_ = GetParam()();
    reopen();
  }
  void reopen() {
    store_.reset();
    store_ = place_->open();
    auto recovered = store_->recover();
    ASSERT_TRUE(recovered) << recovered.error().message;
    recovered_ = *std::move(recovered);
  }
  void commit(Story& story) {
    const auto done = store_->commit(story.batch());
    ASSERT_TRUE(done) << done.error().message;
  }
  void expect_sound() {
    const auto findings = store_->check();
    ASSERT_TRUE(findings) << findings.error().message;
    for (const store::Finding& finding : *findings) ADD_FAILURE() << finding.invariant << ": " << finding.detail;
  }

  std::unique_ptr<StorePlace> place_;
  std::unique_ptr<store::Store> store_;
  store::Recovered recovered_;
};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(StoreContract);

TEST_P(StoreContract, KeepsTheClocksAndWhatTheyMoved) {
  EXPECT_FALSE(recovered_.clock.has_value());
  Story story("r1");
  const AttemptId id{RunId("r1"), key_of("a"), 1};
  story.tell(run::RunMoved{run::RunState::Running});
  story.tell(run::TaskMoved{key_of("a"), run::TaskState::Scheduled});
  story.tell(run::AttemptOpened{id, "fake", {}});
  story.tell(run::AttemptStarted{id, run::AttemptState::Running, "7:1", at_second(99)});
  commit(story);
  story.tell(run::ClockMoved{std::chrono::hours(-1)});
  store::Batch batch = story.batch();
  batch.clock = store::ClockAnchor{0xfedcba9876543210ULL, std::chrono::seconds(-5)};
  ASSERT_TRUE(store_->commit(batch));
  reopen();
  EXPECT_EQ(recovered_.clock, batch.clock);
  EXPECT_EQ(recovered_.runs.at(0), story.run);
  EXPECT_EQ(recovered_.runs.at(0).attempts.at(id).deadline, at_second(99 - 3600));
  expect_sound();
}

TEST_P(StoreContract, BeginsEmptyAndCountsItsStarts) {
  EXPECT_TRUE(recovered_.runs.empty());
  EXPECT_TRUE(recovered_.dags.empty());
  EXPECT_TRUE(recovered_.vars.is_object());
  const std::uint64_t first = recovered_.boot_epoch;
  reopen();
  EXPECT_EQ(recovered_.boot_epoch, first + 1);
}

TEST_P(StoreContract, KeepsPoolsAndShares) {
  store::Batch batch;
  batch.pools = {{PoolId("gpu"), run::Pool{2, "the cards"}}, {PoolId("db"), run::Pool{0, {}}}};
  batch.shares = {{PoolId("gpu"), DagId("d"), 1'500'000, at_second(3)},
                  {PoolId("default"), DagId("d"), 7, at_second(3)}};
  ASSERT_TRUE(store_->commit(batch));
  batch.pools = {{PoolId("gpu"), run::Pool{3, "more cards"}}, {PoolId("db"), std::nullopt}};
  batch.shares = {{PoolId("gpu"), DagId("d"), 2'500'000, at_second(9)}};
  ASSERT_TRUE(store_->commit(batch));
  reopen();
  const std::map<PoolId, run::Pool> pools{{PoolId("gpu"), run::Pool{3, "more cards"}}};
  const std::vector<run::Share> shares{{PoolId("default"), DagId("d"), 7, at_second(3)},
                                       {PoolId("gpu"), DagId("d"), 2'500'000, at_second(9)}};
  EXPECT_EQ(recovered_.pools, pools);
  EXPECT_EQ(recovered_.shares, shares);
}

TEST_P(StoreContract, ACommittedRunIsThereAfterARestart) {
  Story story("r1");
  story.tell(run::RunMoved{run::RunState::Running}).finish("a");
  commit(story);
  reopen();
  ASSERT_EQ(recovered_.runs.size(), 1U);
  EXPECT_EQ(recovered_.runs[0], story.run);
  expect_sound();
}

TEST_P(StoreContract, KeepsEveryInstanceOfAnExpansion) {
  Story story("r1");
  story.tell(run::RunMoved{run::RunState::Running});
  commit(story);
  story.tell(run::TaskExpanded{TaskId("a"), Value::Array{1, "x", Value::Object{{"k", 2}}}});
  story.finish("a[0]").finish("a[1]").finish("a[2]");
  commit(story);
  story.tell(run::TaskReset{key_of("a")});
  story.tell(run::TaskExpanded{TaskId("a"), Value::Array{Value(), 3}});
  commit(story);
  const auto loaded = store_->load_run(RunId("r1"));
  ASSERT_TRUE(loaded);
  EXPECT_EQ(*loaded, story.run);
  reopen();
  ASSERT_EQ(recovered_.runs.size(), 1U);
  EXPECT_EQ(recovered_.runs[0], story.run);
  expect_sound();
}

TEST_P(StoreContract, KeepsHowARunWasCancelled) {
  Story story("r1");
  story.tell(run::RunMoved{run::RunState::Cancelling, {}, run::FailureClass::External, true});
  commit(story);
  const auto loaded = store_->load_run(RunId("r1"));
  ASSERT_TRUE(loaded);
  EXPECT_TRUE(loaded->cancel_now);
  EXPECT_EQ(*loaded, story.run);
}

TEST_P(StoreContract, FindsTheRunBeforeOfASchedule) {
  Story first("r3", {}, at_second(100)), second("r2", {}, at_second(200)), manual("r4");
  for (Story* story : {&first, &second, &manual}) commit(*story);
  const auto before = [&](int second_of_date, const char* schedule = "daily") {
    const auto found = store_->run_before(DagId("d"), schedule, at_second(second_of_date));
    EXPECT_TRUE(found);
    return found && *found ? (*found)->str() : std::string("none");
  };
  EXPECT_EQ(before(300), "r2");
  EXPECT_EQ(before(200), "r3");
  EXPECT_EQ(before(100), "none");
  EXPECT_EQ(before(300, "hourly"), "none");
}

TEST_P(StoreContract, WhatWasNotCommittedIsNot) {
  Story story("r1");
  commit(story);
  const run::Run before = story.run;
  story.tell(run::RunMoved{run::RunState::Running});
  reopen();
  ASSERT_EQ(recovered_.runs.size(), 1U);
  EXPECT_EQ(recovered_.runs[0], before);
}

TEST_P(StoreContract, OnlyRunsThatAreNotOverAreRecoveredOldestFirst) {
  Story late("r3"), over("r1"), early("r2");
  over.tell(run::RunMoved{run::RunState::Cancelling, {}, run::FailureClass::External});
  over.tell(run::RunMoved{run::RunState::Cancelled});
  commit(late);
  commit(over);
  commit(early);
  reopen();
  ASSERT_EQ(recovered_.runs.size(), 2U);
  EXPECT_EQ(recovered_.runs[0].header.id, RunId("r2"));
  EXPECT_EQ(recovered_.runs[1].header.id, RunId("r3"));
  const auto loaded = store_->load_run(RunId("r1"));
  ASSERT_TRUE(loaded);
  EXPECT_EQ(*loaded, over.run);
}

TEST_P(StoreContract, OneRunPerIdempotencyKey) {
  Story first("r1", "key"), second("r2", "key");
  commit(first);
  EXPECT_EQ(store_->commit(second.batch()).error().code, ErrorCode::Conflict);
  const auto found = store_->find_idempotent(DagId("d"), "key");
  ASSERT_TRUE(found);
  EXPECT_EQ(*found, RunId("r1"));
  EXPECT_EQ(*store_->find_idempotent(DagId("d"), "other"), std::nullopt);
  EXPECT_EQ(*store_->find_idempotent(DagId("e"), "key"), std::nullopt);
}

TEST_P(StoreContract, OneRunPerTick) {
  Story first("r1", {}, at_second(5)), second("r2", {}, at_second(5)), next("r3", {}, at_second(6));
  commit(first);
  EXPECT_EQ(store_->commit(second.batch()).error().code, ErrorCode::Conflict);
  commit(next);
}

TEST_P(StoreContract, KeepsWhatActionsLeaveOnARun) {
  Story story("r1");
  story.tell(run::RunMoved{run::RunState::Running}).finish("a");
  story.tell(run::TaskReset{key_of("a")}).tell(run::TaskMoved{key_of("a"), run::TaskState::Scheduled});
  const AttemptId open{RunId("r1"), key_of("a"), 2};
  story.tell(run::AttemptOpened{open, "fake", {}});
  story.tell(run::AttemptStopping{open, run::FailureClass::External}).tell(run::TaskClearing{key_of("a")});
  story.tell(run::TaskMarked{key_of("b"), run::TaskState::Failed, "by hand"});
  commit(story);
  reopen();
  ASSERT_EQ(recovered_.runs.size(), 1U);
  EXPECT_TRUE(recovered_.runs[0].tasks.at(key_of("a")).clearing);
  EXPECT_EQ(*store_->load_run(RunId("r1")), story.run);
  run::AttemptEnded ended{open, run::AttemptState::Cancelled, run::FailureClass::External};
  ended.task_to = run::TaskState::Cancelled;
  story.tell(std::move(ended)).tell(run::TaskReset{key_of("a")});
  story.tell(run::RunMarked{run::RunState::Failed, "by hand"});
  commit(story);
  EXPECT_EQ(store_->load_run(RunId("r1"))->marked, run::RunState::Failed);
  story.tell(run::TaskMoved{key_of("a"), run::TaskState::Cancelled}).tell(run::RunMoved{run::RunState::Failed, {"x"}});
  story.tell(run::RunReopened{"b1"});
  story.tell(run::RunReversioned{VersionId("v1"), Value::Object{{"n", 2}}, {key_of("c")}, {key_of("b")}});
  commit(story);
  reopen();
  EXPECT_EQ(*store_->load_run(RunId("r1")), story.run);
  expect_sound();
}

TEST_P(StoreContract, ABackfillClaimsTicksLikeTheirSchedule) {
  Story scheduled("r1", {}, at_second(5));
  Story backfill("r2", {}, at_second(5));
  auto batch = backfill.batch();
  std::get<run::RunCreated>(batch.events.front().body).header.trigger = run::TriggerKind::Backfill;
  backfill.run.header.trigger = run::TriggerKind::Backfill;
  commit(scheduled);
  EXPECT_EQ(store_->commit(batch).error().code, ErrorCode::Conflict);
}

TEST_P(StoreContract, FindsTheRunsOfTicks) {
  Story first("r1", {}, at_second(5)), second("r2", {}, at_second(8)), by_hand("r3");
  auto claimed = second.batch();
  std::get<run::RunCreated>(claimed.events.front().body).header.trigger = run::TriggerKind::Backfill;
  second.run.header.trigger = run::TriggerKind::Backfill;
  first.end();
  commit(first);
  ASSERT_TRUE(store_->commit(claimed));
  commit(by_hand);
  const auto within = [&](const std::string& schedule, int from, int to) {
    return *store_->find_ticks({DagId("d"), schedule, at_second(from), at_second(to)});
  };
  const store::TickRun one{RunId("r1"), run::RunState::Cancelled}, two{RunId("r2"), run::RunState::Queued};
  EXPECT_EQ(within("daily", 0, 9), (std::map<Instant, store::TickRun>{{at_second(5), one}, {at_second(8), two}}));
  EXPECT_EQ(within("daily", 5, 5), (std::map<Instant, store::TickRun>{{at_second(5), one}}));
  EXPECT_EQ(within("daily", 6, 8), (std::map<Instant, store::TickRun>{{at_second(8), two}}));
  EXPECT_TRUE(within("daily", 6, 7).empty());
  EXPECT_TRUE(within("hourly", 0, 9).empty());
  EXPECT_EQ(*store_->run_before(DagId("d"), "daily", at_second(9)), RunId("r2"));
}

TEST_P(StoreContract, KeepsBackfillsUntilTheyEndAndAfter) {
  run::Backfill open{.id = "b1",
                     .dag = DagId("d"),
                     .schedule = "daily",
                     .first = at_second(1),
                     .last = at_second(9),
                     .reverse = true,
                     .max_active = 3,
                     .reprocess = run::Reprocess::All,
                     .params = Value::Object{{"n", 2}},
                     .created_at = at_second(10),
                     .next = at_second(7),
                     .ticks = 9};
  run::Backfill over = open;
  over.id = "b2";
  over.dag = DagId("e");
  store::Batch batch;
  batch.backfills = {open, over};
  ASSERT_FALSE(batch.empty());
  ASSERT_TRUE(store_->commit(batch));
  over.state = run::BackfillState::Failed;
  over.reason = "the schedule is gone";
  over.next.reset();
  over.created = 3;
  over.cleared = 2;
  over.left = 4;
  over.succeeded = 1;
  over.failed = 3;
  over.cancelled = 1;
  over.ended_at = at_second(20);
  batch.backfills = {over};
  ASSERT_TRUE(store_->commit(batch));
  reopen();
  EXPECT_EQ(recovered_.backfills, std::vector<run::Backfill>{open});
  const auto list = [&](const store::BackfillFilter& filter) { return *(*store_->read())->list_backfills(filter); };
  EXPECT_EQ(list({}), (std::vector<run::Backfill>{over, open}));
  EXPECT_EQ(list({.limit = 1}), std::vector<run::Backfill>{over});
  EXPECT_EQ(list({.before = "b2"}), std::vector<run::Backfill>{open});
  EXPECT_EQ(list({.dag = DagId("e")}), std::vector<run::Backfill>{over});
  EXPECT_EQ(list({.state = run::BackfillState::Running}), std::vector<run::Backfill>{open});
  EXPECT_TRUE(list({.dag = DagId("e"), .state = run::BackfillState::Running}).empty());
  EXPECT_EQ(list({.id_prefix = "b1"}), std::vector<run::Backfill>{open});
  expect_sound();
}

TEST_P(StoreContract, ARefusedBatchLeavesNothingBehind) {
  Story first("r1", "key"), second("r2", "key"), innocent("r0");
  commit(first);
  store::Batch batch = innocent.batch();
  const store::Batch refused = second.batch();
  batch.events.insert(batch.events.end(), refused.events.begin(), refused.events.end());
  batch.runs.push_back(&second.run);
  batch.vars["x"] = Value(1);
  EXPECT_FALSE(store_->commit(batch));
  EXPECT_EQ(store_->load_run(RunId("r0")).error().code, ErrorCode::NotFound);
  reopen();
  EXPECT_EQ(recovered_.runs.size(), 1U);
  EXPECT_EQ(recovered_.vars.find("x"), nullptr);
}

TEST_P(StoreContract, KeepsDagsVersionsVarsAndServices) {
  store::Batch batch;
  batch.versions.push_back({VersionId("v1"), DagId("d"), "d.yaml", "dag: d\n", at_second(1)});
  batch.dags.push_back({DagId("d"), VersionId("v1"), true, false, {{"daily", at_second(7)}}, "bad", "d.yaml"});
  batch.vars["a"] = Value(Value::Array{1, "x"});
  batch.vars["b"] = Value(nullptr);
  batch.services.push_back(
      {ServiceId("web"), DagId("d"), {RunId("r1"), key_of("a"), 2}, "http://x", at_second(1), at_second(2)});
  ASSERT_TRUE(store_->commit(batch));
  reopen();
  ASSERT_EQ(recovered_.dags.size(), 1U);
  EXPECT_EQ(recovered_.dags[0].cursors.at("daily"), at_second(7));
  EXPECT_TRUE(recovered_.dags[0].paused);
  EXPECT_FALSE(recovered_.dags[0].present);
  EXPECT_EQ(recovered_.dags[0].error, "bad");
  EXPECT_EQ(recovered_.versions.at(VersionId("v1")).text, "dag: d\n");
  EXPECT_EQ(recovered_.vars.find("a")->dump(), R"([1,"x"])");
  EXPECT_NE(recovered_.vars.find("b"), nullptr);
  ASSERT_EQ(recovered_.services.size(), 1U);
  EXPECT_EQ(recovered_.services[0].revision.str(), "r1/a/2");
  store::Batch gone;
  gone.vars["a"] = std::nullopt;
  gone.services_gone.emplace_back("web");
  ASSERT_TRUE(store_->commit(gone));
  reopen();
  EXPECT_EQ(recovered_.vars.find("a"), nullptr);
  EXPECT_TRUE(recovered_.services.empty());
}

TEST_P(StoreContract, KeepsWaitsParentsAndWhoDidTheWork) {
  Story story("01a");
  story.tell(run::RunMoved{run::RunState::Running});
  story.tell(
      run::TaskWaiting{key_of("a"), Value::Object{{"kind", "until"}}, at_second(9), at_second(99), "until then"});
  story.tell(run::TaskMoved{key_of("b"), run::TaskState::Scheduled});
  story.tell(run::TaskMoved{key_of("b"),
                            run::TaskState::Success,
                            "cached",
                            {},
                            Value::Object{{"n", 1}},
                            AttemptId{RunId("00x"), key_of("b"), 3}});
  commit(story);
  reopen();
  EXPECT_EQ(store_->load_run(RunId("01a")).value(), story.run);
  EXPECT_EQ(recovered_.runs.at(0), story.run);
}

TEST_P(StoreContract, KeepsDatasetsAndWhatSchedulesSaw) {
  store::Batch batch;
  batch.datasets["s3://lake/a"] = {3, at_second(7), "01a/a/1"};
  store::DagRow row{DagId("d"), VersionId("v1"), false, true, {}, "", "d.yaml"};
  row.seen["s"] = {{"s3://lake/a", 2}};
  batch.dags = {row};
  store::DagVersion version{VersionId("v1"), DagId("d"), "d.yaml", "dag: d", at_second(0)};
  version.files = {{"params.json", "{}"}};
  batch.versions = {version};
  ASSERT_TRUE(store_->commit(batch));
  batch = {};
  batch.datasets["s3://lake/a"] = {4, at_second(8), "a person"};
  ASSERT_TRUE(store_->commit(batch));
  EXPECT_EQ(store_->read().value()->datasets().value().at("s3://lake/a"), (run::Dataset{4, at_second(8), "a person"}));
  EXPECT_EQ(store_->read().value()->get_version(VersionId("v1")).value().files.at("params.json"), "{}");
  reopen();
  EXPECT_EQ(recovered_.datasets.at("s3://lake/a").updates, 4);
  EXPECT_EQ(recovered_.dags.at(0).seen.at("s").at("s3://lake/a"), 2);
}

TEST_P(StoreContract, FindsResultsByKeyOrElseTheNewestOfTheTask) {
  const DagId dag("d");
  EXPECT_EQ(store_->find_cached("k1", dag, key_of("a")).value(), std::nullopt);
  for (const char* id : {"01a", "01b"}) {
    Story story(id);
    story.tell(run::RunMoved{run::RunState::Running}).finish("a");
    auto batch = story.batch();
    const AttemptId worker{RunId(id), key_of("a"), 1};
    batch.cached = {{"k-" + std::string(id), dag, worker, Value::Object{{"command", "c"}}, Value::Object{{"n", 1}},
                     story.events.back().at + std::chrono::seconds(id[2])}};
    ASSERT_TRUE(store_->commit(batch));
  }
  EXPECT_EQ(store_->find_cached("k-01a", dag, key_of("a")).value()->attempt.run, RunId("01a"));
  EXPECT_EQ(store_->find_cached("other", dag, key_of("a")).value()->attempt.run, RunId("01b"));
  EXPECT_EQ(store_->find_cached("other", dag, key_of("b")).value(), std::nullopt);
}

TEST_P(StoreContract, FindsTheOutputsOfTheSuccessBefore) {
  for (const char* id : {"01a", "01b"}) {
    Story story(id);
    story.tell(run::RunMoved{run::RunState::Running});
    if (id[2] == 'a') story.finish("a");
    commit(story);
  }
  const auto outputs = [&](const char* before) {
    return store_->previous_outputs(DagId("d"), key_of("a"), RunId(before)).value();
  };
  EXPECT_EQ(outputs("01c"), Value(Value::Object{{"loss", 0.25}}));
  EXPECT_EQ(outputs("01a"), Value());
  EXPECT_EQ(store_->previous_outputs(DagId("e"), key_of("a"), RunId("01c")).value(), Value());
}

TEST_P(StoreContract, AReaderSeesTheMomentItWasMade) {
  Story story("r1");
  commit(story);
  const auto reader = store_->read();
  ASSERT_TRUE(reader);
  ASSERT_TRUE((*reader)->get_run(RunId("r1")));
  story.tell(run::RunMoved{run::RunState::Running}).finish("a");
  commit(story);
  EXPECT_EQ((*reader)->get_run(RunId("r1"))->state, run::RunState::Queued);
  const auto later = store_->read();
  EXPECT_EQ((*later)->get_run(RunId("r1"))->state, run::RunState::Running);
}

TEST_P(StoreContract, PagesRunsNewestFirst) {
  std::vector<std::unique_ptr<Story>> stories;
  for (const char* id : {"r1", "r2", "r3", "r4"}) {
    stories.push_back(std::make_unique<Story>(id));
    commit(*stories.back());
  }
  const auto reader = store_->read();
  store::RunFilter filter;
  filter.limit = 2;
  const auto first = (*reader)->list_runs(filter);
  ASSERT_EQ(first->size(), 2U);
  EXPECT_EQ(first->at(0).header.id, RunId("r4"));
  filter.before = first->at(1).header.id;
  const auto second = (*reader)->list_runs(filter);
  ASSERT_EQ(second->size(), 2U);
  EXPECT_EQ(second->at(1).header.id, RunId("r1"));
  filter = {};
  filter.id_prefix = "r3";
  EXPECT_EQ((*reader)->list_runs(filter)->size(), 1U);
  filter = {};
  filter.dag = DagId("other");
  EXPECT_TRUE((*reader)->list_runs(filter)->empty());
}

TEST_P(StoreContract, EventsComeBackInOrder) {
  Story story("r1");
  story.tell(run::RunMoved{run::RunState::Running}).finish("a");
  commit(story);
  const auto reader = store_->read();
  const auto page = (*reader)->events(RunId("r1"), 1, 3);
  ASSERT_TRUE(page);
  ASSERT_EQ(page->size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(page->at(i).seq, i + 2);
    EXPECT_EQ(page->at(i).at, story.events[i + 1].at);
    EXPECT_EQ(run::to_value(page->at(i).body).dump(), run::to_value(story.events[i + 1].body).dump());
  }
}

TEST_P(StoreContract, WhatIsNotThereIsNotFound) {
  EXPECT_EQ(store_->load_run(RunId("r9")).error().code, ErrorCode::NotFound);
  const auto reader = store_->read();
  EXPECT_EQ((*reader)->get_run(RunId("r9")).error().code, ErrorCode::NotFound);
  EXPECT_EQ((*reader)->get_version(VersionId("v9")).error().code, ErrorCode::NotFound);
}

TEST_P(StoreContract, PrunesByCountAndByAge) {
  for (const char* id : {"r1", "r2", "r3", "r4"}) {
    Story story(id);
    commit(id == std::string("r3") ? story : story.end());
  }
  const auto prunable = [&](const store::PruneRule& rule, int limit = 10) {
    return *(*store_->read())->prunable(rule, limit);
  };
  const DagId dag("d");
  EXPECT_EQ(prunable({dag, {}, 1}), (std::vector{RunId("r1"), RunId("r2")})) << "r3 is not over, r4 the newest that is";
  EXPECT_EQ(prunable({dag, {}, 0}), (std::vector{RunId("r1"), RunId("r2"), RunId("r4")}));
  EXPECT_EQ(prunable({dag, {}, 0}, 2), (std::vector{RunId("r1"), RunId("r2")}));
  EXPECT_TRUE(prunable({dag, {}, 3}).empty());
  EXPECT_TRUE(prunable({dag, {}, {}}).empty());
  EXPECT_TRUE(prunable({DagId("e"), {}, 0}).empty());
  EXPECT_EQ(prunable({dag, at_second(99), 3}).size(), 3U);
  EXPECT_TRUE(prunable({dag, at_second(1), 3}).empty());
}

TEST_P(StoreContract, ACondemnedRunIsGoneForEverybody) {
  Story over("r1", "key"), tick("r2", {}, at_second(5)), open("r3");
  commit(over.end());
  commit(tick.end());
  commit(open);
  ASSERT_TRUE(store_->condemn({RunId("r1"), RunId("r2"), RunId("r3"), RunId("r9")}));
  for (const char* id : {"r1", "r2"}) {
    EXPECT_EQ(store_->load_run(RunId(id)).error().code, ErrorCode::NotFound);
    EXPECT_EQ((*store_->read())->get_run(RunId(id)).error().code, ErrorCode::NotFound);
  }
  ASSERT_EQ((*store_->read())->list_runs({})->size(), 1U);
  EXPECT_EQ((*store_->read())->list_runs({})->at(0).header.id, RunId("r3"));
  EXPECT_TRUE((*store_->read())->prunable({DagId("d"), {}, 0}, 10)->empty());
  Story same_key("r4", "key"), same_tick("r5", {}, at_second(5));
  EXPECT_EQ(*store_->find_idempotent(DagId("d"), "key"), std::nullopt);
  commit(same_key);
  commit(same_tick);
  expect_sound();
  reopen();
  EXPECT_EQ(recovered_.runs.size(), 3U);
}

TEST_P(StoreContract, ARunWhoseServiceIsLiveStays) {
  Story story("r1");
  store::Batch batch = story.end().batch();
  batch.services.push_back(
      {ServiceId("web"), DagId("d"), {RunId("r1"), key_of("a"), 2}, "http://x", at_second(1), at_second(2)});
  ASSERT_TRUE(store_->commit(batch));
  EXPECT_TRUE((*store_->read())->prunable({DagId("d"), {}, 0}, 10)->empty());
  ASSERT_TRUE(store_->condemn({RunId("r1")}));
  EXPECT_TRUE(store_->load_run(RunId("r1")));
}

TEST_P(StoreContract, KeepsBlobsBySpace) {
  const std::string bytes("\0\xff x", 4);
  ASSERT_TRUE(store_->commit({.blobs = {{{"secret", "a"}, bytes}}}));
  ASSERT_TRUE(store_->commit({.blobs = {{{"token", "a"}, "t"}}}));
  reopen();
  EXPECT_EQ(store_->blobs("secret")->at("a"), bytes);
  EXPECT_EQ(store_->blobs("token")->size(), 1U);
  ASSERT_TRUE(store_->commit({.blobs = {{{"secret", "a"}, std::nullopt}}}));
  EXPECT_TRUE(store_->blobs("secret")->empty());
}

}  // namespace slipway::test
