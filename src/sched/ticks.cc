#include "sched/ticks.h"

#include <algorithm>

#include "sched/wake.h"

namespace slipway::sched {
namespace {

using dag::Missed;
using dag::Overlap;
using dag::Schedule;
using dag::ScheduleKind;
using run::RunState;

constexpr std::size_t kTicksPerRound = 10'000;                  // bounds one round after a long outage
constexpr Duration kContinuousPause = std::chrono::seconds(1);  // a DAG that ends at once must not storm
constexpr Duration kGraceMax = std::chrono::hours(1);

// Ticks that are due, oldest first, and whether each is still within its grace.
struct Due {
  std::vector<Instant> ticks;
  std::vector<bool> on_time;
  bool more = false;  // the round's bound was reached first
};

class SchedulePlanner {
 public:
  SchedulePlanner(const run::Snapshot& snapshot, const DagId& id, const run::DagEntry& entry, const Schedule& schedule,
                  Instant now, Plan& plan)
      : snapshot_(snapshot), id_(id), entry_(entry), schedule_(schedule), now_(now), plan_(plan) {}

  void run() {
    switch (schedule_.kind) {
      case ScheduleKind::Cron:
      case ScheduleKind::Every: return by_time();
      case ScheduleKind::Once: return once();
      case ScheduleKind::Continuous: return continuous();
      case ScheduleKind::Datasets: return by_datasets();
    }
  }

 private:
  void by_time() {
    const auto next = entry_.next_ticks.find(schedule_.name);
    if (next == entry_.next_ticks.end()) return;
    if (start_of(next->second) > now_) return wake_by(plan_.wake_at, start_of(next->second));
    const Due due = collect(next->second);
    if (due.more && discard_surplus(due)) return;
    fire(due);
  }

  // A schedule without a cursor has never fired.
  void once() {
    const Instant tick = schedule_.start.value_or(now_);
    if (entry_.cursors.count(schedule_.name) != 0 || (schedule_.end && tick > *schedule_.end)) return;
    const Instant due = schedule_.start ? start_of(tick) : tick;
    if (due > now_) return wake_by(plan_.wake_at, due);
    add_run(tick);
    plan_.cursors.push_back({id_, schedule_.name, tick, 0});
  }

  // Ticks stay in order: one whose turn came early waits for those before it.
  [[nodiscard]] Instant start_of(Instant tick) const { return dag::start_of_tick(schedule_, id_, tick); }

  void continuous() {
    if (!runs_of_schedule().empty() || (schedule_.end && now_ > *schedule_.end)) return;
    Instant earliest = schedule_.start.value_or(now_);
    const auto cursor = entry_.cursors.find(schedule_.name);
    // A cursor ahead of now is one from before the clock was set back.
    if (cursor != entry_.cursors.end() && cursor->second <= now_)
      earliest = std::max(earliest, cursor->second + kContinuousPause);
    if (earliest > now_) return wake_by(plan_.wake_at, earliest);
    add_run(now_);
    plan_.cursors.push_back({id_, schedule_.name, now_, 0});
  }

  // Fires when each dataset was updated since it last fired. What cannot fire now (overlap: queue) stays pending.
  void by_datasets() {
    auto counts = run::all_updated(snapshot_, entry_, schedule_);
    if (!counts || (schedule_.end && now_ > *schedule_.end)) return;
    if (schedule_.start && *schedule_.start > now_) return wake_by(plan_.wake_at, *schedule_.start);
    const auto max_active = static_cast<std::size_t>(std::max(1, entry_.dag->max_active_runs));
    const std::vector<const run::Run*> existing = runs_of_schedule();
    const bool fires = existing.size() < max_active || may_overlap(existing, 0, max_active);
    if (!fires && schedule_.overlap == Overlap::Queue) return;
    if (fires) plan_.runs.push_back({id_, schedule_.name, now_, now_, schedule_.params, run::TriggerKind::Dataset});
    plan_.seen.push_back({id_, schedule_.name, *std::move(counts)});
  }

  [[nodiscard]] Due collect(Instant first) const {
    const std::size_t bound = std::max(kTicksPerRound, 2 * keep_max());
    Due due;
    std::optional<Instant> tick = first;
    while (tick && start_of(*tick) <= now_ && due.ticks.size() < bound) {
      const auto after = dag::next_tick(schedule_, *tick);
      const Duration half = after ? (*after - *tick) / 2 : kGraceMax;
      due.ticks.push_back(*tick);
      due.on_time.push_back(now_ - start_of(*tick) <= schedule_.grace.value_or(std::min(kGraceMax, half)));
      tick = after;
    }
    due.more = tick && start_of(*tick) <= now_;
    return due;
  }

  [[nodiscard]] std::size_t keep_max() const {
    return schedule_.missed == Missed::All ? static_cast<std::size_t>(std::max(1, schedule_.max_missed)) : 1;
  }

  // With newer ticks due than one round holds, the oldest can neither be the last missed one nor within max_missed.
  bool discard_surplus(const Due& due) {
    const auto first_on_time = std::find(due.on_time.begin(), due.on_time.end(), true) - due.on_time.begin();
    const std::size_t surplus = std::min(due.ticks.size() - keep_max(), static_cast<std::size_t>(first_on_time));
    if (surplus == 0) return false;
    plan_.cursors.push_back({id_, schedule_.name, due.ticks[surplus - 1], static_cast<int>(surplus)});
    return true;
  }

