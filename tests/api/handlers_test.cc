// What each route answers and which command it sends. Whole bodies are goldens in tests/golden/api.
#include "api/api_fixture.h"
#include "slipway/exec/attempt_folder.h"
#include "support/golden.h"

namespace slipway::api {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

struct Golden {
  const char* name;
  const char* target;
};
class GoldenTest : public ApiTest, public ::testing::WithParamInterface<Golden> {};

TEST_P(GoldenTest, IsTheBodyPublished) {
  fill();
  test::expect_golden(std::string("tests/golden/api/") + GetParam().name + ".json",
                      get(GetParam().target).dump_pretty() + "\n");
}

INSTANTIATE_TEST_SUITE_P(
    Bodies, GoldenTest,
    ::testing::Values(Golden{"health", "/health"}, Golden{"version", "/version"}, Golden{"dags", "/dags"},
                      Golden{"dag", "/dags/nightly"}, Golden{"schedules", "/schedules?count=2"},
                      Golden{"runs", "/runs"}, Golden{"run_failed", "/runs/01jb0000000000000000000001"},
                      Golden{"run_running", "/runs/@latest"}, Golden{"events", "/runs/@latest/events?after=2&limit=2"},
                      Golden{"attempts", "/runs/@latest/tasks/prepare/attempts"},
                      Golden{"versions", "/dags/nightly/versions"},
                      Golden{"run_diff", "/runs/@failed/diff?with=@latest"},
                      Golden{"why", "/runs/@latest/tasks/train/why?map_index=1"}, Golden{"vars", "/vars"},
                      Golden{"var", "/vars/BUCKET"}, Golden{"pools", "/pools"}, Golden{"pool", "/pools/gpu"},
                      Golden{"backfills", "/backfills"}, Golden{"backfill", "/backfills/01jb"},
                      Golden{"secrets", "/secrets"}, Golden{"services", "/services"}),
    [](const auto& row) { return std::string(row.param.name); });

using HandlersTest = ApiTest;

TEST_F(HandlersTest, SourceIsTheFile) {
  fill();
  const auto response = send("GET", "/dags/nightly/source");
  EXPECT_EQ(response.content_type, "application/yaml");
  EXPECT_EQ(response.body, kDagText);
  EXPECT_EQ(send("GET", "/dags/nightly/source?version=v1").status, 200);
  auto as_json = request("GET", "/dags/nightly/source");
  as_json.headers["Accept"] = "application/json";
  const auto body = expect_ok(parse_json(handler(as_json).body));
  EXPECT_EQ(body.get_string("file"), "nightly.yaml");
  EXPECT_EQ(body.get_string("text"), kDagText);
  EXPECT_EQ(send("GET", "/dags/nightly/source?version=v2").status, 404);
}

TEST_F(HandlersTest, ADagThatNeverWasValidHasNoSource) {
  expect_ok(store->commit(
      {.dags = {{.id = DagId("broken"), .present = true, .error = "broken.yaml:1:1: no", .file = "broken.yaml"}}}));
  const auto response = send("GET", "/dags/broken/source");
  EXPECT_EQ(response.status, 409);
  const auto body = expect_ok(parse_json(response.body));
  EXPECT_EQ(body.get_string("detail"), "DAG `broken` has no valid version yet");
  EXPECT_EQ(body.get_string("help"), "broken.yaml:1:1: no");
}

TEST_F(HandlersTest, WhatIsMisspeltIsNamed) {
  fill();
  EXPECT_EQ(expect_ok(parse_json(send("GET", "/dags/nigthly").body)).get_string("help"), "did you mean `nightly`?");
  EXPECT_EQ(expect_ok(parse_json(send("GET", "/dags/x").body)).get_string("help"),
            "`slipway dag list` shows those there are");
  EXPECT_EQ(expect_ok(parse_json(send("GET", "/runs/@latest/tasks/prepair/why").body)).get_string("help"),
            "did you mean `prepare`?");
}

TEST_F(HandlersTest, WhatDoesNotExistIsNotFound) {
  fill();
  for (const char* target :
       {"/dags/other", "/dags/other/source", "/runs/01jc", "/runs/..", "/runs/%", "/runs/01jc/events", "/vars/OTHER",
        "/runs/@latest/tasks/other/logs", "/runs/@latest/tasks/train/logs",
        "/runs/@latest/tasks/prepare/why?map_index=4", "/runs/@latest/tasks/prepare/logs?attempt=2",
        "/runs/@latest?dag=other", "/services/other", "/services/other/logs"})
    EXPECT_EQ(send("GET", target).status, 404) << target;
  EXPECT_EQ(send("DELETE", "/vars/OTHER").status, 404);
  EXPECT_EQ(send("DELETE", "/secrets/OTHER").status, 404);
  EXPECT_EQ(send("POST", "/services/other/stop").status, 404);
  EXPECT_EQ(send("POST", "/runs/01jc/cancel").status, 404);
  EXPECT_TRUE(control.commands.empty());
  EXPECT_THAT(stopped, IsEmpty());
}

TEST_F(HandlersTest, ThereIsNoLatestRunAtFirst) {
  EXPECT_EQ(refused("GET", "/runs/@latest"), "404 there is no run yet");
}

TEST_F(HandlersTest, ABackfillIsStartedAsAsked) {
  fill();
  control.reply = engine::Reply{.run = {}, .backfill = run_id(7).str()};
  const auto made =
      send("POST", "/dags/nightly/backfills", R"({"from": "2024-01-01", "to": "2024-01-31T12:00:00+01:00"})");
  EXPECT_EQ(made.status, 201);
  EXPECT_EQ(expect_ok(parse_json(made.body)).find("backfill")->get_string("id"), run_id(7).str());
  auto asked = control.last<engine::StartBackfill>();
  EXPECT_EQ(asked.dag.str(), "nightly");
  EXPECT_EQ(to_rfc3339(asked.from), "2024-01-01T00:00:00.000000Z");
  EXPECT_EQ(to_rfc3339(asked.to), "2024-01-31T11:00:00.000000Z");
  EXPECT_EQ(asked.schedule, "");
  EXPECT_EQ(asked.max_active, 1);
  EXPECT_EQ(asked.reprocess, run::Reprocess::None);
  EXPECT_FALSE(asked.reverse || asked.preview);
  send("POST", "/dags/nightly/backfills",
       R"({"from": "2024-01-01", "to": "2024-02-01", "schedule": "daily", "reverse": true, "max_active": 4,)"
       R"( "reprocess": "failed", "params": {"limit": 2}})");
  asked = control.last<engine::StartBackfill>();
  EXPECT_EQ(asked.schedule, "daily");
  EXPECT_TRUE(asked.reverse);
  EXPECT_EQ(asked.max_active, 4);
  EXPECT_EQ(asked.reprocess, run::Reprocess::Failed);
  EXPECT_EQ(asked.params.dump(), R"({"limit":2})");
}

TEST_F(HandlersTest, APreviewOfABackfillListsItsTicks) {
  fill();
  control.reply = engine::Reply{
      .run = {}, .ticks = {{kNoon, {}, {}}, {kNoon, run_id(1), run::RunState::Failed, engine::TickAction::Retry}}};
  const auto told =
      send("POST", "/dags/nightly/backfills", R"({"from": "2024-01-01", "to": "2024-02-01", "preview": true})");
  EXPECT_EQ(told.status, 200);
  EXPECT_EQ(told.body, R"({"ticks":[{"action":"create","run":null,"state":null,"tick":"2024-11-01T12:00:00.000001Z"},)"
                       R"({"action":"retry","run":")" +
                           run_id(1).str() + R"(","state":"failed","tick":"2024-11-01T12:00:00.000001Z"}]})");
  EXPECT_TRUE(control.last<engine::StartBackfill>().preview);
}

