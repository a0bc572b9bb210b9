#include "sched/launcher.h"

#include <array>
#include <limits>
#include <queue>
#include <tuple>

#include "sched/parallel.h"

namespace slipway::sched {
namespace {

using dag::PriorityClass;
using run::ActiveRun;
using run::Lane;
using run::PoolQueue;
using run::Waiting;

constexpr int kOthersPerLow = 19;  // every 20th start is one of class low, where one waits
// An open attempt counts as this much use from its start on, so that slots that become free together are shared, too.
constexpr double kAdvance = 1.0;  // slot-seconds per slot

constexpr std::array kClasses = {PriorityClass::High, PriorityClass::Normal, PriorityClass::Low};

// What this round has launched so far, beside the snapshot.
struct Round {
  const run::Snapshot& snapshot;
  const std::set<RunId>& moved;
  ParallelLimits parallel;
  std::map<DagId, int> launched = {};

  void note(const Waiting& waiting) {
    const ActiveRun& run = snapshot.runs.at(waiting.run);
    ++launched[run.dag->id];
    parallel.launched(run, waiting.key.task);
  }
};

enum class Admission : unsigned char { Starts, OtherTask, OtherDag };

// Whether the limits of DAG and run let the instance start. OtherTask: neither may the other instances of its task.
Admission admit(const Round& round, const Waiting& waiting) {
  if (round.moved.count(waiting.run) != 0) return Admission::OtherTask;
  const ActiveRun& run = round.snapshot.runs.at(waiting.run);
  if (!round.parallel.admits(run, waiting.key.task)) return Admission::OtherTask;
  const int limit = run.dag->max_active_tasks;
  if (limit == 0) return Admission::Starts;
  const auto launched = round.launched.find(run.dag->id);
  const int open = round.snapshot.dags.at(run.dag->id).open_attempts;
  return open + (launched == round.launched.end() ? 0 : launched->second) < limit ? Admission::Starts
                                                                                  : Admission::OtherDag;
}

using Iterator = std::set<Waiting>::const_iterator;

// The next of a set that may start, from `from` on; the end if there is none.
Iterator next_admitted(const Round& round, const std::set<Waiting>& set, Iterator from) {
  while (from != set.end()) {
    switch (admit(round, *from)) {
      case Admission::Starts: return from;
      case Admission::OtherDag: return set.end();
      case Admission::OtherTask: break;
    }
    Waiting last = *from;
    last.key.map_index = std::numeric_limits<int>::max();
    from = set.upper_bound(last);
  }
  return from;
}

// The lanes of one class in one pool, least virtual time first.
class ClassLine {
 public:
  ClassLine(const Round& round, const PoolQueue& queue, PriorityClass priority_class)
      : round_(&round), queue_(&queue), idle_(&queue.band(priority_class).idle), next_idle_(idle_->begin()) {
    for (const DagId& id : queue.band(priority_class).holding) {
      const Lane& lane = queue.lanes.at(id);
      if (!lane.waiting.empty())
        heads_.push({lane.time_at(round.snapshot.queues_at) + kAdvance * lane.held / lane.weight, &id, &lane,
                     lane.waiting.begin()});
    }
  }

  // The instance that goes next, or nullptr. Lanes whose DAG may start nothing are left out for this round.
  const Waiting* front() {
    while (true) {
      if (next_idle_ != idle_->end() && (heads_.empty() || before(*next_idle_, heads_.top()))) {
        const auto& [time, id] = *next_idle_++;
        const Lane& lane = queue_->lanes.at(id);
        heads_.push({time, &id, &lane, lane.waiting.begin()});
      }
      if (heads_.empty()) return nullptr;
      Head head = heads_.top();
      const Iterator admitted = next_admitted(*round_, head.lane->waiting, head.next);
      if (admitted == head.next) return &*head.next;
      heads_.pop();
      head.next = admitted;
      if (admitted != head.lane->waiting.end()) heads_.push(head);
    }
  }

  // front() was launched.
  void take() {
    Head head = heads_.top();
    heads_.pop();
    head.time += kAdvance * head.next->slots / head.lane->weight;
    if (++head.next != head.lane->waiting.end()) heads_.push(head);
  }

 private:
  struct Head {
    double time;
    const DagId* dag;
    const Lane* lane;
    Iterator next;
    bool operator<(const Head& other) const {  // for a heap with the least on top
      return std::tie(other.time, *other.dag) < std::tie(time, *dag);
    }
  };
  static bool before(const std::pair<double, DagId>& idle, const Head& head) {
    return std::tie(idle.first, idle.second) < std::tie(head.time, *head.dag);
  }

  const Round* round_;
  const PoolQueue* queue_;
  const std::set<std::pair<double, DagId>>* idle_;
  std::set<std::pair<double, DagId>>::const_iterator next_idle_;
  std::priority_queue<Head> heads_;
};

// One pool in a round.
class PoolLine {
 public:
  PoolLine(const Round& round, const PoolId& id, const PoolQueue& queue)
      : free_(run::pool_size(round.snapshot, id).value_or(0) - run::pool_used(round.snapshot, id)),
        is_default_(id.str() == dag::kDefaultPool),
        since_low_(queue.since_low),
        low_waiting_(queue.low_waiting),
        last_start_(queue.last_start) {
    for (const PriorityClass c : kClasses) classes_.emplace_back(round, queue, c);
  }

