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
    run::dag_changed(snapshot, entry.dag->id, now);
    return entry;
  }
  // A queued run of a DAG that was added.
  run::ActiveRun& create(const std::string& dag, const std::string& id, const std::string& schedule = {},
                         const std::string& previous = {}) {
    run::DagEntry& entry = snapshot.dags.at(DagId(dag));
    run::RunCreated created;
    created.header.id = RunId(id);
    created.header.dag = DagId(dag);
    created.header.schedule = schedule;
    created.header.previous = RunId(previous);
    created.header.logical_date = created.header.interval_start = created.header.interval_end = now;
    created.header.created_at = now;
    created.header.params = Value::Object{};
    for (const auto& task : entry.dag->tasks) created.tasks.push_back(key_of(task.id.str()));
    emit(RunId(id), std::move(created));
    return snapshot.runs.at(RunId(id));
  }
  void emit(const RunId& id, run::EventBody body) {
    const auto run = snapshot.runs.find(id);
    const std::uint64_t last_seq = run == snapshot.runs.end() ? 0 : run->second.state.last_seq;
    run::fold(snapshot, {id, last_seq + 1, now, std::move(body)});
  }
  // Tests change entries as they like.
  [[nodiscard]] sched::Plan decide() {
    for (const auto& [id, entry] : snapshot.dags) run::dag_changed(snapshot, id, now);
    return sched::decide(snapshot, now);
  }

  // Carries out everything but new runs; returns how many rounds had something to do.
  int settle() {
    int rounds = 0;
    for (sched::Plan plan = decide(); !plan.empty() && rounds < 1'000; plan = decide(), ++rounds) carry_out(plan);
    EXPECT_LT(rounds, 1'000);
    return rounds;
  }
  void carry_out(const sched::Plan& plan) {
    run::clear_touched(snapshot);
    for (const auto& move : plan.seen) {
      snapshot.dags.at(move.dag).seen[move.schedule] = move.counts;
      run::dag_changed(snapshot, move.dag, now);
    }
    for (const auto& move : plan.cursors) snapshot.dags.at(move.dag).cursors[move.schedule] = move.to;
    for (const auto& move : plan.run_moves) emit(move.run, run::RunMoved{move.to, move.failures, move.cause});
    for (const auto& move : plan.moves) emit(move.run, run::TaskMoved{move.key, move.to, move.reason, move.failure});
    for (const auto& expansion : plan.expansions)
      emit(expansion.run, run::TaskExpanded{expansion.task, expansion.items});
    for (const auto& launch : plan.launches) {
      const int number = snapshot.runs.at(launch.run).state.tasks.at(launch.key).attempts + 1;
      emit(launch.run, run::AttemptOpened{{launch.run, launch.key, number}, "fake", {}});
    }
    for (const auto& stop : plan.stops)
      emit(stop.attempt.run, run::AttemptStopping{stop.attempt, stop.cause, stop.reason});
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
