// The trackers: MLflow's folder layout, and its REST API against a server that answers by script.
#include "slipway/mlsteps/tracker.h"

#include <gtest/gtest.h>

#include <mutex>

#include "mlsteps/step_fixture.h"
#include "slipway/http/server.h"

namespace slipway::mlsteps {
namespace {

using std::chrono::milliseconds;

TrackedRun a_run() {
  TrackedRun run;
  run.experiment = "reviews";
  run.name = "first";
  run.id = "0123456789abcdef0123456789abcdef";
  run.start = Instant(std::chrono::seconds(1'700'000'000));
  run.params = {{"lora_r", "8"}};
  run.tags = {{"team", "a"}};
  return run;
}

class TrackerTest : public StepTest {
 protected:
  TrackerNote note() {
    return [this](std::string_view line) { notes_.emplace_back(line); };
  }
  std::vector<std::string> notes_;
};

// ---- the folder

TEST_F(TrackerTest, AFolderHasMlflowsLayout) {
  const TrackedRun run = a_run();
  const auto tracker = track_in_folder(path("mlruns"), note());
  tracker->start(run);
  tracker->metrics(1, run.start + std::chrono::seconds(2), {{"loss", 2.5}});
  tracker->metrics(2, run.start + std::chrono::seconds(3), {{"loss", 2.25}});
  EXPECT_EQ(tracker->run_id(), run.id);
  std::string experiment;
  for (const auto& entry : std::filesystem::directory_iterator(path("mlruns"))) experiment = entry.path().filename();
  EXPECT_EQ(experiment.size(), 18U) << experiment;
  const std::string folder = "mlruns/" + experiment + "/";
  EXPECT_NE(read(folder + "meta.yaml").find("\nname: \"reviews\"\n"), std::string::npos);
  EXPECT_EQ(read(folder + run.id + "/metrics/loss"), "1700000002000 2.5 1\n1700000003000 2.25 2\n");
  EXPECT_EQ(read(folder + run.id + "/params/lora_r"), "8");
  EXPECT_EQ(read(folder + run.id + "/tags/team"), "a");
  EXPECT_EQ(read(folder + run.id + "/tags/mlflow.runName"), "first");
  EXPECT_TRUE(exists(folder + run.id + "/artifacts"));
  const std::string meta = folder + run.id + "/meta.yaml";
  EXPECT_NE(read(meta).find("\nstatus: 1\n"), std::string::npos);
  tracker->end(RunStatus::Finished, run.start + std::chrono::seconds(9));
  EXPECT_NE(read(meta).find("\nstatus: 3\n"), std::string::npos);
  EXPECT_NE(read(meta).find("\nend_time: 1700000009000\n"), std::string::npos);
  EXPECT_TRUE(notes_.empty());
}

TEST_F(TrackerTest, AnExperimentIsFoundByItsName) {
  std::filesystem::create_directories(path("mlruns/7"));
  write("mlruns/7/meta.yaml", "experiment_id: '7'\nlifecycle_stage: active\nname: reviews\n");
  track_in_folder(path("mlruns"), note())->start(a_run());
  EXPECT_TRUE(exists("mlruns/7/" + a_run().id + "/meta.yaml"));
}

TEST_F(TrackerTest, AFolderThatCannotBeIsSaidOnce) {
  write("file", "");
  const auto tracker = track_in_folder(path("file") + "/mlruns", note());
  tracker->start(a_run());
  tracker->metrics(1, {}, {{"loss", 1}});
  tracker->end(RunStatus::Failed, {});
  ASSERT_EQ(notes_.size(), 1U);
  EXPECT_NE(notes_[0].find("the tracking folder is incomplete"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists("meta.yaml")) << "nothing is written anywhere else";
}

// ---- the server

class MlflowTest : public TrackerTest {
 protected:
  MlflowTest() {
    auto started = http::Server::start(
        {}, [this](const http::Request& request) { return answer(request); }, Logger());
    EXPECT_TRUE(started);
    server_ = std::move(started).value();
  }

  http::Response answer(const http::Request& request) {
    const std::scoped_lock lock(mutex_);
    if (failures_ > 0) {
      --failures_;
      return {.status = 503, .body = "busy"};
    }
    const std::string call = request.path.substr(std::string("/api/2.0/mlflow/").size());
    authorization_ = request.header("Authorization");
    calls_.push_back(call);
    bodies_.push_back(request.body.empty() ? Value() : parse_json(request.body).value());
    if (call == "experiments/get-by-name")
      return {.status = 404, .body = R"({"error_code":"RESOURCE_DOES_NOT_EXIST"})"};
    if (call == "experiments/create") return {.body = R"({"experiment_id":"12"})"};
    if (call == "runs/create") return {.body = R"({"run":{"info":{"run_id":"abc"}}})"};
    if (call == "runs/log-batch" && refuse_batches_) return {.status = 400, .body = "no such metric"};
    return {.body = "{}"};
  }

  MlflowServer place() const {
    return {.uri = "http://127.0.0.1:" + std::to_string(server_->port()) + "/",
            .token = "secret",
            .spool = path("spool.jsonl"),
            .retry = milliseconds(1)};
  }
  std::unique_ptr<Tracker> tracker(const MlflowServer& server) {
    return track_by_mlflow(server, http::make_curl_transport(), note());
  }
  static void run_through(Tracker& tracker, const TrackedRun& run) {
    tracker.start(run);
    tracker.metrics(1, run.start, {{"loss", 2.5}});
    tracker.metrics(2, run.start, {{"loss", 2.25}});
    tracker.end(RunStatus::Finished, run.start + std::chrono::seconds(9));
  }
  // Metrics that arrived, as "loss 2.5 @1".
  std::vector<std::string> metrics() {
    const std::scoped_lock lock(mutex_);
    std::vector<std::string> found;
    for (const Value& body : bodies_)
      if (const Value* list = body.find("metrics"))
        for (const Value& metric : list->as_array())
          found.push_back(metric.get_string("key") + " " + metric.find("value")->dump() + " @" +
                          std::to_string(metric.get_int("step")));
    return found;
  }

  std::mutex mutex_;
  int failures_ = 0;
  bool refuse_batches_ = false;
  std::string authorization_;
  std::vector<std::string> calls_;
  std::vector<Value> bodies_;
  std::unique_ptr<http::Server> server_;
};

TEST_F(MlflowTest, ARunIsMadeFilledAndEnded) {
  const auto mlflow = tracker(place());
  run_through(*mlflow, a_run());
  EXPECT_EQ(mlflow->run_id(), "abc");
  ASSERT_GE(calls_.size(), 5U);
  EXPECT_EQ(calls_[0], "experiments/get-by-name");
  EXPECT_EQ(calls_[1], "experiments/create");
  EXPECT_EQ(calls_[2], "runs/create");
  EXPECT_EQ(bodies_[1].get_string("name"), "reviews");
  EXPECT_EQ(bodies_[2].get_string("experiment_id"), "12");
  EXPECT_EQ(bodies_[2].get_int("start_time"), 1'700'000'000'000);
  EXPECT_EQ(calls_.back(), "runs/update");
  EXPECT_EQ(bodies_.back().get_string("status"), "FINISHED");
  EXPECT_EQ(bodies_.back().get_string("run_id"), "abc");
  EXPECT_EQ(metrics(), (std::vector<std::string>{"loss 2.5 @1", "loss 2.25 @2"}));
  EXPECT_EQ(authorization_, "Bearer secret");
  EXPECT_FALSE(exists("spool.jsonl"));
  EXPECT_TRUE(notes_.empty());
}

TEST_F(MlflowTest, ABusyServerIsAskedAgain) {
  failures_ = 3;
  const auto mlflow = tracker(place());
  run_through(*mlflow, a_run());
  EXPECT_EQ(metrics().size(), 2U);
  EXPECT_EQ(calls_.back(), "runs/update");
  EXPECT_FALSE(exists("spool.jsonl"));
}

TEST_F(MlflowTest, WhatIsRefusedIsLeftOutAndSaid) {
  refuse_batches_ = true;
  const auto mlflow = tracker(place());
  run_through(*mlflow, a_run());
  EXPECT_EQ(calls_.back(), "runs/update") << "the rest goes on";
  ASSERT_FALSE(notes_.empty());
  EXPECT_NE(notes_[0].find("400 no such metric"), std::string::npos) << notes_[0];
}

TEST_F(MlflowTest, ARunGoesOn) {
  TrackedRun run = a_run();
  run.exists = true;
  const auto mlflow = tracker(place());
  run_through(*mlflow, run);
  EXPECT_EQ(std::count(calls_.begin(), calls_.end(), "runs/create"), 0);
  EXPECT_EQ(bodies_.back().get_string("run_id"), run.id);
  EXPECT_EQ(mlflow->run_id(), run.id);
}

TEST_F(MlflowTest, WhatCannotBeSentWaitsForTheNextOne) {
  MlflowServer away = place();
  away.uri = "http://127.0.0.1:1";
  away.end_limit = milliseconds(20);
  {
    const auto mlflow = tracker(away);
    run_through(*mlflow, a_run());
  }
  ASSERT_TRUE(exists("spool.jsonl"));
  ASSERT_FALSE(notes_.empty());
  EXPECT_NE(notes_.back().find("requests wait in"), std::string::npos) << notes_.back();

  const auto mlflow = tracker(place());
  run_through(*mlflow, a_run());
  EXPECT_EQ(std::count(calls_.begin(), calls_.end(), "runs/create"), 2) << "the old run and the new one";
  EXPECT_EQ(metrics().size(), 4U);
  EXPECT_FALSE(exists("spool.jsonl"));
}

}  // namespace
}  // namespace slipway::mlsteps
