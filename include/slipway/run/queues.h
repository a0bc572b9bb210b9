// Who waits for slots and who holds them, by pool and by DAG: kept by fold(Snapshot&, …) so that a launch costs a
// logarithm and not a walk over all runs. docs/engine.md, "Pools and fairness", says the rules.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "slipway/base/ids.h"
#include "slipway/base/time.h"
#include "slipway/dag/dag.h"

namespace slipway::run {

// Named slots, as somebody set them. `default` is not among them: its size is the number of local slots.
struct Pool {
  int slots = 1;
  std::string description;

  bool operator==(const Pool&) const = default;
};

// Slots of its pool that an open attempt of the task holds; 0 for a service, which is supervised outside the pools.
[[nodiscard]] int slots_of(const dag::Task& task);

// A Scheduled instance of a run under way in launch order within its DAG: higher priority first, then the longest path
// still ahead of it, then age. Instances of one task that were scheduled together are neighbours.
struct Waiting {
  int priority = 0;
  int path = 0;   // tasks on the longest way to the end of the DAG, itself included
  Instant since;  // when it was scheduled
  RunId run;
  TaskKey key;
  int slots = 1;  // that it will hold
  int local = 1;  // of them on this machine; 0: it becomes a pod

  bool operator==(const Waiting&) const = default;
  [[nodiscard]] bool operator<(const Waiting& other) const;
};

// One DAG in one pool.
struct Lane {
  dag::PriorityClass priority_class = dag::PriorityClass::Normal;
  double weight = 1;
  std::set<Waiting> waiting;  // for the pool's slots
  std::set<Waiting> stuck;    // for a pool that does not exist, or that has fewer slots in all than they need
  int held = 0;               // slots, by open attempts
  double virtual_time = 0;    // slot-seconds used / weight, up to `as_of`
  Instant as_of;
  std::optional<Instant> idle_since;  // when it last stopped waiting and holding
  double saved_time = 0;              // virtual_time as it is stored
  Instant saved_at;

  [[nodiscard]] bool is_active() const { return held > 0 || !waiting.empty(); }
  // virtual_time at `now`, with what is held since `as_of`. Never falls.
  [[nodiscard]] double time_at(Instant now) const;
  bool operator==(const Lane&) const = default;
};

// The lanes of one class in one pool. Lanes that hold slots grow older by themselves, so only the others are sorted.
struct Band {
  std::set<std::pair<double, DagId>> idle;  // wait and hold nothing, by virtual time
  std::set<DagId> holding;                  // hold slots, whether they wait or not
  double latest = 0;                        // highest virtual time seen: where the first DAG after a pause begins

  bool operator==(const Band&) const = default;
};

struct PoolQueue {
  int held = 0;  // slots, by open attempts of all DAGs
  std::map<DagId, Lane> lanes;
  std::array<Band, dag::kPriorityClasses.size()> bands;
  int low_waiting = 0;           // instances in lanes of class low
  int since_low = 0;             // starts of other classes since the last of class low, while one of class low waited
  std::uint64_t last_start = 0;  // number of its latest start; pools take turns for the local slots

  [[nodiscard]] const Band& band(dag::PriorityClass c) const { return bands[static_cast<std::size_t>(c)]; }
  [[nodiscard]] Band& band(dag::PriorityClass c) { return bands[static_cast<std::size_t>(c)]; }
  bool operator==(const PoolQueue&) const = default;
};

// What a DAG used of a pool, as it is stored.
struct Share {
  PoolId pool;
  DagId dag;
  std::int64_t virtual_time_us = 0;
  Instant as_of;

  bool operator==(const Share&) const = default;
};

}  // namespace slipway::run