TEST_F(HandlersTest, ABackfillThatMakesNoSenseIsNotSent) {
  fill();
  const auto refusal = [&](const std::string& body) { return refused("POST", "/dags/nightly/backfills", body); };
  EXPECT_THAT(refusal(R"({"to": "2024-02-01"})"), HasSubstr("400 "));
  EXPECT_THAT(refusal(R"({"from": "yesterday", "to": "2024-02-01"})"), HasSubstr("`from`"));
  EXPECT_THAT(refusal(R"({"from": "2024-01-01", "to": "x"})"), HasSubstr("`to`"));
  EXPECT_EQ(refusal(R"({"from": "2024-01-01", "to": "2024-02-01", "reprocess": "some"})"),
            "400 `some` is no way to reprocess");
  EXPECT_THAT(refusal(R"({"from": "2024-01-01", "to": "2024-02-01", "reverse": 1})"), HasSubstr("400 "));
  EXPECT_THAT(refused("GET", "/backfills?state=late"), HasSubstr("`late` is no state of a backfill"));
  EXPECT_EQ(send("GET", "/backfills/01jc").status, 404);
  EXPECT_EQ(send("POST", "/backfills/01jc/cancel").status, 404);
  EXPECT_TRUE(control.commands.empty());
}

TEST_F(HandlersTest, ABackfillIsFoundByDagStateAndPrefix) {
  fill();
  store::Batch batch;
  batch.backfills = {backfill()};
  batch.backfills[0].id = run_id(8).str();
  expect_ok(store->commit(batch));
  const auto count = [&](const std::string& query) {
    return get("/backfills" + query).find("backfills")->as_array().size();
  };
  EXPECT_EQ(count(""), 2U);
  EXPECT_EQ(count("?dag=nightly&state=running"), 2U);
  EXPECT_EQ(count("?dag=other"), 0U);
  EXPECT_EQ(count("?state=success"), 0U);
  EXPECT_EQ(get("/backfills?limit=1").get_string("next"), run_id(8).str());
  EXPECT_EQ(count("?before=" + run_id(8).str()), 1U);
  EXPECT_EQ(send("GET", "/backfills/" + run_id(8).str()).status, 200);
  EXPECT_EQ(refused("GET", "/backfills/01jb"), "409 several backfills begin with 01jb");
}

