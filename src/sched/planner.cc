#include "slipway/sched/planner.h"

#include <algorithm>

#include "sched/fan_out.h"
#include "sched/launcher.h"
#include "sched/run_result.h"
#include "sched/starts.h"
#include "sched/ticks.h"
#include "sched/wake.h"
#include "slipway/dag/expr.h"
#include "slipway/sched/outcome.h"
#include "slipway/sched/scope.h"
#include "slipway/sched/trigger_rule.h"

namespace slipway::sched {
namespace {

using run::ActiveRun;
using run::AttemptState;
using run::FailureClass;
using run::RunState;
using run::TaskInstance;
using run::TaskState;
using run::UpstreamCounts;

constexpr std::size_t kNamedMax = 3;  // upstream tasks named in a reason

// Upstream tasks that give the verdict its reason: "`a` failed, `b` skipped".
std::string culprits(const ActiveRun& run, const dag::Task& task, Verdict verdict) {
  std::string text;
  std::size_t named = 0;
  for (const TaskId& need : task.needs) {
    const TaskState state = outcome_of(run, run.dag->index_of(need));
    const bool bad = state == TaskState::Failed || state == TaskState::UpstreamFailed || state == TaskState::Cancelled;
    if (!run::is_terminal(state) || (verdict == Verdict::UpstreamFailed && !bad)) continue;
    if (named++ == kNamedMax) return text + ", …";
    text += (named > 1 ? ", `" : "`") + need.str() + "` " + std::string(run::kTaskStates.text(state));
  }
  return text;
}

// What one run wants done this round, launches aside.
class RunPlanner {
 public:
  RunPlanner(const run::Snapshot& snapshot, const ActiveRun& run, Instant now, Plan& plan)
      : snapshot_(snapshot), run_(run), now_(now), plan_(plan) {}

  void plan_running() {
    if (times_out()) return;
    for (const TaskKey& key : run_.touched)
      if (run_.state.tasks.at(key).state == TaskState::Failed) halt_fan_out(key);
    for (const TaskKey& key : run_.touched) consider(key);
    consider_after_past();
    plan_retries();
    watch_attempts();
    for (const auto& [due, keys] : run_.wait_due) {
      if (due > now_) break;
      for (const TaskKey& key : keys) end_wait(run_.state.tasks.at(key));
    }
    if (all_but_last_over()) consider_last();
    if (is_over()) plan_.run_moves.push_back(conclude(run_));
  }

  // Nothing starts but what cleans up, and nothing is stopped but what does not.
  void plan_cancelling() {
    const FailureClass cause = run_.state.cancel_cause;
    const char* reason = cause == FailureClass::Timeout ? "the run timed out" : "the run was cancelled";
    for (const TaskKey& key : run_.touched) {
      const TaskInstance& instance = run_.state.tasks.at(key);
      const TaskState state = instance.state;
      if (run::is_terminal(state)) continue;
      if (run::outlives_cancel(run_.state, *run_.task(key.task)))
        clean_up(key);
      else if (run::is_legal(state, TaskState::Cancelled) && !has_open_attempt(state) && !awaits_sub_run(instance))
        move(key, TaskState::Cancelled, reason);
    }
    plan_retries();
    for (const AttemptId& id : run_.open_attempts)
      if (is_to_stop(id)) plan_.stops.push_back({id, cause});
    watch_attempts();
    if (all_but_last_over()) consider_last();
    if (is_over()) plan_.run_moves.push_back(conclude(run_));
  }

 private:
  // A sub-run waits, too, but is admitted by the launcher: a group may limit how many of its members go on at once.
  static bool waits(dag::TaskKind kind) { return kind == dag::TaskKind::Wait || kind == dag::TaskKind::Approve; }

  static bool has_open_attempt(TaskState state) {
    return state == TaskState::Queued || state == TaskState::Active || state == TaskState::Stopping;
  }
  static bool is_last(const dag::Task& task) {
    return task.role == dag::TaskRole::OnFailure || task.role == dag::TaskRole::OnSuccess;
  }

  [[nodiscard]] bool is_halted(const TaskId& task) const {
    return plan_.halted.count({run_.state.header.id, task}) != 0;
  }

  // An attempt of an older generation may outlive what its instance was marked as.
  [[nodiscard]] bool is_over() const { return run_.unfinished == 0 && run_.open_attempts.empty(); }

