// Carries out a plan: events into the batch, effects behind the commit.
#include "engine/core.h"
#include "engine/render.h"
#include "slipway/dag/parse.h"

namespace slipway::engine {

using run::FailureClass;
using run::TaskState;

void Core::apply(const sched::Plan& plan) {
  for (const sched::NewRun& tick : plan.runs) fire(tick);
  for (const sched::CursorMove& move : plan.cursors) {
    run::DagEntry& entry = snapshot_.dags.at(move.dag);
    entry.cursors[move.schedule] = move.to;
    run::dag_changed(snapshot_, move.dag, now_);
    save_cursors(move.dag);
    if (move.missed > 0)
      log_.info("ticks did not fire", {{"dag", move.dag.str()},
                                       {"schedule", move.schedule},
                                       {"count", std::to_string(move.missed)},
                                       {"up_to", to_rfc3339(move.to)}});
  }
  for (const sched::SeenMove& move : plan.seen) {
    snapshot_.dags.at(move.dag).seen[move.schedule] = move.counts;
    run::dag_changed(snapshot_, move.dag, now_);
    save_cursors(move.dag);
  }
  for (const sched::RunMove& move : plan.run_moves) {
    emit(move.run, run::RunMoved{move.to, move.failures, move.cause});
    tell_of_end(snapshot_.runs.at(move.run));
    if (move.to == run::RunState::Failed)
      log_.info("run failed",
                {{"run", move.run.str()}, {"reason", move.failures.empty() ? "" : move.failures.front()}});
  }
  for (const sched::Move& move : plan.moves)
    emit(move.run, run::TaskMoved{move.key, move.to, move.reason, move.failure});
  for (const sched::Expansion& expansion : plan.expansions)
    emit(expansion.run, run::TaskExpanded{expansion.task, expansion.items});
  for (const sched::StartWait& wait : plan.waits) begin_wait(wait.run, wait.key);
  for (const sched::Launch& launch : plan.launches) open_attempt(launch.run, launch.key);
  for (const sched::Stop& order : plan.stops) stop(order);
  for (const sched::Fence& order : plan.fences) fence(order);
  for (const std::string& backfill : plan.claims) claim(backfill);
  for (const std::string& backfill : plan.backfill_ends) end_backfill(backfill);
  for (const sched::Late& late : plan.late) {
    emit(late.run, run::DeadlinePassed{});
    tell_of_deadline(snapshot_.runs.at(late.run));
  }
}

void Core::fire(const sched::NewRun& tick) {
  // A backfill may have dealt with the tick before its schedule came to it.
  if (run::claims_tick(tick.trigger)) {
    const auto known = runs_of_ticks({tick.dag, tick.schedule, tick.tick, tick.tick});
    if (known && !known->empty()) return;
  }
  run::DagEntry& entry = snapshot_.dags.at(tick.dag);
  auto params = dag::resolve_params(*entry.dag, tick.params.is_null() ? Value(Value::Object{}) : tick.params);
  if (!params.value) {
    log_.error("tick makes no run: its parameters are not valid",
               {{"dag", tick.dag.str()}, {"schedule", tick.schedule}, {"tick", to_rfc3339(tick.tick)}});
    return;
  }
  run::RunHeader header;
  header.trigger = tick.trigger;
  header.schedule = tick.schedule;
  header.logical_date = header.interval_end = tick.tick;
  header.interval_start = tick.interval_start;
  header.params = *std::move(params.value);
  create_run(entry, std::move(header));
}

// Rendering comes last of rule, `when` and render; what cannot be rendered fails without an attempt.
void Core::open_attempt(const RunId& run_id, const TaskKey& key) {
  work_on_run(run_id);
  const run::ActiveRun& run = snapshot_.runs.at(run_id);
  const dag::Task& task = *run.task(key.task);
  if (task.wait || task.approve || task.sub_dag) return begin_wait(run_id, key);
  if (const std::string newer = superseded_by(run, task); !newer.empty())
    return emit(run_id, run::TaskMoved{key, TaskState::Skipped, "superseded: " + newer + " is live"});
  const AttemptId id{run_id, key, run.state.tasks.at(key).attempts + 1};
  const RenderInput input{options_, snapshot_, run, task, id};
  auto rendered = render_launch(input, secrets_);
  if (!rendered)
    return emit(run_id, run::TaskMoved{key, TaskState::Failed, rendered.error().message, failure_of(rendered.error())});
  const std::string executor = executor_of(rendered->shown);
  if (!executor_.has(executor))
    return emit(run_id, run::TaskMoved{key, TaskState::Failed,
                                       "this server has no executor `" +
                                           std::string(executor == exec::kRollouts ? "kubernetes" : executor) +
                                           "`: see docs/kubernetes.md",
                                       FailureClass::Config});
  if (take_cached(input, rendered->shown)) return;
  effects_.launches.push_back(to_spec(input, rendered->shown, std::move(rendered->secrets)));
  emit(run_id,
       run::AttemptOpened{id, executor.empty() ? std::string(executor_.name()) : executor, std::move(rendered->shown)});
}

void Core::stop(const sched::Stop& order) {
  const AttemptId& id = order.attempt;
  emit(id.run, run::AttemptStopping{id, order.cause, order.reason});
  effects_.stops.push_back({id, snapshot_.runs.at(id.run).state.cancel_now});
}

// Given up on, proof or not; should it still be there, it is asked to end.
void Core::fence(const sched::Fence& order) {
  sched::Observation seen;
  seen.at = now_;
  seen.failure = FailureClass::InfraLost;
  seen.message = order.reason;
  effects_.stops.push_back({order.attempt, true});
  end_attempt(snapshot_.runs.at(order.attempt.run).state.attempts.at(order.attempt), seen);
}

}  // namespace slipway::engine
