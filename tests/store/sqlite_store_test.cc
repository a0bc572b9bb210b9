#include "slipway/store/sqlite_store.h"

#include <gmock/gmock.h>

#include "store/sqlite.h"
#include "store/story.h"

namespace slipway::store {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class SqliteStoreTest : public ::testing::Test {
 protected:
  void reopen() {
    store.reset();
    store = expect_ok(open_sqlite(path));
  }
  std::unique_ptr<Reader> read() { return expect_ok(store->read()); }
  void commit(Story& story) { expect_ok(store->commit(story.batch())); }
  std::vector<RunId> list(const RunFilter& filter) {
    std::vector<RunId> ids;
    for (const auto& summary : expect_ok(read()->list_runs(filter))) ids.push_back(summary.header.id);
    return ids;
  }
  // Changes stored rows behind the store's back.
  void tamper(const char* sql) {
    store.reset();
    expect_ok(expect_ok(Connection::open({.path = path, .read_only = false, .vfs = {}}))->execute(sql));
    store = expect_ok(open_sqlite(path));
  }
  std::vector<std::string> findings() {
    std::vector<std::string> invariants;
    for (const auto& finding : expect_ok(store->check())) invariants.push_back(finding.invariant);
    return invariants;
  }

  TempFolder folder;
  std::string path = folder / "slipway.db";
  std::unique_ptr<Store> store = expect_ok(open_sqlite(path));
};

TEST_F(SqliteStoreTest, ARunReadBackIsTheRunCommitted) {
  Story story(header(1));
  story.start();
  commit(story);
  EXPECT_EQ(expect_ok(read()->get_run(story.id)), story.run);
  story.finish_task().end(run::RunState::Failed, {"train: skipped", "it \"failed\""});
  commit(story);
  EXPECT_EQ(expect_ok(read()->get_run(story.id)), story.run);
  reopen();
  EXPECT_EQ(expect_ok(read()->get_run(story.id)), story.run);
  EXPECT_EQ(expect_ok(store->load_run(story.id)), story.run);
  EXPECT_THAT(findings(), IsEmpty());
}

TEST_F(SqliteStoreTest, RetriesAndStopsReadBack) {
  Story story(header(1));
  story.start();
  story.tell(run::AttemptStopping{story.attempt(), run::FailureClass::Timeout});
  commit(story);
  story.tell(run::AttemptEnded{.id = story.attempt(),
                               .to = run::AttemptState::Failed,
                               .failure = run::FailureClass::Timeout,
                               .reason = "ran longer than 1h",
                               .exit_code = 143,
                               .task_to = run::TaskState::UpForRetry,
                               .retry_at = kNoon + std::chrono::hours(1)});
  commit(story);
  EXPECT_EQ(expect_ok(read()->get_run(story.id)), story.run);
  EXPECT_THAT(findings(), IsEmpty());
}

TEST_F(SqliteStoreTest, EventsPageFromAfterASequenceNumber) {
  Story story(header(1));
  commit(story.start());
  const auto page = expect_ok(read()->events(story.id, 1, 2));
  ASSERT_EQ(page.size(), 2U);
  EXPECT_EQ(page[0].seq, 2U);
  EXPECT_EQ(page[0].at, kNoon + std::chrono::seconds(1));
  EXPECT_EQ(run::kind_of(page[1].body), "task_moved");
  EXPECT_THAT(expect_ok(read()->events(story.id, 99, 10)), IsEmpty());
}

TEST_F(SqliteStoreTest, RunsListNewestFirstByDagStateCursorAndPrefix) {
  for (int n = 1; n <= 4; ++n) {
    auto head = header(n);
    if (n == 2) head.dag = DagId("weekly");
    Story story(head);
    if (n >= 3) story.start().finish_task().end(run::RunState::Success);
    commit(story);
  }
  const auto success = run::RunState::Success;
  EXPECT_THAT(list({}), ElementsAre(run_id(4), run_id(3), run_id(2), run_id(1)));
  EXPECT_THAT(list({.limit = 1}), ElementsAre(run_id(4)));
  EXPECT_THAT(list({.before = run_id(3)}), ElementsAre(run_id(2), run_id(1)));
  EXPECT_THAT(list({.dag = DagId("nightly")}), ElementsAre(run_id(4), run_id(3), run_id(1)));
  EXPECT_THAT(list({.state = success}), ElementsAre(run_id(4), run_id(3)));
  EXPECT_THAT(list({.dag = DagId("nightly"), .state = success, .before = run_id(4)}), ElementsAre(run_id(3)));
  EXPECT_THAT(list({.dag = DagId("weekly"), .state = success}), IsEmpty());
  EXPECT_THAT(list({.id_prefix = run_id(2).str()}), ElementsAre(run_id(2)));
  EXPECT_THAT(list({.id_prefix = "01jb"}).size(), 4U);
  EXPECT_THAT(list({.id_prefix = "01jc"}), IsEmpty());
}

TEST_F(SqliteStoreTest, ATickHasOneRun) {
  auto head = header(1);
  head.trigger = run::TriggerKind::Schedule;
  head.schedule = "daily";
  Story first(head);
  commit(first);
  head.id = run_id(2);
  Story second(head);
  EXPECT_EQ(store->commit(second.batch()).error().code, ErrorCode::Conflict);
  EXPECT_THAT(list({}), ElementsAre(run_id(1)));

  head.id = run_id(3);
  head.schedule = "other";
  Story other_schedule(head);
  commit(other_schedule);
  head.id = run_id(4);
  head.schedule = "daily";
  head.trigger = run::TriggerKind::Manual;
  Story manual(head);
  commit(manual);
  EXPECT_THAT(list({}), ElementsAre(run_id(4), run_id(3), run_id(1)));
}

TEST_F(SqliteStoreTest, AnIdempotencyKeyHasOneRunPerDag) {
  auto head = header(1);
  head.idempotency_key = "k";
  Story first(head);
  commit(first);
  head.id = run_id(2);
  Story second(head);
  EXPECT_EQ(store->commit(second.batch()).error().code, ErrorCode::Conflict);
  head.dag = DagId("weekly");
  Story other(head);
  commit(other);

  EXPECT_EQ(expect_ok(store->find_idempotent(DagId("nightly"), "k")), run_id(1));
  EXPECT_EQ(expect_ok(store->find_idempotent(DagId("weekly"), "k")), run_id(2));
  EXPECT_EQ(expect_ok(store->find_idempotent(DagId("nightly"), "")), std::nullopt);
}

TEST_F(SqliteStoreTest, ARefusedBatchWritesNothing) {
  auto head = header(1);
  head.idempotency_key = "k";
  Story first(head);
  commit(first);
  head.id = run_id(2);
  Story second(head);
  auto batch = second.batch();
  batch.vars["A"] = Value(1);
  batch.dags = {{.id = DagId("nightly"), .version = VersionId("v1")}};
  ASSERT_FALSE(store->commit(batch));
  EXPECT_EQ(expect_ok(read()->vars()), Value(Value::Object{}));
  EXPECT_THAT(expect_ok(read()->list_dags()), IsEmpty());
}

TEST_F(SqliteStoreTest, AReaderSeesTheMomentItWasMade) {
  Story story(header(1));
  commit(story);
  const auto reader = read();
  story.start();
  commit(story);
  EXPECT_EQ(expect_ok(reader->get_run(story.id)).state, run::RunState::Queued);
  EXPECT_EQ(expect_ok(read()->get_run(story.id)).state, run::RunState::Running);
}

TEST_F(SqliteStoreTest, DagsVarsServicesAndVersionsReadBack) {
  const DagRow dag{.id = DagId("nightly"),
                   .version = VersionId("v1"),
                   .paused = true,
                   .present = false,
                   .cursors = {{"daily", kNoon}},
                   .error = "nightly.yaml:1:1: error",
                   .file = "nightly.yaml"};
  const Service service{.name = ServiceId("sentiment"),
                        .dag = DagId("nightly"),
                        .revision = AttemptId{run_id(1), TaskKey{TaskId("serve")}, 2},
                        .url = "http://127.0.0.1:8000",
                        .logical_date = kNoon,
                        .deployed_at = kNoon};
  Batch batch;
  batch.dags = {dag};
  batch.vars = {{"A", Value(1)}, {"B", Value("two")}};
  batch.services = {service};
  batch.versions = {{VersionId("v1"), DagId("nightly"), "nightly.yaml", "dag: nightly\n", kNoon}};
  expect_ok(store->commit(batch));
  reopen();
  const auto reader = read();
  const auto dags = expect_ok(reader->list_dags());
  ASSERT_EQ(dags.size(), 1U);
  EXPECT_EQ(dags[0].cursors, dag.cursors);
  EXPECT_TRUE(dags[0].paused);
  EXPECT_FALSE(dags[0].present);
  EXPECT_EQ(dags[0].error, dag.error);
  EXPECT_EQ(expect_ok(reader->vars()), Value(Value::Object{{"A", 1}, {"B", "two"}}));
  EXPECT_EQ(expect_ok(reader->services()).at(0).revision, service.revision);
  EXPECT_EQ(expect_ok(reader->get_version(VersionId("v1"))).text, "dag: nightly\n");
  EXPECT_EQ(reader->get_version(VersionId("v2")).error().code, ErrorCode::NotFound);

  Batch removal;
  removal.vars = {{"A", std::nullopt}};
  removal.services_gone = {service.name};
  expect_ok(store->commit(removal));
  EXPECT_EQ(expect_ok(read()->vars()), Value(Value::Object{{"B", "two"}}));
  EXPECT_THAT(expect_ok(read()->services()), IsEmpty());
}

TEST_F(SqliteStoreTest, BlobsAreBytes) {
  const std::string bytes("\0\xff'", 3);
  expect_ok(store->commit({.blobs = {{{"secret", "A"}, "old"}}}));
  expect_ok(store->commit({.blobs = {{{"secret", "A"}, bytes}}}));
  expect_ok(store->commit({.blobs = {{{"token", "A"}, "other"}}}));
  EXPECT_THAT(expect_ok(store->blobs("secret")), ElementsAre(std::pair("A", bytes)));
  expect_ok(store->commit({.blobs = {{{"secret", "A"}, std::nullopt}}}));
  EXPECT_THAT(expect_ok(store->blobs("secret")), IsEmpty());
  EXPECT_EQ(expect_ok(store->blobs("token")).size(), 1U);
}

TEST_F(SqliteStoreTest, RecoveryFoldsWhatIsNotOver) {
  Story over(header(1));
  over.start().finish_task().end(run::RunState::Success);
  commit(over);
  Story open(header(2));
  commit(open.start());
  reopen();
  const auto recovered = expect_ok(store->recover());
  ASSERT_EQ(recovered.runs.size(), 1U);
  EXPECT_EQ(recovered.runs[0], open.run);
  EXPECT_EQ(recovered.versions.at(VersionId("v1")).text, "dag: nightly\n");
  EXPECT_EQ(recovered.boot_epoch, 1U);
  reopen();
  EXPECT_EQ(expect_ok(store->recover()).boot_epoch, 2U);
}

TEST_F(SqliteStoreTest, ARunThatDoesNotFoldIsSetAside) {
  Story good(header(1));
  commit(good.start());
  Story bad(header(2));
  commit(bad.start());
  tamper("DELETE FROM event WHERE seq = 3 AND run LIKE '%2'");
  const auto recovered = expect_ok(store->recover());
  ASSERT_EQ(recovered.runs.size(), 1U);
  EXPECT_EQ(recovered.runs[0].header.id, good.id);
  ASSERT_EQ(recovered.broken.size(), 1U);
  EXPECT_EQ(recovered.broken[0].id, bad.id);
  EXPECT_THAT(recovered.broken[0].error.message, HasSubstr("event 4 of run " + bad.id.str()));
}

struct Damage {
  const char* sql;
  const char* invariant;
};

class CheckTest : public SqliteStoreTest, public ::testing::WithParamInterface<Damage> {};

TEST_P(CheckTest, FindsTheDamage) {
  Story story(header(1));
  story.start().finish_task();
  commit(story);
  ASSERT_THAT(findings(), IsEmpty());
  tamper(GetParam().sql);
  EXPECT_THAT(findings(), ElementsAre(GetParam().invariant));
}

TEST_F(SqliteStoreTest, ChainsTheAuditLog) {
  const AuditEntry start{.at = Instant{}, .token = "t1", .actor = "ci", .action = "POST /dags/d/runs", .outcome = "ok"};
  AuditEntry stop = start;
  stop.action = "POST /runs/r/cancel";
  stop.outcome = "conflict";
  ASSERT_TRUE(store->commit({.audit = {start, stop}}));
  store.reset();
  store = expect_ok(open_sqlite(path));
  ASSERT_TRUE(store->commit({.audit = {start}}));
  const auto entries = *(*store->read())->audit(std::nullopt, 10);
  ASSERT_EQ(entries.size(), 3U);
  EXPECT_EQ(entries[0].seq, 3U);
  EXPECT_EQ(entries[1].action, stop.action);
  EXPECT_EQ(entries[1].outcome, "conflict");
  EXPECT_EQ(entries[2].hash, audit_hash("", entries[2]));
  EXPECT_EQ(entries[1].hash, audit_hash(entries[2].hash, entries[1]));
  EXPECT_EQ(entries[0].hash, audit_hash(entries[1].hash, entries[0]));
  EXPECT_NE(entries[0].hash, entries[2].hash);
  const auto page = *(*store->read())->audit(3, 1);
  ASSERT_EQ(page.size(), 1U);
  EXPECT_EQ(page[0].seq, 2U);
  EXPECT_TRUE(store->check()->empty());
}

class AuditDamageTest : public SqliteStoreTest, public ::testing::WithParamInterface<const char*> {};

TEST_P(AuditDamageTest, BreaksTheChain) {
  const AuditEntry entry{.at = kNoon, .token = "t", .actor = "ci", .action = "POST /x", .outcome = "ok"};
  expect_ok(store->commit({.audit = {entry, entry, entry}}));
  ASSERT_THAT(findings(), IsEmpty());
  tamper(GetParam());
  EXPECT_THAT(findings(), ElementsAre("the audit log is a chain"));
}

INSTANTIATE_TEST_SUITE_P(Damages, AuditDamageTest,
                         ::testing::Values("UPDATE audit SET actor = 'nobody' WHERE seq = 2",
                                           "DELETE FROM audit WHERE seq = 1", "DELETE FROM audit WHERE seq = 2",
                                           "UPDATE audit SET at = at + 1 WHERE seq = 3"));

INSTANTIATE_TEST_SUITE_P(
    Damages, CheckTest,
    ::testing::Values(Damage{"DELETE FROM event WHERE seq = 2", "events are gap-free and legal"},
                      Damage{"DELETE FROM event", "events are gap-free and legal"},
                      Damage{"UPDATE event SET body = '{' WHERE seq = 2", "events are gap-free and legal"},
                      Damage{"UPDATE event SET body = '{\"kind\":\"run_moved\",\"to\":\"success\"}' WHERE seq = 2",
                             "events are gap-free and legal"},
                      Damage{"UPDATE run SET state = 'success'", "state = fold of events"},
                      Damage{"UPDATE run SET last_seq = last_seq + 1", "state = fold of events"},
                      Damage{"UPDATE task_instance SET state = 'failed' WHERE task = 'prepare'",
                             "state = fold of events"},
                      Damage{"UPDATE attempt SET exit_code = 1", "state = fold of events"},
                      Damage{"DELETE FROM attempt", "state = fold of events"},
                      Damage{"UPDATE run SET state = 'sleeping'", "rows can be read"},
                      Damage{"UPDATE run SET params = 'no json'", "rows can be read"},
                      Damage{"DELETE FROM dag_version", "every run has its DAG version"},
                      Damage{"PRAGMA foreign_keys = OFF; INSERT INTO event VALUES ('gone', 1, 0, 'x', '{}')",
                             "every row belongs to a run"}));

TEST_F(SqliteStoreTest, AFailedWriteRefusesAllLaterOnes) {
  Story story(header(1));
  commit(story);
  story.tell(run::RunMoved{run::RunState::Running});
  auto twice = story.batch();
  expect_ok(store->commit(twice));
  const auto refused = store->commit(twice);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().code, ErrorCode::Conflict);
  Batch innocent;
  innocent.vars = {{"A", Value(1)}};
  EXPECT_EQ(store->commit(innocent).error(), refused.error());
  EXPECT_FALSE(store->commit({.blobs = {{{"secret", "A"}, "a"}}}));
  EXPECT_EQ(expect_ok(read()->get_run(story.id)), story.run);
}

