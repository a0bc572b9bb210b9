// The doors of the snapshot: what changes a run or an entry also changes what is derived from it.
#include <algorithm>

#include "run/affected.h"
#include "run/lanes.h"

namespace slipway::run {
namespace {

template <class Key>
void move_due(std::set<std::pair<Instant, Key>>& dues, const Key& key, std::optional<Instant>& from,
              std::optional<Instant> to) {
  if (from == to) return;
  if (from) dues.erase({*from, key});
  if (to) dues.insert({*to, key});
  from = to;
}

void note_due(Snapshot& snapshot, ActiveRun& run) {
  move_due(snapshot.run_due, run.state.header.id, run.due, next_due(run));
}

bool has_live_run(const Snapshot& snapshot, const DagEntry& entry, const std::string& schedule) {
  return std::any_of(entry.active.begin(), entry.active.end(), [&](const RunId& id) {
    const Run& run = snapshot.runs.at(id).state;
    return run.header.schedule == schedule && !is_terminal(run.state);
  });
}

std::int64_t updates_of(const Snapshot& snapshot, const std::string& uri) {
  const auto dataset = snapshot.datasets.find(uri);
  return dataset == snapshot.datasets.end() ? 0 : dataset->second.updates;
}

// When plan_ticks has to look at the entry; the distant past stands for "at once".
std::optional<Instant> next_tick_due(const Snapshot& snapshot, const DagEntry& entry) {
  if (entry.paused || !entry.present) return std::nullopt;
  std::optional<Instant> due;
  const auto by = [&](Instant instant) { due = due ? std::min(*due, instant) : instant; };
  for (const auto& [name, start] : entry.next_starts) by(start);
  for (const dag::Schedule& schedule : entry.dag->schedules) {
    const bool waits_for_first = schedule.kind == dag::ScheduleKind::Once && entry.cursors.count(schedule.name) == 0;
    const bool waits_for_next =
        schedule.kind == dag::ScheduleKind::Continuous && !has_live_run(snapshot, entry, schedule.name);
    const bool has_data =
        schedule.kind == dag::ScheduleKind::Datasets && all_updated(snapshot, entry, schedule).has_value();
    if (waits_for_first || waits_for_next || has_data) by(schedule.start.value_or(Instant::min()));
  }
  return due;
}

void note_dag(Snapshot& snapshot, const DagId& id, DagEntry& entry) {
  move_due(snapshot.tick_due, id, entry.due, next_tick_due(snapshot, entry));
  const bool has_room = entry.under_way < entry.dag->max_active_runs || entry.following > 0;
  const bool startable = !entry.queued.empty() && has_room;
  startable ? void(snapshot.startable.insert(id)) : void(snapshot.startable.erase(id));
}

// Takes the run out of the index of who follows whom (by = -1), or puts it in (by = +1).
void count_following(Snapshot& snapshot, DagEntry& entry, const RunHeader& header, int by) {
  if (header.previous.empty()) return;
  entry.following += by;
  const std::pair follower(header.previous, header.id);
  by > 0 ? void(snapshot.followers.insert(follower)) : void(snapshot.followers.erase(follower));
}

LaneId lane_id(const ActiveRun& run, const dag::Task& task) { return {task.pool, run.state.header.dag}; }

bool may_start(const ActiveRun& run, const dag::Task& task) {
  return run.state.state == RunState::Running ||
         (run.state.state == RunState::Cancelling && outlives_cancel(run.state, task));
}

// The instance as it waits, if it does: Scheduled in a run under way.
std::optional<Waiting> waiting_of(const ActiveRun& run, const TaskKey& key) {
  const TaskInstance& instance = run.state.tasks.at(key);
  if (instance.state != TaskState::Scheduled) return std::nullopt;
  const auto index = static_cast<std::size_t>(run.dag->index.at(key.task));
  const dag::Task& task = run.dag->tasks[index];
  if (!may_start(run, task)) return std::nullopt;
  return Waiting{task.priority, run.path[index], *instance.scheduled_at, run.state.header.id,
                 key,           slots_of(task),  local_slots_of(task)};
}

bool is_open(const ActiveRun& run, const std::optional<AttemptId>& id) {
  return id && run.open_attempts.count(*id) != 0;
}

// Takes the run out of the counts of its DAG or backfill and of the queues (by = -1), or puts it in (by = +1).
void count_run(Snapshot& snapshot, const ActiveRun& run, Instant now, int by) {
  const RunId& id = run.state.header.id;
  DagEntry& entry = snapshot.dags.at(run.state.header.dag);
  const auto backfill = snapshot.backfills.find(run.state.backfill);
  const bool apart = backfill != snapshot.backfills.end();
  std::set<RunId>& queued = apart ? backfill->second.queued : entry.queued;
  int& under_way = apart ? backfill->second.under_way : entry.under_way;
  if (run.state.state == RunState::Queued) by > 0 ? void(queued.insert(id)) : void(queued.erase(id));
  if (run.state.state == RunState::Running || run.state.state == RunState::Cancelling) under_way += by;
  for (const auto& [key, instance] : run.state.tasks)
    if (const auto waiting = waiting_of(run, key))
      by > 0 ? add_waiting(snapshot, lane_id(run, *run.task(key.task)), *waiting, now)
             : remove_waiting(snapshot, lane_id(run, *run.task(key.task)), *waiting, now);
}

// How a run of a backfill ended, or that it goes on for it after all.
void count_end(Snapshot& snapshot, const Run& run, const std::string& backfill_before, RunState before) {
  const auto found = snapshot.backfills.find(run.backfill);
  if (found == snapshot.backfills.end()) return;
  Backfill& backfill = found->second.state;
  const auto count = [&](RunState state, int by) {
    if (state == RunState::Success) backfill.succeeded += by;
    if (state == RunState::Failed) backfill.failed += by;
    if (state == RunState::Cancelled) backfill.cancelled += by;
  };
  if (run.backfill == backfill_before) count(before, -1);
  count(run.state, +1);
}

// Adds (by = +1) or removes (by = -1) what waits of a task in all its instances.
void count_waiting(Snapshot& snapshot, const ActiveRun& run, const TaskId& task, Instant now, int by) {
  const LaneId lane = lane_id(run, *run.task(task));
  for (auto it = run.state.tasks.lower_bound({task, TaskKey::kUnmapped});
       it != run.state.tasks.end() && it->first.task == task; ++it)
    if (const auto waiting = waiting_of(run, it->first))
      by > 0 ? add_waiting(snapshot, lane, *waiting, now) : remove_waiting(snapshot, lane, *waiting, now);
}

void fold_instance(Snapshot& snapshot, ActiveRun& run, const Event& event, const Affected& affected) {
  const TaskKey& key = *affected.key;
  const dag::Task& task = *run.task(key.task);
  const LaneId lane = lane_id(run, task);
  const auto waited = waiting_of(run, key);
  const bool was_open = is_open(run, affected.attempt);
  fold(run, event);
  const auto waits = waiting_of(run, key);
  if (waited && waited != waits) remove_waiting(snapshot, lane, *waited, event.at);
  if (waits && waited != waits) add_waiting(snapshot, lane, *waits, event.at);
  const bool open = is_open(run, affected.attempt);
  if (open == was_open) return;
  snapshot.dags.at(run.state.header.dag).open_attempts += open ? 1 : -1;
  if (!open) return release(snapshot, lane, task, event.at);
  hold(snapshot, lane, task, event.at);
  charge_start(snapshot, lane, task, event.at);
}

}  // namespace

std::optional<std::map<std::string, std::int64_t>> all_updated(const Snapshot& snapshot, const DagEntry& entry,
                                                               const dag::Schedule& schedule) {
  const auto seen = entry.seen.find(schedule.name);
  if (seen == entry.seen.end()) return std::nullopt;
  std::map<std::string, std::int64_t> counts;
  for (const std::string& uri : schedule.datasets) {
    const auto before = seen->second.find(uri);
    counts[uri] = updates_of(snapshot, uri);
    if (counts[uri] <= (before == seen->second.end() ? 0 : before->second)) return std::nullopt;
  }
  return counts;
}

void update_dataset(Snapshot& snapshot, const std::string& uri, const std::string& by, Instant now) {
  Dataset& dataset = snapshot.datasets[uri];
  ++dataset.updates;
  dataset.updated_at = now;
  dataset.by = by;
  for (auto& [id, entry] : snapshot.dags)
    for (const dag::Schedule& schedule : entry.dag->schedules)
      if (std::binary_search(schedule.datasets.begin(), schedule.datasets.end(), uri)) note_dag(snapshot, id, entry);
}

void count_from_now(const Snapshot& snapshot, DagEntry& entry, const dag::Schedule& schedule, bool all) {
  auto& seen = entry.seen[schedule.name];
  for (const std::string& uri : schedule.datasets) {
    const auto [count, is_new] = seen.try_emplace(uri, 0);
    if (is_new || all) count->second = updates_of(snapshot, uri);
  }
  std::erase_if(seen, [&](const auto& one) {
    return !std::binary_search(schedule.datasets.begin(), schedule.datasets.end(), one.first);
  });
}

void fold(Snapshot& snapshot, const Event& event) {
  if (const auto* created = std::get_if<RunCreated>(&event.body)) {
    DagEntry& entry = snapshot.dags.at(created->header.dag);
    snapshot.runs[event.run].dag = entry.dag;
    entry.active.insert(std::lower_bound(entry.active.begin(), entry.active.end(), event.run), event.run);
    count_following(snapshot, entry, created->header, +1);
  }
  ActiveRun& run = snapshot.runs.at(event.run);
  const Affected affected = affected_by(event.body);
  if (const auto task = whole_task_of(run.state, event.body)) {
    count_waiting(snapshot, run, *task, event.at, -1);
    fold(run, event);
    count_waiting(snapshot, run, *task, event.at, +1);
  } else if (affected.key) {
    fold_instance(snapshot, run, event, affected);
  } else {
    const std::string backfill = run.state.backfill;
    const RunState before = run.state.state;
    if (run.state.last_seq > 0) count_run(snapshot, run, event.at, -1);
    fold(run, event);
    count_run(snapshot, run, event.at, +1);
    count_end(snapshot, run.state, backfill, before);
    note_dag(snapshot, run.state.header.dag, snapshot.dags.at(run.state.header.dag));
  }
  note_due(snapshot, run);
  snapshot.touched.insert(event.run);
}

void change_version(Snapshot& snapshot, const Event& event, std::shared_ptr<const dag::Dag> dag) {
  ActiveRun& run = snapshot.runs.at(event.run);
  const auto each_open = [&](auto change) {
    for (const AttemptId& id : run.open_attempts) {
      const dag::Task& task = *run.task(id.key.task);
      change(snapshot, lane_id(run, task), task, event.at);
    }
  };
  count_run(snapshot, run, event.at, -1);
  each_open(release);
  run.dag = std::move(dag);
  fold(run, event);
  each_open(hold);
  count_run(snapshot, run, event.at, +1);
  note_dag(snapshot, run.state.header.dag, snapshot.dags.at(run.state.header.dag));
  note_due(snapshot, run);
  snapshot.touched.insert(event.run);
}

ActiveRun& insert_run(Snapshot& snapshot, ActiveRun run, Instant now) {
  const RunId id = run.state.header.id;
  const DagId dag = run.state.header.dag;
  DagEntry& entry = snapshot.dags.at(dag);
  ActiveRun& added = snapshot.runs[id] = std::move(run);
  added.due.reset();
  entry.active.insert(std::lower_bound(entry.active.begin(), entry.active.end(), id), id);
  count_following(snapshot, entry, added.state.header, +1);
  entry.open_attempts += static_cast<int>(added.open_attempts.size());
  for (const AttemptId& attempt : added.open_attempts) {
    const dag::Task& task = *added.task(attempt.key.task);
    charge_past(snapshot, lane_id(added, task), task, added.state.attempts.at(attempt).intent_at, now);
    hold(snapshot, lane_id(added, task), task, now);
  }
  count_run(snapshot, added, now, +1);
  note_due(snapshot, added);
  note_dag(snapshot, dag, entry);
  snapshot.touched.insert(id);
  return added;
}

void erase_run(Snapshot& snapshot, const RunId& id) {
  const auto found = snapshot.runs.find(id);
  if (found == snapshot.runs.end()) return;
  SLIPWAY_ASSERT(is_terminal(found->second.state.state) && found->second.open_attempts.empty());
  const DagId dag = found->second.state.header.dag;
  DagEntry& entry = snapshot.dags.at(dag);
  entry.active.erase(std::remove(entry.active.begin(), entry.active.end(), id), entry.active.end());
  count_following(snapshot, entry, found->second.state.header, -1);
  move_due(snapshot.run_due, id, found->second.due, {});
  snapshot.touched.erase(id);
  snapshot.runs.erase(found);
  note_dag(snapshot, dag, entry);
}

void dag_changed(Snapshot& snapshot, const DagId& id, Instant now) {
  DagEntry& entry = snapshot.dags.at(id);
  index_ticks(entry);
  weigh(snapshot, *entry.dag, now);
  note_dag(snapshot, id, entry);
}

void index_ticks(DagEntry& entry) {
  entry.next_ticks.clear();
  entry.next_starts.clear();
  for (const dag::Schedule& schedule : entry.dag->schedules) {
    const auto cursor = entry.cursors.find(schedule.name);
    if (cursor == entry.cursors.end()) continue;
    const auto next = dag::next_tick(schedule, cursor->second);
    if (!next) continue;
    entry.next_ticks[schedule.name] = *next;
    entry.next_starts[schedule.name] = dag::start_of_tick(schedule, entry.dag->id, *next);
  }
}

void clear_touched(Snapshot& snapshot) {
  for (const RunId& id : std::exchange(snapshot.touched, {})) snapshot.runs.at(id).touched.clear();
}

}  // namespace slipway::run