TEST_F(HandlersTest, ABackfillIsCancelledByPrefix) {
  fill();
  EXPECT_EQ(send("POST", "/backfills/01jb/cancel", R"({"keep_running": true})").status, 200);
  EXPECT_EQ(control.last<engine::CancelBackfill>().id, run_id(7).str());
  EXPECT_TRUE(control.last<engine::CancelBackfill>().keep_running);
  send("POST", "/backfills/01jb/cancel");
  EXPECT_FALSE(control.last<engine::CancelBackfill>().keep_running);
}

TEST_F(HandlersTest, FailedNamesTheLatestFailure) {
  EXPECT_EQ(refused("GET", "/runs/@failed"), "404 no run has failed");
  fill();
  EXPECT_EQ(get("/runs/@failed").find("run")->get_string("id"), run_id(1).str());
  EXPECT_EQ(send("GET", "/runs/@failed?dag=other").status, 404);
}

TEST_F(HandlersTest, AServiceOfWhichNothingIsLeftIsDownAndItsLogOver) {
  fill();
  const auto service = get("/services/sentiment");
  EXPECT_EQ(service.get_string("url"), "http://127.0.0.1:8000");
  EXPECT_EQ(service.find("front_up")->dump() + service.find("revision_up")->dump(), "falsefalse");
  EXPECT_EQ(get("/services/sentiment/logs?offset=7").dump(), R"({"attempt":1,"lines":[],"next":0,"over":true})");
  remote = RemoteService{true, "1 of 1 ready", "kubectl logs deployment/web"};
  EXPECT_EQ(get("/services/sentiment").get_string("state"), remote->words);
  EXPECT_NE(send("GET", "/services/sentiment/logs").body.find(remote->logs), std::string::npos);
}

TEST_F(HandlersTest, TheTagOfARunIsItsLastEvent) {
  Story active(header(2));
  active.start();
  expect_ok(store->commit(active.batch()));
  const auto tag_of = [&](const http::Response& response) {
    std::string tag;
    for (const auto& [name, value] : response.headers)
      if (name == "ETag") tag += value;
    return tag;
  };
  const std::string tag = tag_of(send("GET", "/runs/@latest"));
  EXPECT_EQ(tag, "\"" + run_id(2).str() + "-5-1.2.3\"");
  auto again = request("GET", "/runs/" + run_id(2).str());
  again.headers["If-None-Match"] = tag;
  EXPECT_EQ(handler(again).status, 304);
  EXPECT_EQ(handler(again).body, "");
  EXPECT_EQ(tag_of(handler(again)), tag);
  for (const char* other : {"-4-1.2.3\"", "-6-1.2.3\"", "-5-1.2.4\"", "-0-1.2.3\"", "-5x", ""}) {
    again.headers["If-None-Match"] = "\"" + run_id(2).str() + other;
    EXPECT_EQ(handler(again).status, 200) << other;
  }
  again.headers["If-None-Match"] = tag;
  active.finish_task();
  expect_ok(store->commit(active.batch()));
  EXPECT_EQ(handler(again).status, 200);
  EXPECT_NE(tag_of(handler(again)), tag);
}

TEST_F(HandlersTest, ATaskOfARunThatIsOverSaysHowItEnded) {
  fill();
  const auto why = [&](const std::string& task) { return get("/runs/@failed/tasks/" + task).get_string("why"); };
  EXPECT_EQ(why("train/why?map_index=0"), "the run is over; it ended skipped: not wanted");
  EXPECT_EQ(why("prepare/why"), "the run is over; it ended success");
}

TEST_F(HandlersTest, TheCheckOfTheStoreListsItsFindings) {
  fill();
  EXPECT_EQ(send("GET", "/db/check").body, R"({"findings":[]})");
  Story unversioned(header(3));
  auto batch = unversioned.batch();
  batch.versions.clear();
  std::get<run::RunCreated>(batch.events[0].body).header.version = VersionId("gone");
  unversioned.run.header.version = VersionId("gone");
  expect_ok(store->commit(batch));
  EXPECT_EQ(send("GET", "/db/check").body,
            R"({"findings":[{"detail":"there is no DAG version gone","invariant":"every run has its DAG version"}]})");
}

