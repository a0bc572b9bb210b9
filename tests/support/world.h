// A snapshot with DAGs and runs, and the loop that an engine makes around decide(), without store or executor.
#pragma once

#include <gtest/gtest.h>

#include "slipway/sched/planner.h"
#include "support/dags.h"
#include "support/run_builder.h"

namespace slipway::test {

class World {
 public:
  World() {
    snapshot.vars = Value::Object{};
    snapshot.slots_total = 4;
  }

  run::DagEntry& add(dag::Dag dag) {
    run::DagEntry& entry = snapshot.dags[dag.id];
    entry.dag = std::make_shared<const dag::Dag>(std::move(dag));
    for (const auto& schedule : entry.dag->schedules) entry.cursors.try_emplace(schedule.name, now);
    run::index_ticks(entry);
    return entry;
  }
  // A queued run of a DAG that was added.
  run::ActiveRun& create(const std::string& dag, const std::string& id, const std::string& schedule = {}) {
    run::DagEntry& entry = snapshot.dags.at(DagId(dag));
    run::RunCreated created;
    created.header.id = RunId(id);
    created.header.dag = DagId(dag);
    created.header.schedule = schedule;
    created.header.logical_date = created.header.interval_start = created.header.interval_end = now;
    created.header.created_at = now;
    created.header.params = Value::Object{};
    for (const auto& task : entry.dag->tasks) created.tasks.push_back(key_of(task.id.str()));
    run::ActiveRun& run = snapshot.runs[RunId(id)];
    run.dag = entry.dag;
    entry.active.push_back(RunId(id));
    emit(RunId(id), std::move(created));
    return run;
  }
  void emit(const RunId& id, run::EventBody body) {
    run::ActiveRun& run = snapshot.runs.at(id);
    run::fold(run, {id, run.state.last_seq + 1, now, std::move(body)});
  }
  [[nodiscard]] sched::Plan decide() const { return sched::decide(snapshot, now); }

  // Carries out everything but new runs; returns how many rounds had something to do.
  int settle() {
    int rounds = 0;
    for (sched::Plan plan = decide(); !plan.empty() && rounds < 1'000; plan = decide(), ++rounds) carry_out(plan);
    EXPECT_LT(rounds, 1'000);
    return rounds;
  }
  void carry_out(const sched::Plan& plan) {
    for (auto& [id, run] : snapshot.runs) run.touched.clear();
    for (const auto& move : plan.cursors) {
      snapshot.dags.at(move.dag).cursors[move.schedule] = move.to;
      run::index_ticks(snapshot.dags.at(move.dag));
    }
    for (const auto& move : plan.run_moves) emit(move.run, run::RunMoved{move.to, move.failures, move.cause});
    for (const auto& move : plan.moves) emit(move.run, run::TaskMoved{move.key, move.to, move.reason, move.failure});
    for (const auto& launch : plan.launches) {
      const int number = snapshot.runs.at(launch.run).state.tasks.at(launch.key).attempts + 1;
      emit(launch.run, run::AttemptOpened{{launch.run, launch.key, number}, "fake", {}});
    }
    for (const auto& stop : plan.stops) emit(stop.attempt.run, run::AttemptStopping{stop.attempt, stop.cause});
  }
  // The newest attempt of the task runs, then ends as told.
  void start(const std::string& run, const std::string& task, std::optional<Instant> deadline = {}) {
    emit(RunId(run), run::AttemptStarted{last(run, task), run::AttemptState::Running, "1", deadline});
  }
  void finish(const std::string& run, const std::string& task, run::TaskState to, Value outputs = {}) {
    run::AttemptEnded ended;
    ended.id = last(run, task);
    const bool ok = to == run::TaskState::Success || to == run::TaskState::Skipped;
    ended.to = ok ? run::AttemptState::Succeeded : run::AttemptState::Failed;
    ended.failure = ok ? run::FailureClass::None : run::FailureClass::User;
    ended.reason = ok ? "" : "exit code 1";
    ended.outputs = std::move(outputs);
    ended.task_to = to;
    if (to == run::TaskState::UpForRetry) ended.retry_at = now + std::chrono::seconds(30);
    emit(RunId(run), std::move(ended));
  }
  [[nodiscard]] AttemptId last(const std::string& run, const std::string& task) const {
    return {RunId(run), key_of(task), snapshot.runs.at(RunId(run)).state.tasks.at(key_of(task)).attempts};
  }
  [[nodiscard]] const run::TaskInstance& task(const std::string& run, const std::string& task) const {
    return snapshot.runs.at(RunId(run)).state.tasks.at(key_of(task));
  }
  [[nodiscard]] const run::Run& run(const std::string& id) const { return snapshot.runs.at(RunId(id)).state; }

  run::Snapshot snapshot;
  Instant now = at_second(0);
};

}  // namespace slipway::test