  // The engine cancels the sub-run; its end is the task's.
  [[nodiscard]] bool awaits_sub_run(const TaskInstance& instance) const {
    return instance.waiting && instance.waiting->kind() == "dag" &&
           snapshot_.runs.count(RunId(instance.waiting->what.get_string("run"))) != 0;
  }

  void end_wait(const TaskInstance& instance) {
    const run::WaitState& waiting = *instance.waiting;
    if (waiting.due && *waiting.due <= now_ && !(waiting.deadline && *waiting.deadline < *waiting.due))
      return move(instance.key, TaskState::Success, "waited until " + to_rfc3339(*waiting.due));
    const Duration limit = run_.task(instance.key.task)->timeout;
    plan_.moves.push_back({run_.state.header.id, instance.key, TaskState::Failed,
                           "waited longer than its timeout of " + to_text(limit) + ": " + instance.reason,
                           FailureClass::Timeout});
  }

  // Not once all is over, however late that was heard of.
  bool times_out() {
    if (run_.dag->timeout == Duration(0) || is_over()) return false;
    const Instant end = *run_.state.started_at + run_.dag->timeout;
    if (end > now_) {
      wake_by(plan_.wake_at, end);
      return false;
    }
    plan_.run_moves.push_back({run_.state.header.id, RunState::Cancelling, {}, FailureClass::Timeout});
    return true;
  }

  void plan_retries() {
    for (const auto& [due, keys] : run_.retry_due) {
      if (due > now_) return wake_by(plan_.wake_at, due);
      for (const TaskKey& key : keys) {
        const bool may =
            run_.state.state == RunState::Running || run::outlives_cancel(run_.state, *run_.task(key.task));
        if (may && !is_halted(key.task)) move(key, TaskState::Scheduled, {});
      }
    }
  }

  // --- one instance: setups around it, rule, past, `when`, list; rendering follows when the attempt is opened

  void consider(const TaskKey& key) {
    if (run_.state.tasks.at(key).state != TaskState::None || is_halted(key.task)) return;
    const dag::Task& task = *run_.task(key.task);
    if (is_last(task)) return;
    const auto index = static_cast<std::size_t>(run_.dag->index.at(key.task));
    if (!setups_allow(key, task)) return;
    const Verdict verdict = evaluate(task.trigger_rule, run_.upstream[index], setups_of(task, run_.upstream[index]));
    switch (verdict) {
      case Verdict::Wait: return;
      case Verdict::Skip: return move(key, TaskState::Skipped, unmet(task, verdict));
      case Verdict::UpstreamFailed: return move(key, TaskState::UpstreamFailed, unmet(task, verdict));
      case Verdict::Run: break;
    }
    if (const auto past = past_of(snapshot_, run_, task); past && !past_allows(*past)) return;
    begin(key, task);
  }

  // An instance that was reset goes on with its element: `when` and the list were asked for its task.
  void begin(const TaskKey& key, const dag::Task& task) {
    if (task.service && !task.service->deploy_on_backfill && runs_for_backfill(snapshot_, run_.state))
      return move(key, TaskState::Skipped, "a backfill deploys no service without `deploy_on_backfill: true`");
    const bool mapped = key.map_index != TaskKey::kUnmapped;
    if (!mapped && task.when && !passes(key, *task.when)) return;
    if (!mapped && task.for_each) return expand(key, *task.for_each);
    if (waits(task.kind)) return plan_.waits.push_back({run_.state.header.id, key});
    move(key, task.kind == dag::TaskKind::Noop ? TaskState::Success : TaskState::Scheduled, {});
  }

  void expand(const TaskKey& key, const dag::ForEach& fan_out) {
    auto items = elements_of(snapshot_, run_, fan_out);
    if (!items) {
      plan_.moves.push_back(
          {run_.state.header.id, key, TaskState::Failed, items.error().message, FailureClass::Render});
    } else if (items->empty()) {
      move(key, TaskState::Skipped, "`for_each` gives an empty list");
    } else {
      plan_.expansions.push_back({run_.state.header.id, key.task, *std::move(items)});
    }
  }

  // What the rule of a teardown asks beside the counts; looked at once everything ended.
  [[nodiscard]] UpstreamCounts setups_of(const dag::Task& task, const UpstreamCounts& upstream) const {
    UpstreamCounts counts;
    if (upstream.pending > 0) return counts;
    for (const TaskId& setup : task.setups) {
      const UpstreamCounts& own = run_.own[static_cast<std::size_t>(run_.dag->index.at(setup))];
      counts.success += own.success;
      counts.failed += own.failed;
      counts.upstream_failed += own.upstream_failed;
      counts.skipped += own.skipped;
    }
    return counts;
  }