TEST_F(HandlersTest, ABackupIsANewFileInTheHome) {
  fill();
  const auto response = send("POST", "/db/backup");
  ASSERT_EQ(response.status, 201) << response.body;
  const auto file = expect_ok(parse_json(response.body)).get_string("file");
  EXPECT_EQ(file, (folder / "backups/20241101T120000.000001Z.db").string());
  EXPECT_TRUE(expect_ok(store::open_sqlite(file))->load_run(run_id(2)));
  EXPECT_EQ(send("POST", "/db/backup").status, 201);
}

TEST_F(HandlersTest, PrunesThroughTheEngine) {
  fill();
  control.on_command = [this](const engine::Command& command) {
    if (const auto* condemn = std::get_if<engine::CondemnRuns>(&command)) expect_ok(store->condemn(condemn->runs));
    if (const auto* erase = std::get_if<engine::EraseRun>(&command)) expect_ok(store->erase(erase->run));
  };
  store::Batch no_service;
  no_service.services_gone = {ServiceId("sentiment")};
  expect_ok(store->commit(no_service));
  const std::string one = R"({"more":false,"runs":[")" + run_id(1).str() + R"("]})";
  const std::string none = R"({"more":false,"runs":[]})";
  EXPECT_EQ(send("POST", "/db/prune", "{}").body, none) << "nothing asks for it";
  EXPECT_EQ(send("POST", "/db/prune", R"({"keep":0,"dry_run":true})").body, one);
  EXPECT_EQ(send("POST", "/db/prune", R"({"older_than":"100d"})").body, none);
  EXPECT_TRUE(control.commands.empty());
  EXPECT_EQ(send("POST", "/db/prune", R"({"keep":0,"dag":"nightly"})").body, one);
  EXPECT_EQ(control.last<engine::EraseRun>().run, run_id(1));
  EXPECT_EQ(send("GET", "/runs/" + run_id(1).str()).status, 404);
}

TEST_F(HandlersTest, APruneIsChecked) {
  fill();
  EXPECT_EQ(send("POST", "/db/prune", R"({"keep":-1})").status, 400);
  EXPECT_EQ(send("POST", "/db/prune", R"({"keep":"1"})").status, 400);
  EXPECT_EQ(send("POST", "/db/prune", R"({"older_than":"soon"})").status, 400);
  EXPECT_EQ(send("POST", "/db/prune", R"({"older_than":7})").status, 400);
  EXPECT_EQ(send("POST", "/db/prune", R"({"dry_run":"yes"})").status, 400);
  EXPECT_EQ(send("POST", "/db/prune", R"({"dag":"nobody","keep":1})").status, 404);
}

TEST_F(HandlersTest, HealthSaysWhatIsWrong) {
  EXPECT_EQ(send("GET", "/health").body, R"({"status":"ok"})");
  trouble = Error{ErrorCode::Unavailable, "the disk is full", "free some space"};
  EXPECT_EQ(send("GET", "/health").body,
            R"({"detail":"the disk is full","help":"free some space","status":"degraded"})");
}

TEST_F(HandlersTest, RunsAreNamedByUniquePrefixes) {
  fill();
  EXPECT_EQ(refused("GET", "/runs/01jb"), "409 several runs begin with 01jb");
  auto head = header(3);
  head.id = RunId("01jc0000000000000000000000");
  Story other(head);
  expect_ok(store->commit(other.batch()));
  EXPECT_EQ(get("/runs/01jc").find("run")->get_string("id"), "01jc0000000000000000000000");
}

TEST_F(HandlersTest, RunsPageByCursor) {
  fill();
  const auto first = get("/runs?limit=1");
  EXPECT_EQ(first.get_string("next"), run_id(2).str());
  const auto second = get("/runs?limit=1&before=" + first.get_string("next"));
  EXPECT_EQ(second.find("runs")->as_array().at(0).get_string("id"), run_id(1).str());
  const auto third = get("/runs?limit=1&before=" + second.get_string("next"));
  EXPECT_THAT(third.find("runs")->as_array(), IsEmpty());
  EXPECT_TRUE(third.find("next")->is_null());
  EXPECT_EQ(get("/runs?state=failed").find("runs")->as_array().size(), 1U);
  EXPECT_EQ(get("/runs?dag=other").find("runs")->as_array().size(), 0U);
}

TEST_F(HandlersTest, QueriesAreChecked) {
  EXPECT_EQ(refused("GET", "/runs?state=asleep"), "400 `asleep` is no state of a run");
  EXPECT_EQ(refused("GET", "/runs?limit=0"), "400 limit `0` is no whole number from 1 to 1000");
  EXPECT_EQ(refused("GET", "/runs?limit=1x"), "400 limit `1x` is no whole number from 1 to 1000");
  EXPECT_THAT(refused("GET", "/runs?limit=99999999999999999999"), HasSubstr("400 limit"));
  EXPECT_THAT(refused("GET", "/runs/x/events?after=-1"), HasSubstr("400 after"));
}

