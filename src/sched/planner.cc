#include "slipway/sched/planner.h"

#include "sched/launcher.h"
#include "sched/run_result.h"
#include "sched/ticks.h"
#include "sched/wake.h"
#include "slipway/dag/expr.h"
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

constexpr std::size_t kNamedMax = 3;  // upstream tasks named in a reason

// Upstream tasks that give the verdict its reason: "`a` failed, `b` skipped".
std::string culprits(const ActiveRun& run, const dag::Task& task, Verdict verdict) {
  std::string text;
  std::size_t named = 0;
  for (const TaskId& need : task.needs) {
    const auto found = run.state.tasks.find({need, TaskKey::kUnmapped});
    if (found == run.state.tasks.end()) continue;
    const TaskState state = found->second.state;
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
    for (const TaskKey& key : run_.touched) {
      const TaskInstance& instance = run_.state.tasks.at(key);
      if (instance.state == TaskState::None) consider(key);
    }
    for (const auto& [due, keys] : run_.retry_due) {
      if (due > now_) {
        wake_by(plan_.wake_at, due);
        break;
      }
      for (const TaskKey& key : keys) move(key, TaskState::Scheduled, {});
    }
    watch_attempts();
    if (is_over()) plan_.run_moves.push_back(conclude(run_));
  }

  void plan_cancelling() {
    const FailureClass cause = run_.state.cancel_cause;
    const char* reason = cause == FailureClass::Timeout ? "the run timed out" : "the run was cancelled";
    for (const TaskKey& key : run_.touched) {
      const TaskState state = run_.state.tasks.at(key).state;
      if (run::is_legal(state, TaskState::Cancelled) && !has_open_attempt(state))
        move(key, TaskState::Cancelled, reason);
    }
    for (const AttemptId& id : run_.open_attempts)
      if (run_.state.attempts.at(id).stop_cause == FailureClass::None) plan_.stops.push_back({id, cause});
    watch_attempts();
    if (is_over()) plan_.run_moves.push_back(conclude(run_));
  }

 private:
  static bool has_open_attempt(TaskState state) {
    return state == TaskState::Queued || state == TaskState::Active || state == TaskState::Stopping;
  }

  // An attempt of an older generation may outlive what its instance was marked as.
  [[nodiscard]] bool is_over() const { return run_.unfinished == 0 && run_.open_attempts.empty(); }

  bool times_out() {
    if (run_.dag->timeout == Duration(0)) return false;
    const Instant end = *run_.state.started_at + run_.dag->timeout;
    if (end > now_) {
      wake_by(plan_.wake_at, end);
      return false;
    }
    plan_.run_moves.push_back({run_.state.header.id, RunState::Cancelling, {}, FailureClass::Timeout});
    return true;
  }

  // Rule, then `when`; rendering follows when the attempt is opened.
  void consider(const TaskKey& key) {
    const dag::Task& task = *run_.task(key.task);
    const auto index = static_cast<std::size_t>(run_.dag->index.at(key.task));
    const Verdict verdict = evaluate(task.trigger_rule, run_.upstream[index]);
    switch (verdict) {
      case Verdict::Wait: return;
      case Verdict::Skip: return move(key, TaskState::Skipped, unmet(task, verdict));
      case Verdict::UpstreamFailed: return move(key, TaskState::UpstreamFailed, unmet(task, verdict));
      case Verdict::Run: break;
    }
    if (task.when && !passes(key, *task.when)) return;
    move(key, task.kind == dag::TaskKind::Noop ? TaskState::Success : TaskState::Scheduled, {});
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

  // Time-outs, and lost attempts to give up. What a cancelled run has yet to stop is stopped first.
  void watch_attempts() {
    for (const auto& [due, id] : run_.attempt_due) {
      if (due > now_) return wake_by(plan_.wake_at, due);
      const run::Attempt& attempt = run_.state.attempts.at(id);
      if (run_.state.state == RunState::Cancelling && attempt.stop_cause == FailureClass::None) continue;
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
};

// Runs that wait for earlier ones have a deadline, too.
void watch_deadline(const ActiveRun& run, Instant now, Plan& plan) {
  if (!run.dag->deadline || run.state.late || run::is_terminal(run.state.state)) return;
  const Instant due = run.state.header.logical_date + run.dag->deadline->after;
  due > now ? wake_by(plan.wake_at, due) : void(plan.late.push_back({run.state.header.id}));
}

// Oldest first, while the DAG has fewer runs under way than it may.
void start_queued(const run::Snapshot& snapshot, const std::set<RunId>& moved, Plan& plan) {
  for (const DagId& id : snapshot.startable) {
    const run::DagEntry& entry = snapshot.dags.at(id);
    int under_way = entry.under_way;
    for (const RunId& run : entry.queued) {
      if (under_way >= entry.dag->max_active_runs) break;
      if (moved.count(run) != 0) continue;
      plan.run_moves.push_back({run, RunState::Running, {}});
      ++under_way;
    }
  }
}

// Runs that changed, and those that time alone moves now.
std::set<RunId> to_look_at(const run::Snapshot& snapshot, Instant now, Plan& plan) {
  std::set<RunId> runs = snapshot.touched;
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

Plan decide(const run::Snapshot& snapshot, Instant now) {
  Plan plan;
  // A run moves once a round, and what it is about to leave plans nothing more for it.
  std::set<RunId> moved;
  const auto note_moves = [&] {
    for (const RunMove& move : plan.run_moves) moved.insert(move.run);
  };
  plan_ticks(snapshot, now, plan);
  note_moves();
  start_queued(snapshot, moved, plan);
  for (const RunId& id : to_look_at(snapshot, now, plan)) {
    const ActiveRun& run = snapshot.runs.at(id);
    watch_deadline(run, now, plan);
    if (moved.count(id) != 0) continue;
    RunPlanner planner(snapshot, run, now, plan);
    if (run.state.state == RunState::Running) planner.plan_running();
    if (run.state.state == RunState::Cancelling) planner.plan_cancelling();
  }
  note_moves();
  plan_launches(snapshot, moved, plan);
  return plan;
}

}  // namespace slipway::sched