  // Between a setup and its teardown nothing runs without the setup, be the task's rule what it may.
  bool setups_allow(const TaskKey& key, const dag::Task& task) {
    for (const TaskId& setup : task.enclosing_setups) {
      const UpstreamCounts& own = run_.own[static_cast<std::size_t>(run_.dag->index.at(setup))];
      const Verdict verdict = evaluate(dag::TriggerRule::AllSuccess, own);
      if (verdict == Verdict::Run) continue;
      const bool failed = verdict == Verdict::UpstreamFailed;
      if (verdict != Verdict::Wait)
        move(key, failed ? TaskState::UpstreamFailed : TaskState::Skipped,
             "its setup `" + setup.str() + "` " + (failed ? "failed" : "was skipped"));
      return false;
    }
    return true;
  }

  // What waits for the run before is asked again when the same task moved there.
  void consider_after_past() {
    const auto before = snapshot_.runs.find(run_.state.header.previous);
    if (run_.state.header.previous.empty() || before == snapshot_.runs.end()) return;
    std::set<TaskId> moved;
    for (const TaskKey& key : before->second.touched)
      if (const dag::Task* task = run_.task(key.task); task != nullptr && task->depends_on_past) moved.insert(key.task);
    for (const TaskId& task : moved)
      for (auto it = run_.state.tasks.lower_bound({task, TaskKey::kUnmapped});
           it != run_.state.tasks.end() && it->first.task == task; ++it)
        if (run_.touched.count(it->first) == 0) consider(it->first);
  }

  // --- the end of a run

  [[nodiscard]] bool all_but_last_over() const {
    return run_.unfinished_last > 0 && run_.unfinished == run_.unfinished_last;
  }

  // on_failure and on_success, once the result is known; they stand last in the DAG.
  void consider_last() {
    const bool fails = conclude(run_).to != RunState::Success;
    const bool cancelling = run_.state.state == RunState::Cancelling;
    for (auto task = run_.dag->tasks.rbegin(); task != run_.dag->tasks.rend() && is_last(*task); ++task) {
      if (cancelling && !run::outlives_cancel(run_.state, *task)) continue;  // it is cancelled with the others
      const bool wanted = (task->role == dag::TaskRole::OnFailure) == fails;
      for (auto it = run_.state.tasks.lower_bound({task->id, TaskKey::kUnmapped});
           it != run_.state.tasks.end() && it->first.task == task->id; ++it) {
        if (it->second.state != TaskState::None || is_halted(task->id)) continue;
        wanted ? begin(it->first, *task)
               : move(it->first, TaskState::Skipped, fails ? "the run fails" : "the run succeeds");
      }
    }
  }

  // --- cancelling

  // A teardown runs if one of its setups began, however that ended: what it made may be there.
  void clean_up(const TaskKey& key) {
    const dag::Task& task = *run_.task(key.task);
    const auto index = static_cast<std::size_t>(run_.dag->index.at(key.task));
    if (run_.state.tasks.at(key).state != TaskState::None || is_last(task) || run_.upstream[index].pending > 0) return;
    is_to_clean_up(run_.state, task) ? begin(key, task)
                                     : move(key, TaskState::Cancelled, "the run was cancelled before its setups began");
  }

  // on_failure: stop. Of the others, those that did not start are cancelled, those that run are stopped.
  void halt_fan_out(const TaskKey& failed) {
    const dag::Task& task = *run_.task(failed.task);
    const bool stops = task.for_each && task.for_each->on_failure == dag::InstanceFailure::Stop;
    if (failed.map_index == TaskKey::kUnmapped || !stops) return;
    const bool others = run_.own[static_cast<std::size_t>(run_.dag->index.at(failed.task))].pending > 0;
    if (!others || !plan_.halted.insert({run_.state.header.id, failed.task}).second) return;
    const std::string reason = "`" + failed.str() + "` failed, and on_failure is stop";
    for (const auto& [key, instance] : run_.state.mapped(failed.task)) {
      if (run::is_terminal(instance.state)) continue;
      if (!has_open_attempt(instance.state)) {
        move(key, TaskState::Cancelled, reason);
        continue;
      }
      const run::Attempt& attempt = *run_.state.last_attempt(key);
      if (attempt.stop_cause == FailureClass::None && stopped_.insert(attempt.id).second)
        plan_.stops.push_back({attempt.id, FailureClass::External, reason});
    }
  }