TEST_F(HandlersTest, StartsARun) {
  fill();
  Story started(header(3));
  control.on_command = [&](const engine::Command&) { expect_ok(store->commit(started.batch())); };
  control.reply = engine::Reply{started.id, false};
  auto asked = request("POST", "/dags/nightly/runs", R"({"params": {"limit": 5}, "logical_date": "2024-10-01"})");
  asked.headers["Idempotency-Key"] = "k";
  const auto response = handler(asked);
  EXPECT_EQ(response.status, 201);
  EXPECT_THAT(response.headers,
              Contains(std::pair<std::string, std::string>("Location", "/api/v1/runs/" + started.id.str())));
  EXPECT_EQ(expect_ok(parse_json(response.body)), get("/runs/" + started.id.str()));
  const auto& command = control.last<engine::TriggerRun>();
  EXPECT_EQ(command.dag, DagId("nightly"));
  EXPECT_EQ(command.params, Value(Value::Object{{"limit", 5}}));
  EXPECT_EQ(command.idempotency_key, "k");
  EXPECT_EQ(to_rfc3339(*command.logical_date), "2024-10-01T00:00:00.000000Z");
  EXPECT_EQ(command.kind, run::TriggerKind::Api);

  control.on_command = nullptr;
  control.reply = engine::Reply{started.id, true};
  EXPECT_EQ(send("POST", "/dags/nightly/runs", R"({"trigger": "manual"})").status, 200);
  EXPECT_EQ(control.last<engine::TriggerRun>().kind, run::TriggerKind::Manual);
  EXPECT_EQ(control.last<engine::TriggerRun>().logical_date, std::nullopt);
}

TEST_F(HandlersTest, RefusesARunThatCannotBe) {
  EXPECT_EQ(refused("POST", "/dags/nightly/runs", R"({"params": []})"), "400 `params` is no object");
  EXPECT_THAT(refused("POST", "/dags/nightly/runs", R"({"logical_date": "yesterday"})"), HasSubstr("400 "));
  EXPECT_THAT(refused("POST", "/dags/nightly/runs", R"({"logical_date": 5})"), HasSubstr("400 "));
  EXPECT_THAT(refused("POST", "/dags/nightly/runs", R"({"trigger": "schedule"})"), HasSubstr("400 "));
  EXPECT_EQ(send("POST", "/dags/../runs").status, 404);
  auto asked = request("POST", "/dags/nightly/runs");
  asked.headers["Idempotency-Key"] = std::string(256, 'k');
  EXPECT_EQ(handler(asked).status, 400);
  EXPECT_TRUE(control.commands.empty());

  control.reply = Error{ErrorCode::Conflict, "DAG nightly has an error", "slipway dag validate"};
  EXPECT_EQ(refused("POST", "/dags/nightly/runs"), "409 DAG nightly has an error");
}

TEST_F(HandlersTest, CommandsReachTheEngine) {
  fill();
  EXPECT_EQ(send("POST", "/dags/nightly/pause", R"({"paused": true})").status, 200);
  EXPECT_TRUE(control.last<engine::PauseDag>().paused);
  EXPECT_EQ(send("POST", "/runs/@latest/cancel", R"({"now": true})").status, 200);
  EXPECT_EQ(control.last<engine::CancelRun>().run, run_id(2));
  EXPECT_TRUE(control.last<engine::CancelRun>().now);
  EXPECT_EQ(send("POST", "/runs/@latest/cancel").status, 200);
  EXPECT_FALSE(control.last<engine::CancelRun>().now);
  EXPECT_EQ(send("POST", "/runs/" + run_id(1).str() + "/retry").status, 200);
  EXPECT_EQ(control.last<engine::RetryRun>().run, run_id(1));
  EXPECT_EQ(send("DELETE", "/vars/BUCKET").status, 204);
  EXPECT_EQ(control.last<engine::SetVar>().value, std::nullopt);
  EXPECT_EQ(send("DELETE", "/secrets/HF_TOKEN").status, 204);
  EXPECT_EQ(control.last<engine::SetSecret>().sealed, std::nullopt);
  EXPECT_EQ(send("POST", "/services/sentiment/stop").status, 204);
  EXPECT_EQ(control.last<engine::StopService>().name, ServiceId("sentiment"));
  EXPECT_THAT(stopped, ElementsAre("sentiment"));
}

