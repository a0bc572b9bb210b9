#include "run/lanes.h"

#include <algorithm>
#include <cmath>
#include <tuple>
#include <utility>

namespace slipway::run {
namespace {

// Each start costs a little of its own, so that even attempts of no length make their DAG older.
constexpr double kStartCost = 0.001;  // slot-seconds per slot
constexpr double kSaveStep = 1.0;     // slot-seconds by weight

double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

void settle(Lane& lane, Instant now) {
  lane.virtual_time = lane.time_at(now);
  lane.as_of = now;
}

// Where a DAG begins that neither waited nor held anything: beside the youngest of those that do, else where the last
// one stopped.
double beginning(const PoolQueue& queue, const Band& band, Instant now) {
  if (band.idle.empty() && band.holding.empty()) return band.latest;
  double least = band.idle.empty() ? band.latest : band.idle.begin()->first;
  bool first = band.idle.empty();
  for (const DagId& id : band.holding) {
    const double time = queue.lanes.at(id).time_at(now);
    least = first ? time : std::min(least, time);
    first = false;
  }
  return least;
}

void unlist(PoolQueue& queue, const DagId& id, const Lane& lane) {
  Band& band = queue.band(lane.priority_class);
  if (lane.held > 0) band.holding.erase(id);
  if (lane.held == 0 && !lane.waiting.empty()) band.idle.erase({lane.virtual_time, id});
  if (lane.priority_class == dag::PriorityClass::Low) queue.low_waiting -= static_cast<int>(lane.waiting.size());
}

void list(PoolQueue& queue, const DagId& id, const Lane& lane) {
  Band& band = queue.band(lane.priority_class);
  band.latest = std::max(band.latest, lane.virtual_time);
  if (lane.held > 0) band.holding.insert(id);
  if (lane.held == 0 && !lane.waiting.empty()) band.idle.insert({lane.virtual_time, id});
  if (lane.priority_class == dag::PriorityClass::Low) queue.low_waiting += static_cast<int>(lane.waiting.size());
}

Lane& lane_of(const Snapshot& snapshot, PoolQueue& queue, const DagId& dag, Instant now) {
  const auto [lane, is_new] = queue.lanes.try_emplace(dag);
  if (!is_new) return lane->second;
  const dag::Dag& version = *snapshot.dags.at(dag).dag;
  lane->second.priority_class = version.priority_class;
  lane->second.weight = version.weight;
  lane->second.as_of = now;
  return lane->second;
}

// Every change of a lane goes through here: time is settled first, its place in the band and its activity after.
template <class Change>
void edit(Snapshot& snapshot, const LaneId& at, Instant now, Change change) {
  snapshot.queues_at = now;
  PoolQueue& queue = snapshot.queues[at.pool];
  Lane& lane = lane_of(snapshot, queue, at.dag, now);
  const bool was_active = lane.is_active();
  unlist(queue, at.dag, lane);
  settle(lane, now);
  change(lane);
  if (lane.is_active() && !was_active && lane.idle_since != now)
    lane.virtual_time = std::max(lane.virtual_time, beginning(queue, queue.band(lane.priority_class), now));
  if (was_active && !lane.is_active()) lane.idle_since = now;
  list(queue, at.dag, lane);
  if (lane.virtual_time - lane.saved_time >= kSaveStep / lane.weight) snapshot.unsaved.insert({at.pool, at.dag});
}

// Which of the two sets an instance belongs into.
std::set<Waiting>& place(const Snapshot& snapshot, const PoolId& pool, Lane& lane, const Waiting& waiting) {
  const auto size = pool_size(snapshot, pool);
  return size && waiting.slots <= *size ? lane.waiting : lane.stuck;
}

// Low is owed a start after so many of the others; counted only while it waits.
void count_start(int& since_low, bool is_low, bool low_waits) { since_low = is_low || !low_waits ? 0 : since_low + 1; }

bool low_waits_anywhere(const Snapshot& snapshot) {
  return std::any_of(snapshot.queues.begin(), snapshot.queues.end(),
                     [](const auto& entry) { return entry.second.low_waiting > 0; });
}

}  // namespace

// A pod's place is the cluster's affair: it takes slots of the pool it names, and none of this machine's.
int slots_of(const dag::Task& task) {
  if (runs_as_pod(task) && task.pool.str() == dag::kDefaultPool) return 0;
  switch (task.kind) {
    case dag::TaskKind::Run:
    case dag::TaskKind::Image:
    case dag::TaskKind::Apply: return task.slots;
    case dag::TaskKind::Service:
    case dag::TaskKind::Approve:
    case dag::TaskKind::Wait:
    case dag::TaskKind::Dag:
    case dag::TaskKind::Noop: return 0;
  }
  return 0;
}

bool runs_as_pod(const dag::Task& task) { return task.place == dag::Place::Kubernetes; }

int local_slots_of(const dag::Task& task) {
  if (runs_as_pod(task)) return 0;
  const int slots = slots_of(task);
  return task.pool.str() == dag::kDefaultPool ? slots : std::min(slots, 1);
}

bool Waiting::operator<(const Waiting& other) const {
  return std::tie(other.priority, other.path, since, run, key) <
         std::tie(priority, path, other.since, other.run, other.key);
}

double Lane::time_at(Instant now) const {
  return now <= as_of ? virtual_time : virtual_time + held * seconds(now - as_of) / weight;
}

std::optional<int> pool_size(const Snapshot& snapshot, const PoolId& id) {
  if (id.str() == dag::kDefaultPool) return snapshot.slots_total;
  const auto found = snapshot.pools.find(id);
  return found == snapshot.pools.end() ? std::nullopt : std::optional(found->second.slots);
}

int pool_used(const Snapshot& snapshot, const PoolId& id) {
  if (id.str() == dag::kDefaultPool) return snapshot.local_held;
  const auto found = snapshot.queues.find(id);
  return found == snapshot.queues.end() ? 0 : found->second.held;
}

void add_waiting(Snapshot& snapshot, const LaneId& at, const Waiting& waiting, Instant now) {
  if (waiting.slots == 0) return void(snapshot.slotless.insert(waiting));
  edit(snapshot, at, now, [&](Lane& lane) { place(snapshot, at.pool, lane, waiting).insert(waiting); });
}

void remove_waiting(Snapshot& snapshot, const LaneId& at, const Waiting& waiting, Instant now) {
  if (waiting.slots == 0) return void(snapshot.slotless.erase(waiting));
  edit(snapshot, at, now, [&](Lane& lane) {
    lane.waiting.erase(waiting);
    lane.stuck.erase(waiting);
  });
}

void hold(Snapshot& snapshot, const LaneId& at, const dag::Task& task, Instant now) {
  const int slots = slots_of(task);
  if (slots == 0) return;
  snapshot.local_held += local_slots_of(task);
  snapshot.queues[at.pool].held += slots;
  edit(snapshot, at, now, [&](Lane& lane) { lane.held += slots; });
}

void charge_start(Snapshot& snapshot, const LaneId& at, const dag::Task& task, Instant now) {
  const int slots = slots_of(task);
  if (slots == 0) return;
  PoolQueue& queue = snapshot.queues[at.pool];
  const bool is_low = lane_of(snapshot, queue, at.dag, now).priority_class == dag::PriorityClass::Low;
  count_start(queue.since_low, is_low, queue.low_waiting > 0);
  count_start(snapshot.since_low, is_low, low_waits_anywhere(snapshot));
  queue.last_start = ++snapshot.starts;
  edit(snapshot, at, now, [&](Lane& lane) { lane.virtual_time += kStartCost * slots / lane.weight; });
}

void charge_past(Snapshot& snapshot, const LaneId& at, const dag::Task& task, Instant since, Instant now) {
  const int slots = slots_of(task);
  if (slots == 0) return;
  edit(snapshot, at, now, [&](Lane& lane) {
    const Instant from = std::max(since, lane.saved_at);
    if (from < now) lane.virtual_time += slots * seconds(now - from) / lane.weight;
  });
}

void release(Snapshot& snapshot, const LaneId& at, const dag::Task& task, Instant now) {
  const int slots = slots_of(task);
  if (slots == 0) return;
  snapshot.local_held -= local_slots_of(task);
  snapshot.queues[at.pool].held -= slots;
  edit(snapshot, at, now, [&](Lane& lane) { lane.held -= slots; });
}

// The clock of another class has nothing to do with that of the old one: the lane begins there anew.
void weigh(Snapshot& snapshot, const dag::Dag& dag, Instant now) {
  for (auto& [pool, queue] : snapshot.queues) {
    const auto found = queue.lanes.find(dag.id);
    if (found == queue.lanes.end()) continue;
    Lane& lane = found->second;
    unlist(queue, dag.id, lane);
    settle(lane, now);
    if (lane.priority_class != dag.priority_class)
      lane.virtual_time = beginning(queue, queue.band(dag.priority_class), now);
    lane.priority_class = dag.priority_class;
    lane.weight = dag.weight;
    list(queue, dag.id, lane);
  }
}

void set_pool(Snapshot& snapshot, const PoolId& id, const std::optional<Pool>& pool, Instant now) {
  if (pool)
    snapshot.pools[id] = *pool;
  else
    snapshot.pools.erase(id);
  const auto queue = snapshot.queues.find(id);
  if (queue == snapshot.queues.end()) return;
  for (const auto& [dag, lane] : queue->second.lanes)
    edit(snapshot, {id, dag}, now, [&](Lane& changed) {
      std::set<Waiting> all = std::exchange(changed.waiting, {});
      all.merge(std::exchange(changed.stuck, {}));
      for (const Waiting& waiting : all) place(snapshot, id, changed, waiting).insert(waiting);
    });
}

void restore_shares(Snapshot& snapshot, const std::vector<Share>& shares, Instant now) {
  for (const Share& share : shares) {
    const auto entry = snapshot.dags.find(share.dag);
    if (entry == snapshot.dags.end()) continue;
    PoolQueue& queue = snapshot.queues[share.pool];
    Lane& lane = lane_of(snapshot, queue, share.dag, now);
    lane.virtual_time = lane.saved_time = static_cast<double>(share.virtual_time_us) / 1e6;
    lane.saved_at = share.as_of;
    lane.idle_since = now;  // what waited before the stop waits on, and does not begin anew
    list(queue, share.dag, lane);
  }
}

std::vector<Share> unsaved_shares(Snapshot& snapshot) {
  std::vector<Share> shares;
  for (const auto& [pool, dag] : std::exchange(snapshot.unsaved, {})) {
    Lane& lane = snapshot.queues.at(pool).lanes.at(dag);
    lane.saved_time = lane.virtual_time;
    lane.saved_at = lane.as_of;
    shares.push_back({pool, dag, std::llround(lane.virtual_time * 1e6), lane.as_of});
  }
  return shares;
}

void shift_shares(Snapshot& snapshot, Duration step) {
  snapshot.queues_at += step;
  for (auto& [pool, queue] : snapshot.queues)
    for (auto& [dag, lane] : queue.lanes) lane.as_of += step;
}

}  // namespace slipway::run