  [[nodiscard]] std::string unmet(const dag::Task& task, Verdict verdict) const {
    return std::string(dag::kTriggerRules.text(task.trigger_rule)) + ": " + culprits(run_, task, verdict);
  }

  bool passes(const TaskKey& key, const dag::Template& when) {
    const auto value = dag::evaluate(when, {names_for(snapshot_, run_, {&when}), nullptr});
    if (value && value->is_bool() && value->as_bool()) return true;
    if (value && (value->is_null() || value->is_bool())) {
      move(key, TaskState::Skipped, "`when` is " + value->dump() + ": " + when.text);
    } else {
      const std::string why = value ? "gives " + std::string(value->type_name()) + ", not true or false"
                                    : "cannot be evaluated: " + value.error().message;
      plan_.moves.push_back({run_.state.header.id, key, TaskState::Failed, "`when` " + why, FailureClass::Render});
    }
    return false;
  }

  // Of a run that is being cancelled.
  [[nodiscard]] bool is_to_stop(const AttemptId& id) const {
    return run_.state.state == RunState::Cancelling && run_.state.attempts.at(id).stop_cause == FailureClass::None &&
           !run::outlives_cancel(run_.state, *run_.task(id.key.task));
  }

  // Time-outs, and lost attempts to give up. What a cancelled run has yet to stop is stopped first.
  void watch_attempts() {
    for (const auto& [due, id] : run_.attempt_due) {
      if (due > now_) return wake_by(plan_.wake_at, due);
      const run::Attempt& attempt = run_.state.attempts.at(id);
      if (stopped_.count(id) != 0 || is_to_stop(id)) continue;
      attempt.ended_at ? fence(attempt) : void(plan_.stops.push_back({id, FailureClass::Timeout}));
    }
  }

  void fence(const run::Attempt& attempt) {
    const Duration lost_after = *run_.task(attempt.id.key.task)->retry.lost_after;
    plan_.fences.push_back({attempt.id, "lost for " + to_text(lost_after) + ": " + attempt.reason});
  }

  void move(const TaskKey& key, TaskState to, std::string reason) {
    plan_.moves.push_back({run_.state.header.id, key, to, std::move(reason)});
  }

  const run::Snapshot& snapshot_;
  const ActiveRun& run_;
  Instant now_;
  Plan& plan_;
  std::set<AttemptId> stopped_;  // in this round
};

// Runs that wait for earlier ones have a deadline, too.
void watch_deadline(const ActiveRun& run, Instant now, Plan& plan) {
  if (!run.dag->deadline || run.state.late || run::is_terminal(run.state.state)) return;
  const Instant due = run.state.header.logical_date + run.dag->deadline->after;
  due > now ? wake_by(plan.wake_at, due) : void(plan.late.push_back({run.state.header.id}));
}

// Runs that changed, those that wait for what one of them did, and those that time alone moves now.
std::set<RunId> to_look_at(const run::Snapshot& snapshot, Instant now, Plan& plan) {
  std::set<RunId> runs = snapshot.touched;
  for (const RunId& id : snapshot.touched)
    for (const RunId& follower : followers_of(snapshot, id)) runs.insert(follower);
  for (const auto& [due, id] : snapshot.run_due) {
    if (due > now) {
      wake_by(plan.wake_at, due);
      break;
    }
    runs.insert(id);
  }
  return runs;
}

}  // namespace

Plan decide(const run::Snapshot& snapshot, Instant now, Suspects* suspects) {
  Plan plan;
  // A run moves once a round, and what it is about to leave plans nothing more for it.
  std::set<RunId> moved;
  const auto note_moves = [&] {
    for (const RunMove& move : plan.run_moves) moved.insert(move.run);
  };
  plan_ticks(snapshot, now, plan, suspects);
  note_moves();
  start_queued(snapshot, moved, plan);
  plan_backfills(snapshot, moved, now, plan);
  for (const RunId& id : to_look_at(snapshot, now, plan)) {
    const ActiveRun& run = snapshot.runs.at(id);
    if (suspects != nullptr) suspects->work_on(suspect_run(id.str()));
    watch_deadline(run, now, plan);
    if (moved.count(id) != 0) continue;
    RunPlanner planner(snapshot, run, now, plan);
    if (run.state.state == RunState::Running) planner.plan_running();
    if (run.state.state == RunState::Cancelling) planner.plan_cancelling();
  }
  if (suspects != nullptr) suspects->work_on({});
  note_moves();
  plan_launches(snapshot, moved, plan);
  return plan;
}

}  // namespace slipway::sched