TEST_F(HandlersTest, ActionsReachTheEngine) {
  fill();
  const TaskKey prepare{TaskId("prepare")}, second{TaskId("train"), 1};
  control.reply =
      engine::Reply{run_id(2), false, {{run_id(2), prepare, run::TaskState::Success, engine::Action::Stop}}};
  const auto response = send("POST", "/runs/@latest/clear",
                             R"({"tasks": ["prepare", "train[1]"], "downstream": true, "past": true,
                                 "failed": true, "version": "current"})");
  ASSERT_EQ(response.status, 200) << response.body;
  EXPECT_THAT(response.body,
              HasSubstr(R"("changes":[{"action":"stop","map_index":-1,"run":"01jb0000000000000000000002",)"
                        R"("state":"success","task":"prepare"}])"));
  const auto& clear = control.last<engine::ClearRun>();
  EXPECT_EQ(clear.run, run_id(2));
  EXPECT_THAT(clear.tasks, ElementsAre(prepare, second));
  EXPECT_TRUE(clear.downstream && clear.past && clear.failed_only && clear.current_version);
  EXPECT_FALSE(clear.upstream || clear.future || clear.preview);
  const auto preview = expect_ok(parse_json(send("POST", "/runs/@latest/clear", R"({"preview": true})").body));
  EXPECT_EQ(preview.find("run"), nullptr) << "nothing became of the run";
  EXPECT_TRUE(control.last<engine::ClearRun>().preview);
  EXPECT_EQ(send("POST", "/runs/@latest/mark", R"({"state": "skipped", "task": "prepare", "reason": "r"})").status,
            200);
  EXPECT_EQ(control.last<engine::MarkRun>().task, prepare);
  EXPECT_EQ(control.last<engine::MarkRun>().to, run::TaskState::Skipped);
  EXPECT_EQ(control.last<engine::MarkRun>().reason, "r");
  EXPECT_EQ(send("POST", "/runs/@latest/mark", R"({"state": "failed"})").status, 200);
  EXPECT_EQ(control.last<engine::MarkRun>().task, std::nullopt);
  EXPECT_EQ(send("POST", "/runs/@latest/retry", R"({"tasks": ["train[1]"]})").status, 200);
  EXPECT_THAT(control.last<engine::RetryRun>().tasks, ElementsAre(second));
  auto asked = request("POST", "/runs/@failed/resume", R"({"from": ["prepare"], "params": {"limit": 4}})");
  asked.headers["Idempotency-Key"] = "k";
  EXPECT_EQ(handler(asked).status, 201);
  EXPECT_EQ(control.last<engine::ResumeRun>().run, run_id(1));
  EXPECT_EQ(control.last<engine::ResumeRun>().idempotency_key, "k");
  EXPECT_EQ(control.last<engine::ResumeRun>().params.get_int("limit"), 4);
  EXPECT_THAT(control.last<engine::ResumeRun>().from, ElementsAre(TaskId("prepare")));
}

TEST_F(HandlersTest, ActionsThatMakeNoSenseAreRefused) {
  fill();
  const auto refused_by = [&](const char* action, const char* body) {
    return refused("POST", std::string("/runs/@latest/") + action, body);
  };
  EXPECT_EQ(refused_by("clear", R"({"tasks": "prepare"})"), "400 `tasks` is no list of texts");
  EXPECT_EQ(refused_by("clear", R"({"tasks": [1]})"), "400 `tasks` is no list of texts");
  EXPECT_EQ(refused_by("clear", R"({"tasks": ["../x"]})"), "404 there is no task `../x`");
  EXPECT_EQ(refused_by("clear", R"({"past": 1})"), "400 `past` is neither true nor false");
  EXPECT_EQ(refused_by("clear", R"({"version": "v7"})"), "400 `version` is neither pinned nor current");
  EXPECT_EQ(refused_by("mark", R"({"state": "active"})"), "400 `state` is none of success, failed and skipped");
  EXPECT_EQ(refused_by("mark", R"({"reason": "r"})").substr(0, 4), "400 ");
  EXPECT_EQ(refused_by("resume", R"({"params": 3})"), "400 `params` is no object");
  EXPECT_TRUE(control.commands.empty());
}

TEST_F(HandlersTest, VersionsAreCompared) {
  fill();
  EXPECT_EQ(refused("GET", "/dags/nightly/diff"), "404 version v1 is the first of the DAG");
  store::Batch batch;
  const std::string text = std::string(kDagText) + "  report: {needs: train, run: [echo, report]}\n";
  batch.versions = {{VersionId("v2"), DagId("nightly"), "nightly.yaml", text, kNoon + std::chrono::hours(1)}};
  batch.dags = {{.id = DagId("nightly"), .version = VersionId("v2"), .file = "nightly.yaml"}};
  expect_ok(store->commit(batch));
  const Value diff = get("/dags/nightly/diff");
  EXPECT_EQ(diff.get_string("from"), "v1");
  EXPECT_EQ(diff.get_string("to"), "v2");
  EXPECT_EQ(diff.find("added")->dump(), R"(["report"])");
  EXPECT_THAT(diff.get_string("text"), HasSubstr("+  report: {needs: train, run: [echo, report]}"));
  EXPECT_EQ(get("/dags/nightly/diff?from=v2&to=v1").find("removed")->dump(), R"(["report"])");
  EXPECT_EQ(refused("GET", "/dags/nightly/diff?from=v"), "409 DAG `nightly` has several versions v");
  EXPECT_EQ(send("GET", "/dags/nightly/diff?from=zz").status, 404);
}