  // Ticks on time fire whatever `missed` says. Of the late ones, `last` fires the newest unless a newer one is on time,
  // `all` the newest max_missed, oldest first.
  [[nodiscard]] std::vector<Instant> choose(const Due& due) const {
    const auto on_time = std::count(due.on_time.begin(), due.on_time.end(), true);
    std::size_t late_wanted = 0;
    if (schedule_.missed == Missed::All) late_wanted = keep_max();
    if (schedule_.missed == Missed::Last && on_time == 0) late_wanted = 1;
    std::vector<Instant> chosen;
    for (std::size_t i = due.ticks.size(); i-- > 0;) {
      if (!due.on_time[i] && late_wanted == 0) continue;
      if (!due.on_time[i]) --late_wanted;
      chosen.push_back(due.ticks[i]);
    }
    std::reverse(chosen.begin(), chosen.end());
    return chosen;
  }

  void fire(const Due& due) {
    std::vector<Instant> chosen = choose(due);
    const auto max_active = static_cast<std::size_t>(std::max(1, entry_.dag->max_active_runs));
    if (schedule_.overlap == Overlap::Cancel && chosen.size() > max_active)
      chosen.erase(chosen.begin(), chosen.end() - static_cast<std::ptrdiff_t>(max_active));
    const std::vector<const run::Run*> existing = runs_of_schedule();
    std::size_t fired = 0;
    for (const Instant tick : chosen) {
      if (existing.size() + fired >= max_active && !may_overlap(existing, fired, max_active)) continue;
      add_run(tick);
      ++fired;
    }
    const int missed = static_cast<int>(due.ticks.size() - fired);
    plan_.cursors.push_back({id_, schedule_.name, due.ticks.back(), missed});
  }

  // The DAG's active runs are as many as may be: whether a tick makes a run all the same.
  bool may_overlap(const std::vector<const run::Run*>& existing, std::size_t fired, std::size_t max_active) {
    switch (schedule_.overlap) {
      case Overlap::Skip: return false;
      case Overlap::Queue: return schedule_.missed == Missed::All || waiting(existing, fired, max_active) == 0;
      case Overlap::Cancel:
        if (fired == 0)
          for (const run::Run* run : existing) cancel(*run);
        return true;
    }
    return false;
  }

  // Runs of this schedule that cannot start because of the limit.
  [[nodiscard]] std::size_t waiting(const std::vector<const run::Run*>& existing, std::size_t fired,
                                    std::size_t max_active) const {
    const auto queued = static_cast<std::size_t>(std::count_if(
        existing.begin(), existing.end(), [](const run::Run* run) { return run->state == RunState::Queued; }));
    const std::size_t all = active_runs() + fired;
    return std::min(queued + fired, all > max_active ? all - max_active : 0);
  }

  [[nodiscard]] std::size_t active_runs() const {
    return static_cast<std::size_t>(std::count_if(entry_.active.begin(), entry_.active.end(), [&](const RunId& id) {
      const run::Run& run = snapshot_.runs.at(id).state;
      return !run::is_terminal(run.state) && !is_apart(run);
    }));
  }

  [[nodiscard]] std::vector<const run::Run*> runs_of_schedule() const {
    std::vector<const run::Run*> found;
    for (const RunId& id : entry_.active) {
      const run::Run& run = snapshot_.runs.at(id).state;
      if (run.header.schedule == schedule_.name && !run::is_terminal(run.state) && !is_apart(run))
        found.push_back(&run);
    }
    return found;
  }

  // Runs of backfills neither count for max_active_runs nor overlap with those of the schedule.
  [[nodiscard]] bool is_apart(const run::Run& run) const { return snapshot_.backfills.count(run.backfill) != 0; }

  void cancel(const run::Run& run) {
    if (run.state == RunState::Cancelling) return;
    plan_.run_moves.push_back({run.header.id, RunState::Cancelling, {}, run::FailureClass::External});
  }

  void add_run(Instant tick) {
    const bool by_time = schedule_.kind == ScheduleKind::Cron || schedule_.kind == ScheduleKind::Every;
    const auto before = by_time ? dag::previous_tick(schedule_, tick) : std::nullopt;
    plan_.runs.push_back(
        {id_, schedule_.name, tick, before.value_or(tick), schedule_.params, run::TriggerKind::Schedule});
  }

  const run::Snapshot& snapshot_;
  const DagId& id_;
  const run::DagEntry& entry_;
  const Schedule& schedule_;
  Instant now_;
  Plan& plan_;
};

}  // namespace

void plan_ticks(const run::Snapshot& snapshot, Instant now, Plan& plan, Suspects* suspects) {
  std::set<DagId> due;
  for (const auto& [instant, id] : snapshot.tick_due) {
    if (instant > now) {
      wake_by(plan.wake_at, instant);
      break;
    }
    due.insert(id);
  }
  for (const DagId& id : due) {
    if (suspects != nullptr) suspects->work_on(suspect_dag(id.str()));
    const run::DagEntry& entry = snapshot.dags.at(id);
    for (const Schedule& schedule : entry.dag->schedules)
      SchedulePlanner(snapshot, id, entry, schedule, now, plan).run();
  }
  if (suspects != nullptr) suspects->work_on({});
}

}  // namespace slipway::sched
