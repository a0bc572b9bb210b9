// Backfills: ticks of a schedule, dealt with one by one while there is room for their runs.
#include <algorithm>

#include "engine/core.h"
#include "engine/selection.h"
#include "slipway/base/ulid.h"
#include "slipway/dag/parse.h"

namespace slipway::engine {
namespace {

using run::Backfill;
using run::BackfillState;
using run::Reprocess;

constexpr std::size_t kLook = 50;  // ticks looked at in one go for one that makes a run

Error invalid(std::string message, std::string help) {
  return {ErrorCode::InvalidArgument, std::move(message), std::move(help)};
}

bool has_ticks(const dag::Schedule& schedule) {
  return schedule.kind == dag::ScheduleKind::Cron || schedule.kind == dag::ScheduleKind::Every;
}

const dag::Schedule* find(const dag::Dag& dag, const std::string& name) {
  const auto found = std::find_if(dag.schedules.begin(), dag.schedules.end(),
                                  [&](const auto& schedule) { return schedule.name == name && has_ticks(schedule); });
  return found == dag.schedules.end() ? nullptr : &*found;
}

// The schedule that is named, or the only one that has ticks.
Result<const dag::Schedule*> schedule_of(const dag::Dag& dag, const std::string& name) {
  const std::string which = "DAG `" + dag.id.str() + "`";
  if (!name.empty()) {
    if (const dag::Schedule* schedule = find(dag, name)) return schedule;
    return Error{ErrorCode::NotFound, which + " has no schedule `" + name + "` of ticks",
                 "slipway schedule list shows their names"};
  }
  const auto count = std::count_if(dag.schedules.begin(), dag.schedules.end(), has_ticks);
  if (count == 0) return invalid(which + " has no schedule of ticks", "give it one with `cron` or `every`");
  if (count > 1) return invalid(which + " has several schedules", "name one of them: --schedule NAME");
  return &*std::find_if(dag.schedules.begin(), dag.schedules.end(), has_ticks);
}

Result<std::vector<Instant>> ticks_in(const dag::Schedule& schedule, Instant from, Instant to) {
  std::vector<Instant> ticks;
  for (auto tick = dag::next_tick(schedule, from - Duration(1)); tick && *tick <= to;
       tick = dag::next_tick(schedule, *tick)) {
    if (ticks.size() == kBackfillTicksMax)
      return Error{ErrorCode::TooLarge, "the range has more than " + std::to_string(kBackfillTicksMax) + " ticks",
                   "make it shorter, and run one backfill after the other"};
    ticks.push_back(*tick);
  }
  if (!ticks.empty()) return ticks;
  return invalid("the schedule has no tick from " + to_rfc3339(from) + " to " + to_rfc3339(to),
                 "slipway schedule next shows ticks of a schedule");
}

std::optional<Instant> tick_after(const Backfill& backfill, const dag::Schedule& schedule, Instant tick) {
  const auto next = backfill.reverse ? dag::previous_tick(schedule, tick) : dag::next_tick(schedule, tick);
  return next && *next >= backfill.first && *next <= backfill.last ? next : std::nullopt;
}

// The next ticks in its order. One that an edit of the schedule took away is not among them.
std::vector<Instant> ticks_ahead(const Backfill& backfill, const dag::Schedule& schedule) {
  std::vector<Instant> ticks;
  const Duration beside(backfill.reverse ? 1 : -1);
  for (auto tick = tick_after(backfill, schedule, *backfill.next + beside); tick && ticks.size() < kLook;
       tick = tick_after(backfill, schedule, *tick))
    ticks.push_back(*tick);
  return ticks;
}

TickAction action_on(Reprocess reprocess, run::RunState state) {
  if (!run::is_terminal(state) || reprocess == Reprocess::None) return TickAction::Leave;
  if (reprocess == Reprocess::All) return TickAction::Clear;
  return state == run::RunState::Success ? TickAction::Leave : TickAction::Retry;
}

Result<Value> params_of(const dag::Dag& dag, const dag::Schedule& schedule, const Value& over) {
  Value all = schedule.params.is_object() ? schedule.params : Value(Value::Object{});
  if (over.is_object())
    for (const auto& [name, value] : over.as_object()) all[name] = value;
  auto params = dag::resolve_params(dag, all);
  if (params.value) return *std::move(params.value);
  return invalid(params.diagnostics.items().front().message, params.diagnostics.items().front().help);
}

Result<void> check_range(const StartBackfill& command, Instant now) {
  if (command.to < command.from) return invalid("the range ends before it begins", "swap --from and --to");
  if (command.to > now)
    return invalid("the range ends in the future", "ticks to come fire by themselves: end it at " + to_rfc3339(now));
  if (command.max_active < 1 || command.max_active > kBackfillActiveMax)
    return invalid("`max_active` is not from 1 to " + std::to_string(kBackfillActiveMax), {});
  return {};
}

}  // namespace

// As of now: what this step made and changed counts.
Result<std::map<Instant, store::TickRun>> Core::runs_of_ticks(const store::TickRange& range) {
  SLIPWAY_TRY_ASSIGN(auto found, store_.find_ticks(range));
  for (auto it = ticks_.lower_bound({range.dag, range.schedule, range.first});
       it != ticks_.end() && it->first <= std::tuple(range.dag, range.schedule, range.last); ++it)
    found.insert_or_assign(std::get<2>(it->first), store::TickRun{it->second, run::RunState::Queued});
  for (auto& [tick, known] : found)
    if (const auto run = snapshot_.runs.find(known.run); run != snapshot_.runs.end())
      known.state = run->second.state.state;
  return found;
}

Result<Reply> Core::run_command(const StartBackfill& command) {
  const auto entry = snapshot_.dags.find(command.dag);
  if (entry == snapshot_.dags.end() || !entry->second.present) return no_dag(command.dag);
  const dag::Dag& dag = *entry->second.dag;
  SLIPWAY_TRY_ASSIGN(const dag::Schedule* schedule, schedule_of(dag, command.schedule));
  SLIPWAY_TRY(check_range(command, now_));
  if (command.reverse && dag.depends_on_past)
    return invalid("tasks of DAG `" + dag.id.str() + "` depend on the past, so their ticks run oldest first",
                   "leave out --reverse");
  SLIPWAY_TRY_ASSIGN(std::vector<Instant> ticks, ticks_in(*schedule, command.from, command.to));
  SLIPWAY_TRY(params_of(dag, *schedule, command.params));
  const store::TickRange range{command.dag, schedule->name, ticks.front(), ticks.back()};
  if (command.reverse) std::reverse(ticks.begin(), ticks.end());
  if (command.preview) return preview(command, schedule->name, ticks);
  SLIPWAY_TRY(check_room(range));
  last_run_id_ = make_run_id(std::max(now_, Instant{}), rng_, last_run_id_);
  Reply reply;
  reply.backfill = last_run_id_.str();
  snapshot_.backfills[reply.backfill].state = {.id = reply.backfill,
                                               .dag = range.dag,
                                               .schedule = range.schedule,
                                               .first = range.first,
                                               .last = range.last,
                                               .reverse = command.reverse,
                                               .max_active = command.max_active,
                                               .reprocess = command.reprocess,
                                               .params = command.params,
                                               .created_at = now_,
                                               .next = ticks.front(),
                                               .ticks = static_cast<int>(ticks.size())};
  changed_backfills_.insert(reply.backfill);
  return reply;
}

Result<void> Core::check_room(const store::TickRange& range) const {
  if (snapshot_.backfills.size() >= kBackfillsMax)
    return Error{ErrorCode::Conflict, std::to_string(kBackfillsMax) + " backfills are under way",
                 "wait for one of them: slipway backfill list"};
  for (const auto& [id, other] : snapshot_.backfills)
    if (other.state.next && other.state.dag == range.dag && other.state.schedule == range.schedule &&
        other.state.first <= range.last && other.state.last >= range.first)
      return Error{ErrorCode::Conflict, "backfill " + id + " deals with ticks of that range",
                   "wait for it, or stop it: slipway backfill cancel " + id};
  return {};
}

Result<Reply> Core::preview(const StartBackfill& command, const std::string& schedule,
                            const std::vector<Instant>& ticks) {
  const auto [first, last] = std::minmax(ticks.front(), ticks.back());
  SLIPWAY_TRY_ASSIGN(const auto known, runs_of_ticks({command.dag, schedule, first, last}));
  Reply reply;
  for (const Instant tick : ticks) {
    TickChange& change = reply.ticks.emplace_back(TickChange{tick, {}, {}});
    const auto run = known.find(tick);
    if (run == known.end()) continue;
    change.run = run->second.run;
    change.state = run->second.state;
    change.action = action_on(command.reprocess, run->second.state);
  }
  return reply;
}

Result<Reply> Core::run_command(const CancelBackfill& command) {
  const auto found = snapshot_.backfills.find(command.id);
  if (found == snapshot_.backfills.end()) {
    SLIPWAY_TRY_ASSIGN(const auto reader, store_.read());
    SLIPWAY_TRY_ASSIGN(const auto known, reader->list_backfills({.id_prefix = command.id, .limit = 1}));
    if (known.empty() || known.front().id != command.id)
      return Error{ErrorCode::NotFound, "there is no backfill " + command.id, "slipway backfill list"};
    return Error{ErrorCode::Conflict, "backfill " + command.id + " is over", {}};
  }
  Reply reply;
  reply.backfill = command.id;
  std::vector<RunId> stopped;
  for (const auto& [id, run] : snapshot_.runs) {
    const bool under_way = run.state.state == run::RunState::Running && !command.keep_running;
    if (run.state.backfill == command.id && (run.state.state == run::RunState::Queued || under_way))
      stopped.push_back(id);
  }
  for (const RunId& id : stopped) emit(id, run::RunMoved{run::RunState::Cancelling, {}, run::FailureClass::External});
  if (found->second.state.state == BackfillState::Running) stop_backfill(command.id, BackfillState::Cancelled, {});
  return reply;
}

// What fold() counted of a run's backfill is to be stored.
void Core::note_backfill(const RunId& id) {
  const std::string& backfill = snapshot_.runs.at(id).state.backfill;
  if (snapshot_.backfills.count(backfill) != 0) changed_backfills_.insert(backfill);
}

// Deals with no more ticks; it ends with its last run.
void Core::stop_backfill(const std::string& id, BackfillState state, const std::string& reason) {
  Backfill& backfill = snapshot_.backfills.at(id).state;
  backfill.state = state;
  backfill.reason = reason;
  backfill.next.reset();
  changed_backfills_.insert(id);
  if (!reason.empty()) log_.error("backfill cannot go on", {{"backfill", id}, {"error", reason}});
}

void Core::end_backfill(const std::string& id) {
  Backfill& backfill = snapshot_.backfills.at(id).state;
  const bool succeeded = backfill.succeeded == backfill.created + backfill.cleared;
  if (backfill.state == BackfillState::Running)
    backfill.state = succeeded ? BackfillState::Success : BackfillState::Failed;
  backfill.ended_at = now_;
  changed_backfills_.insert(id);
  log_.info("backfill ended", {{"backfill", id},
                               {"dag", backfill.dag.str()},
                               {"state", std::string(run::kBackfillStates.text(backfill.state))}});
}

void Core::claim(const std::string& id) {
  Backfill& backfill = snapshot_.backfills.at(id).state;
  changed_backfills_.insert(id);
  --snapshot_.claims_left;
  const dag::Dag& dag = *snapshot_.dags.at(backfill.dag).dag;
  const dag::Schedule* schedule = find(dag, backfill.schedule);
  if (schedule == nullptr)
    return stop_backfill(id, BackfillState::Failed, "the DAG has no schedule `" + backfill.schedule + "` any more");
  const std::vector<Instant> ticks = ticks_ahead(backfill, *schedule);
  if (ticks.empty()) return backfill.next.reset();
  const auto [first, last] = std::minmax(ticks.front(), ticks.back());
  const auto known = runs_of_ticks({backfill.dag, backfill.schedule, first, last});
  if (!known) return stop_backfill(id, BackfillState::Failed, known.error().message);
  for (const Instant tick : ticks) {
    const auto run = known->find(tick);
    if (run == known->end()) {
      if (const auto made = make_run(backfill, *schedule, tick); !made)
        return stop_backfill(id, BackfillState::Failed, made.error().message);
    }
    backfill.next = tick_after(backfill, *schedule, tick);
    if (run == known->end() || open_again(backfill, run->second)) return;
  }
}

Result<void> Core::make_run(Backfill& backfill, const dag::Schedule& schedule, Instant tick) {
  run::DagEntry& entry = snapshot_.dags.at(backfill.dag);
  run::RunHeader header;
  SLIPWAY_TRY_ASSIGN(header.params, params_of(*entry.dag, schedule, backfill.params));
  header.trigger = run::TriggerKind::Backfill;
  header.schedule = backfill.schedule;
  header.logical_date = header.interval_end = tick;
  header.interval_start = dag::previous_tick(schedule, tick).value_or(tick);
  ++backfill.created;
  create_run(entry, std::move(header), backfill.id);
  return {};
}

// Whether the run of a tick goes on because of the backfill. One that cannot be read any more stays as it is.
bool Core::open_again(Backfill& backfill, const store::TickRun& known) {
  const TickAction action = action_on(backfill.reprocess, known.state);
  std::vector<Change> changes;
  if (action != TickAction::Leave) {
    const auto run = active_or_loaded(known.run);
    if (!run)
      log_.warn("run stays as it is", {{"run", known.run.str()}, {"error", run.error().message}});
    else
      changes = action == TickAction::Clear ? select(**run, ClearRun{.run = known.run}) : select_failed(**run, {});
  }
  if (changes.empty()) {
    ++backfill.left;
    return false;
  }
  ++backfill.cleared;
  emit(known.run, run::RunReopened{backfill.id});
  reset(known.run, changes);
  return true;
}

}  // namespace slipway::engine