TEST_F(HandlersTest, APlanTellsWhatAFileWouldChange) {
  fill();
  const auto plan = [&](const std::string& text) {
    const auto response = send("POST", "/plan", Value(Value::Object{{"text", text}, {"file", "x.yaml"}}).dump());
    EXPECT_EQ(response.status, 200) << response.body;
    return expect_ok(parse_json(response.body));
  };
  std::string text = kDagText;
  text.replace(text.find("@daily"), 6, "@hourly");
  text += "  report: {needs: train, run: [echo, report]}\n";
  const Value update = plan(text);
  EXPECT_EQ(update.get_string("change"), "update");
  EXPECT_EQ(update.find("added")->dump(), R"(["report"])");
  EXPECT_EQ(update.find("schedules")->as_array().at(0).get_string("change"), "changed");
  EXPECT_EQ(update.find("schedules")->as_array().at(0).find("next")->as_array().size(), 3U);
  const Value create = plan("dag: other\ntasks:\n  a: {run: x}\n");
  EXPECT_EQ(create.get_string("change"), "create");
  EXPECT_EQ(create.find("added")->dump(), R"(["a"])");
  EXPECT_THAT(refused("POST", "/plan", R"({"text": "dag: d"})"), HasSubstr("400 "));
  EXPECT_EQ(send("POST", "/plan", "{}").status, 400);
  EXPECT_TRUE(control.commands.empty());
}

TEST_F(HandlersTest, AnAnswerSaysWhoGivesIt) {
  fill();
  const std::string path = "/runs/" + run_id(2).str() + "/tasks/prepare/answer";
  EXPECT_EQ(send("POST", path, R"({"approved": true, "fields": {"n": 1}})").status, 204);
  const auto yes = control.last<engine::Approve>();
  EXPECT_EQ(yes.run, run_id(2));
  EXPECT_EQ(yes.key, TaskKey{TaskId("prepare")});
  EXPECT_EQ(yes.fields.dump(), R"({"n":1})");
  EXPECT_EQ(yes.by, "test");
  EXPECT_THAT(yes.may_be, ElementsAre("test", "admin"));
  EXPECT_EQ(send("POST", path, R"({"approved": false, "reason": "no"})").status, 204);
  EXPECT_EQ(control.last<engine::Approve>().reason, "no");
  EXPECT_THAT(refused("POST", path, R"({"approved": 1})"), HasSubstr("neither true nor false"));
  EXPECT_EQ(send("POST", "/runs/" + run_id(2).str() + "/tasks/other/answer", R"({"approved": true})").status, 404);
}

TEST_F(HandlersTest, DatasetsShowUpdatesAndTheirUsers) {
  fill();
  store::Batch batch;
  batch.datasets["s3://lake/a"] = {2, kNoon, "somebody"};
  expect_ok(store->commit(batch));
  EXPECT_EQ(get("/datasets").dump(),
            R"({"datasets":[{"consumers":[],"producers":[],"updated_at":"2024-11-01T12:00:00.000001Z",)"
            R"("updated_by":"somebody","updates":2,"uri":"s3://lake/a"}]})");
  EXPECT_EQ(get("/datasets?uri=s3://lake/a").find("datasets")->as_array().size(), 1U);
  EXPECT_EQ(send("GET", "/datasets?uri=s3://lake/b").status, 404);
  EXPECT_EQ(send("POST", "/datasets/touch", R"({"uri": "s3://lake/b"})").status, 204);
  EXPECT_EQ(control.last<engine::TouchDataset>().uri, "s3://lake/b");
  EXPECT_THAT(refused("POST", "/datasets/touch", R"({"uri": "lake"})"), HasSubstr("is no URI"));
}

TEST_F(HandlersTest, VariablesAreAnyJson) {
  control.on_command = [&](const engine::Command& command) {
    const auto& set = std::get<engine::SetVar>(command);
    store::Batch batch;
    batch.vars = {{set.name, set.value}};
    expect_ok(store->commit(batch));
  };
  const auto response = send("PUT", "/vars/LIMITS", R"({"value": {"a": [1, 2.5, null]}})");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, R"({"name":"LIMITS","value":{"a":[1,2.5,null]}})");
  EXPECT_EQ(send("PUT", "/vars/NOTHING", R"({"value": null})").body, R"({"name":"NOTHING","value":null})");
  EXPECT_THAT(refused("PUT", "/vars/9A", R"({"value": 1})"), HasSubstr("400 `9A` is no name"));
}

TEST_F(HandlersTest, SecretsGoInSealedAndNeverComeOut) {
  EXPECT_EQ(send("PUT", "/secrets/KEY", R"({"value": "hunter22"})").status, 204);
  const auto& command = control.last<engine::SetSecret>();
  EXPECT_EQ(command.name, "KEY");
  EXPECT_THAT(*command.sealed, Not(HasSubstr("hunter22")));
  EXPECT_EQ(expect_ok(vault.unseal("KEY", *command.sealed)).reveal(), "hunter22");
  expect_ok(store->commit({.blobs = {{{"secret", "KEY"}, *command.sealed}}}));
  EXPECT_THAT(send("GET", "/secrets").body, R"({"secrets":["KEY"]})");
  EXPECT_EQ(refused("PUT", "/secrets/KEY", R"({"value": 5})"), "400 `value` is no text");
  EXPECT_EQ(send("PUT", "/secrets/K-Y", R"({"value": "x"})").status, 400);
  EXPECT_EQ(send("PUT", "/secrets/KEY", R"({"value": ")" + std::string(65'537, 'x') + "\"}").status, 413);
  EXPECT_EQ(send("GET", "/secrets/KEY").status, 405);
}

class LogTest : public ApiTest {
 protected:
  LogTest() { fill(); }
  void write_log(int run, const std::string& lines) {
    const auto file = exec::log_file(folder.path(), AttemptId{run_id(run), Story::prepare(), 1});
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::app | std::ios::binary) << lines;
  }
  std::string target(int run, std::int64_t offset = 0) const {
    return "/runs/" + run_id(run).str() + "/tasks/prepare/logs?offset=" + std::to_string(offset);
  }
};

