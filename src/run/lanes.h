// Changes of lanes, for fold(Snapshot&, …). Each keeps held slots, bands and virtual times together.
#pragma once

#include "slipway/run/snapshot.h"

namespace slipway::run {

struct LaneId {
  PoolId pool;
  DagId dag;
};

void add_waiting(Snapshot& snapshot, const LaneId& at, const Waiting& waiting, Instant now);
void remove_waiting(Snapshot& snapshot, const LaneId& at, const Waiting& waiting, Instant now);
// The slots of an open attempt of the task.
void hold(Snapshot& snapshot, const LaneId& at, const dag::Task& task, Instant now);
void release(Snapshot& snapshot, const LaneId& at, const dag::Task& task, Instant now);
// What it costs to open an attempt, and the turns of pools and classes.
void charge_start(Snapshot& snapshot, const LaneId& at, const dag::Task& task, Instant now);
// What an attempt that was open at the last stop used since its share was stored.
void charge_past(Snapshot& snapshot, const LaneId& at, const dag::Task& task, Instant since, Instant now);
// Takes class and weight of the version into all lanes of its DAG.
void weigh(Snapshot& snapshot, const dag::Dag& dag, Instant now);

}  // namespace slipway::run