TEST_F(SqliteStoreTest, TheLogIsShortenedByCommitsAndWhenIdle) {
  store.reset();
  store = expect_ok(open_sqlite(path, {.vfs = {}, .checkpoint_pages = 10}));
  const std::string log = path + "-wal";
  Batch batch;
  std::uintmax_t longest = 0;
  for (int n = 0; n < 200; ++n) {
    batch.vars = {{"A", Value(n)}};
    expect_ok(store->commit(batch));
    longest = std::max(longest, std::filesystem::file_size(log));
  }
  EXPECT_LT(longest, 40U * 4'096U);
  expect_ok(store->idle());
  EXPECT_EQ(std::filesystem::file_size(log), 0U);
  EXPECT_EQ(expect_ok(read()->vars()), Value(Value::Object{{"A", 199}}));
}

TEST_F(SqliteStoreTest, TenThousandInstancesCommitAtOnce) {
  Story story(header(1));
  std::vector<TaskKey> keys;
  for (int n = 0; n < 10'000; ++n) keys.push_back({TaskId("t"), n});
  Story wide(header(2));
  wide.run = {};
  wide.events.clear();
  wide.tell(run::RunCreated{header(2), keys});
  commit(wide);
  EXPECT_EQ(expect_ok(read()->get_run(wide.id)), wide.run);
}

}  // namespace
}  // namespace slipway::store