TEST_F(LogTest, IsReadFromAnOffsetWhileItGrows) {
  write_log(2, "2024-11-01T12:00:00.000000000Z stdout F one\n2024-11-01T12:00:01.000000000Z stderr F tw");
  const auto first = get(target(2));
  ASSERT_EQ(first.find("lines")->as_array().size(), 1U);
  EXPECT_EQ(first.find("lines")->as_array()[0].dump(),
            R"({"partial":false,"stream":"stdout","text":"one","time":"2024-11-01T12:00:00.000000000Z"})");
  EXPECT_FALSE(first.find("over")->as_bool());
  write_log(2, "o\n");
  const auto second = get(target(2, first.get_int("next")));
  ASSERT_EQ(second.find("lines")->as_array().size(), 1U);
  EXPECT_EQ(second.find("lines")->as_array()[0].get_string("text"), "two");
  EXPECT_EQ(second.find("lines")->as_array()[0].get_string("stream"), "stderr");
  EXPECT_FALSE(get(target(2, second.get_int("next"))).find("over")->as_bool());
}

TEST_F(LogTest, IsOverWhenTheAttemptEndedAndAllWasRead) {
  EXPECT_TRUE(get(target(1)).find("over")->as_bool());
  const std::string line = "2024-11-01T12:00:00.000000000Z stdout F " + std::string(10'000, 'x') + "\n";
  for (int n = 0; n < 60; ++n) write_log(1, line);
  std::size_t lines = 0;
  std::int64_t offset = 0;
  for (bool over = false; !over;) {
    const auto chunk = get(target(1, offset));
    const auto read = chunk.find("lines")->as_array().size();
    ASSERT_GT(read, 0U);
    lines += read;
    offset = chunk.get_int("next");
    over = chunk.find("over")->as_bool();
  }
  EXPECT_EQ(lines, 60U);
}

TEST_F(HandlersTest, PoolsAreSetAndDeletedByCommand) {
  EXPECT_EQ(send("PUT", "/pools/gpu", R"({"slots": 8})").status, 200);
  EXPECT_EQ(control.last<engine::SetPool>().name, PoolId("gpu"));
  EXPECT_EQ(control.last<engine::SetPool>().pool, (run::Pool{8, "the cards"})) << "what is not given stays";
  send("PUT", "/pools/gpu", R"({"slots": 0, "description": "off"})");
  EXPECT_EQ(control.last<engine::SetPool>().pool, (run::Pool{0, "off"}));
  EXPECT_EQ(send("DELETE", "/pools/gpu").status, 204);
  EXPECT_EQ(control.last<engine::SetPool>().pool, std::nullopt);
  const std::size_t sent = control.commands.size();
  for (const char* body : {R"({"slots": -1})", R"({"slots": 10001})", R"({"slots": "2"})", R"({"slots": 1.5})", "{}",
                           R"({"slots": 1, "description": 3})"})
    EXPECT_EQ(send("PUT", "/pools/gpu", body).status, 400) << body;
  EXPECT_EQ(control.commands.size(), sent);
  EXPECT_EQ(send("GET", "/pools/other").status, 404);
}

}  // namespace
}  // namespace slipway::api
