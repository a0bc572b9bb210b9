#include "sched/starts.h"

#include <algorithm>

#include "sched/wake.h"

namespace slipway::sched {
namespace {

using run::RunState;

// Whether a run under way may wait for what becomes of this one (depends_on_past).
bool is_awaited(const run::Snapshot& snapshot, const RunId& id) {
  const std::vector<RunId> followers = followers_of(snapshot, id);
  return std::any_of(followers.begin(), followers.end(), [&](const RunId& follower) {
    const run::ActiveRun& run = snapshot.runs.at(follower);
    return run.state.state == RunState::Running && run.dag->depends_on_past;
  });
}

// Oldest first, as many as there is room for. A run that is awaited starts beyond that, or its retry would wait for a
// run that waits for it; none is where none of the DAG is `following` another.
void start(const run::Snapshot& snapshot, const std::set<RunId>& queued, int room, bool following,
           const std::set<RunId>& moved, Plan& plan) {
  for (const RunId& run : queued) {
    if (room <= 0 && !following) break;
    if (moved.count(run) != 0 || (room <= 0 && !is_awaited(snapshot, run))) continue;
    plan.run_moves.push_back({run, RunState::Running, {}});
    --room;
  }
}

}  // namespace

std::vector<RunId> followers_of(const run::Snapshot& snapshot, const RunId& before) {
  std::vector<RunId> found;
  for (auto it = snapshot.followers.lower_bound({before, RunId()});
       it != snapshot.followers.end() && it->first == before; ++it)
    found.push_back(it->second);
  return found;
}

void start_queued(const run::Snapshot& snapshot, const std::set<RunId>& moved, Plan& plan) {
  for (const DagId& id : snapshot.startable) {
    const run::DagEntry& entry = snapshot.dags.at(id);
    start(snapshot, entry.queued, entry.dag->max_active_runs - entry.under_way, entry.following > 0, moved, plan);
  }
}

void plan_backfills(const run::Snapshot& snapshot, const std::set<RunId>& moved, Instant now, Plan& plan) {
  for (const auto& [id, entry] : snapshot.backfills) {
    const run::Backfill& backfill = entry.state;
    const auto dag = snapshot.dags.find(backfill.dag);
    if (!entry.queued.empty() && dag != snapshot.dags.end())
      start(snapshot, entry.queued, backfill.max_active - entry.under_way, dag->second.following > 0, moved, plan);
    const int open = entry.under_way + static_cast<int>(entry.queued.size());
    const bool has_room = backfill.next && open < backfill.max_active;
    if (has_room && dag != snapshot.dags.end() && dag->second.present)
      snapshot.claims_left > 0 ? plan.claims.push_back(id) : wake_by(plan.wake_at, now);
    if (!backfill.next && open == 0 && !backfill.ended_at) plan.backfill_ends.push_back(id);
  }
}

bool runs_for_backfill(const run::Snapshot& snapshot, const run::Run& run) {
  if (run.header.trigger == run::TriggerKind::Backfill || !run.backfill.empty()) return true;
  if (!run.header.parent) return false;
  const auto parent = snapshot.runs.find(run.header.parent->run);
  return parent != snapshot.runs.end() && !run::is_terminal(parent->second.state.state) &&
         runs_for_backfill(snapshot, parent->second.state);
}

}  // namespace slipway::sched