  // What starts next in this pool, if there is anything. `low_owed`: over all pools.
  struct Front {
    const Waiting* waiting = nullptr;
    int rank = 0;  // 0: owed to class low; then the classes
  };
  Front front(bool low_owed) {
    const bool owed = low_owed || since_low_ >= kOthersPerLow;
    if (const Waiting* low = owed ? classes_.back().front() : nullptr) return {low, 0};
    for (std::size_t c = 0; c < classes_.size(); ++c)
      if (const Waiting* waiting = classes_[c].front()) return {waiting, static_cast<int>(c) + 1};
    return {};
  }

  // Starts it as the `start`-th.
  void take(const Front& front, std::uint64_t start) {
    const std::size_t last = classes_.size() - 1;
    const std::size_t index = front.rank == 0 ? last : static_cast<std::size_t>(front.rank - 1);
    const bool is_low = index == last;
    free_ -= front.waiting->slots;
    low_waiting_ -= is_low ? 1 : 0;
    since_low_ = is_low || low_waiting_ == 0 ? 0 : since_low_ + 1;
    last_start_ = start;
    classes_[index].take();
  }

  // The default pool is the local slots, which are counted for all pools together.
  [[nodiscard]] bool has_room(const Waiting& waiting) const { return is_default_ || waiting.slots <= free_; }
  [[nodiscard]] std::uint64_t last_start() const { return last_start_; }
  [[nodiscard]] int low_waiting() const { return low_waiting_; }

 private:
  int free_;
  bool is_default_;
  int since_low_;
  int low_waiting_;
  std::uint64_t last_start_;
  std::vector<ClassLine> classes_;
};

// All pools of a round: they share the local slots.
class Launcher {
 public:
  Launcher(Round& round, Plan& plan)
      : round_(round),
        plan_(plan),
        free_(round.snapshot.slots_total - round.snapshot.local_held),
        since_low_(round.snapshot.since_low),
        starts_(round.snapshot.starts) {
    for (const auto& [id, queue] : round.snapshot.queues)
      if (!is_full() || id.str() != dag::kDefaultPool) lines_.emplace_back(round, id, queue);
  }

  void launch() {
    while (true) {
      PoolLine* best = nullptr;
      PoolLine::Front front;
      for (PoolLine& line : lines_) {
        const PoolLine::Front other = line.front(since_low_ >= kOthersPerLow);
        if (other.waiting == nullptr || !line.has_room(*other.waiting)) continue;
        if (is_full() && other.waiting->local > 0) continue;
        if (best != nullptr && std::pair(front.rank, best->last_start()) <= std::pair(other.rank, line.last_start()))
          continue;
        best = &line;
        front = other;
      }
      // Nobody is overtaken: where the first in line does not fit, what was opened ahead has to end first.
      if (best == nullptr || (front.waiting->local > 0 && front.waiting->local > room_for(*front.waiting))) return;
      start(*best, front);
    }
  }

 private:
  // No task of this machine may be opened; pods may.
  [[nodiscard]] bool is_full() const { return free_ + round_.snapshot.ahead_max <= 0; }
  // Free slots, and what may be opened beyond them where attempts are short.
  [[nodiscard]] int room_for(const Waiting& waiting) const {
    const DagId& dag = round_.snapshot.runs.at(waiting.run).dag->id;
    return free_ + round_.snapshot.dags.at(dag).launch_ahead;
  }
  void start(PoolLine& line, const PoolLine::Front& front) {
    const Waiting& waiting = *front.waiting;
    plan_.launches.push_back({waiting.run, waiting.key});
    round_.note(waiting);
    free_ -= waiting.local;
    const int low_before = line.low_waiting();
    line.take(front, ++starts_);
    const bool is_low = line.low_waiting() < low_before;
    bool low_waits = false;
    for (const PoolLine& each : lines_) low_waits = low_waits || each.low_waiting() > 0;
    since_low_ = is_low || !low_waits ? 0 : since_low_ + 1;
  }

  Round& round_;
  Plan& plan_;
  int free_;
  int since_low_;
  std::uint64_t starts_;
  std::vector<PoolLine> lines_;
};

}  // namespace

void plan_launches(const run::Snapshot& snapshot, const std::set<RunId>& moved, Plan& plan) {
  Round round{snapshot, moved, ParallelLimits(plan)};
  Launcher(round, plan).launch();
  // What needs no slot starts after what needs one: both may count against a DAG's limit.
  for (auto next = next_admitted(round, snapshot.slotless, snapshot.slotless.begin()); next != snapshot.slotless.end();
       next = next_admitted(round, snapshot.slotless, std::next(next))) {
    plan.launches.push_back({next->run, next->key});
    round.note(*next);
  }
}

const Waiting* first_in_pool(const run::Snapshot& snapshot, const PoolId& pool) {
  const auto queue = snapshot.queues.find(pool);
  if (queue == snapshot.queues.end()) return nullptr;
  const std::set<RunId> none;
  const Plan nothing;
  const Round round{snapshot, none, ParallelLimits(nothing)};
  return PoolLine(round, pool, queue->second).front(snapshot.since_low >= kOthersPerLow).waiting;
}

bool dag_is_full(const run::Snapshot& snapshot, const ActiveRun& run) {
  const int limit = run.dag->max_active_tasks;
  return limit > 0 && snapshot.dags.at(run.dag->id).open_attempts >= limit;
}

}  // namespace slipway::sched
