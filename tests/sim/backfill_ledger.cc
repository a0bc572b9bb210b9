#include "sim/backfill_ledger.h"

#include <algorithm>

namespace slipway::sim {

using run::BackfillState;
using run::RunState;

void BackfillLedger::know(const SimDag& dag) {
  if (dag.every > Duration(0)) every_[DagId(dag.id)] = dag.every;
}

void BackfillLedger::begin(const store::Batch& batch) {
  for (const run::Backfill& backfill : batch.backfills) known_.try_emplace(backfill.id, backfill);
}

// The first time for its tick, in its order; later it goes on for it because somebody wants it to.
void BackfillLedger::opened(const run::Run& run) {
  if (run.backfill.empty()) return;
  const std::string what = run.header.id.str() + " of backfill " + run.backfill;
  const auto known = known_.find(run.backfill);
  if (known == known_.end()) return accuse_("no backfill is known: " + what);
  if (stopped_.count(run.backfill) != 0) accuse_("a run is opened for a backfill that was stopped: " + what);
  const Instant tick = run.header.logical_date;
  if (!members_[run.backfill].try_emplace(run.header.id, tick).second) return;
  const run::Backfill& backfill = known->second;
  if (run.header.dag != backfill.dag || run.header.schedule != backfill.schedule || tick < backfill.first ||
      tick > backfill.last)
    accuse_("a run of another range: " + what);
  const auto last = last_.find(run.backfill);
  if (last != last_.end() && (backfill.reverse ? tick >= last->second : tick <= last->second))
    accuse_("a tick out of order: " + what);
  last_[run.backfill] = tick;
}

// Unless a run under way waits for what this one brings to an end.
void BackfillLedger::started(const run::Run& started, const Runs& runs) const {
  int active = 1;
  for (const auto& [id, run] : runs) {
    if (run.state == RunState::Running && run.header.previous == started.header.id) return;
    const bool has_open = std::any_of(run.attempts.begin(), run.attempts.end(),
                                      [](const auto& entry) { return !run::is_terminal(entry.second.state); });
    const bool is_active = run.state == RunState::Running || (run.state == RunState::Cancelling && has_open);
    if (is_active && run.backfill == started.backfill) ++active;
  }
  const auto known = known_.find(started.backfill);
  if (known != known_.end() && active > known->second.max_active)
    accuse_("more runs of backfill " + started.backfill + " than its max_active");
}

void BackfillLedger::end(const store::Batch& batch, const Runs& runs) {
  for (const run::Backfill& backfill : batch.backfills) {
    const std::string& id = backfill.id;
    known_[id] = backfill;
    if (backfill.state == BackfillState::Cancelled || backfill.ended_at) stopped_.insert(id);
    const auto open = std::count_if(runs.begin(), runs.end(), [&](const auto& entry) {
      return entry.second.backfill == id && !run::is_terminal(entry.second.state);
    });
    if (backfill.open() != open) accuse_("backfill " + id + " does not know how many of its runs are open");
    if (backfill.created + backfill.cleared != static_cast<int>(members_[id].size()))
      accuse_("backfill " + id + " does not know how many runs it has");
    if (backfill.ended_at) check_ended(backfill, runs);
  }
}

void BackfillLedger::check_ended(const run::Backfill& backfill, const Runs& runs) const {
  if (backfill.open() != 0 || backfill.next) accuse_("backfill " + backfill.id + " ended before its runs");
  const bool bad = backfill.failed + backfill.cancelled > 0;
  if (backfill.state == BackfillState::Running || (backfill.state == BackfillState::Success && bad))
    accuse_("backfill " + backfill.id + " ended in the wrong state");
  if (backfill.state == BackfillState::Cancelled) return;
  if (!backfill.reason.empty()) accuse_("backfill " + backfill.id + " could not go on: " + backfill.reason);
  std::set<Instant> ticks;
  for (const auto& [id, run] : runs)
    if (run::claims_tick(run.header.trigger) && run.header.dag == backfill.dag &&
        run.header.schedule == backfill.schedule)
      ticks.insert(run.header.logical_date);
  const Duration every = every_.at(backfill.dag);
  int count = 0;
  for (Instant tick = backfill.first; tick <= backfill.last; tick += every, ++count)
    if (ticks.count(tick) == 0) accuse_("backfill " + backfill.id + " left out " + to_rfc3339(tick));
  if (count != backfill.ticks || count != backfill.created + backfill.cleared + backfill.left)
    accuse_("backfill " + backfill.id + " counts other ticks than there are");
}

void BackfillLedger::compare(const run::Snapshot& snapshot) const {
  std::size_t open = 0;
  for (const auto& [id, backfill] : known_) {
    if (backfill.ended_at) continue;
    ++open;
    const auto entry = snapshot.backfills.find(id);
    if (entry == snapshot.backfills.end()) return accuse_("a backfill is forgotten: " + id);
    if (!(entry->second.state == backfill)) return accuse_("memory is not what was committed of backfill " + id);
  }
  if (snapshot.backfills.size() != open) accuse_("a backfill that was never committed, or ended");
}

void BackfillLedger::compare(const store::Recovered& recovered) const {
  std::size_t open = 0;
  for (const auto& [id, backfill] : known_) open += backfill.ended_at ? 0U : 1U;
  if (recovered.backfills.size() != open) accuse_("the store lost a backfill");
  for (const run::Backfill& backfill : recovered.backfills)
    if (known_.count(backfill.id) == 0 || !(known_.at(backfill.id) == backfill))
      accuse_("the store gives back another state of backfill " + backfill.id);
}

bool BackfillLedger::is_quiet() const {
  return std::all_of(known_.begin(), known_.end(), [](const auto& entry) { return entry.second.ended_at.has_value(); });
}

std::string BackfillLedger::open_one() const {
  for (auto it = known_.rbegin(); it != known_.rend(); ++it)
    if (!it->second.ended_at) return it->first;
  return "none";
}

}  // namespace slipway::sim
