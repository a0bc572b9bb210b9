// A snapshot derived from scratch, as an oracle for what the doors keep.
#pragma once

#include <string>

#include "slipway/run/snapshot.h"

namespace slipway::test {

// The same state, with everything derived anew from it and everything touched; virtual times as stored.
inline run::Snapshot rebuilt(const run::Snapshot& old, Instant now, const std::vector<run::Share>& shares = {}) {
  run::Snapshot fresh;
  fresh.pools = old.pools;
  fresh.slots_total = old.slots_total;
  fresh.vars = old.vars;
  fresh.datasets = old.datasets;
  for (const auto& [id, entry] : old.dags) {
    run::DagEntry& copy = fresh.dags[id] = entry;
    copy.active.clear();
    copy.queued.clear();
    copy.under_way = copy.open_attempts = copy.following = 0;
    copy.due.reset();
    run::dag_changed(fresh, id, now);
  }
  for (const auto& [id, entry] : old.backfills) fresh.backfills[id].state = entry.state;
  run::restore_shares(fresh, shares, now);
  for (const auto& [id, run] : old.runs) run::insert_run(fresh, run::activate(run.state, run.dag), now);
  return fresh;
}

// What differs between the sets that the doors kept and those derived from scratch; empty if nothing does.
inline std::string difference_from_rebuilt(const run::Snapshot& kept, Instant now) {
  const run::Snapshot fresh = rebuilt(kept, now);
  if (kept.run_due != fresh.run_due) return "due runs";
  if (kept.tick_due != fresh.tick_due) return "due ticks";
  if (kept.startable != fresh.startable) return "startable DAGs";
  if (kept.followers != fresh.followers) return "followers";
  if (kept.slotless != fresh.slotless) return "what waits without a slot";
  if (kept.local_held != fresh.local_held) return "local slots";
  for (const auto& [id, entry] : fresh.dags) {
    const run::DagEntry& old = kept.dags.at(id);
    if (old.queued != entry.queued || old.under_way != entry.under_way || old.open_attempts != entry.open_attempts ||
        old.following != entry.following || old.active != entry.active)
      return "counts of DAG " + id.str();
  }
  for (const auto& [id, entry] : fresh.backfills) {
    const run::BackfillEntry& old = kept.backfills.at(id);
    const int open = entry.under_way + static_cast<int>(entry.queued.size());
    if (old.queued != entry.queued || old.under_way != entry.under_way || old.state.open() != open)
      return "counts of backfill " + id;
  }
  for (const auto& [id, queue] : kept.queues)
    if (queue.held != 0 && fresh.queues.count(id) == 0) return "held slots of pool " + id.str();
  for (const auto& [id, queue] : fresh.queues) {
    const run::PoolQueue& old = kept.queues.at(id);
    if (old.held != queue.held || old.low_waiting != queue.low_waiting) return "counts of pool " + id.str();
    for (const auto& [dag, lane] : queue.lanes) {
      const run::Lane& was = old.lanes.at(dag);
      const std::string what = "lane of " + dag.str() + " in " + id.str();
      if (was.waiting != lane.waiting || was.stuck != lane.stuck || was.held != lane.held) return what;
      const run::Band& band = old.band(was.priority_class);
      const bool idles = was.held == 0 && !was.waiting.empty();
      if (band.holding.count(dag) != (was.held > 0 ? 1U : 0U)) return "holders: " + what;
      if (band.idle.count({was.virtual_time, dag}) != (idles ? 1U : 0U)) return "idlers: " + what;
    }
  }
  return {};
}

}  // namespace slipway::test
