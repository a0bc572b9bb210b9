#include "support/fake_executor.h"

#include <algorithm>

namespace slipway::test {
namespace {

constexpr Duration kRepeatEnd = std::chrono::seconds(30);

std::string identity_of(const AttemptId& id) { return "fake:" + id.str(); }

}  // namespace

const FakeMachine::Process* FakeMachine::find(const AttemptId& id) const {
  const auto found = processes_.find(id);
  return found == processes_.end() ? nullptr : &found->second;
}

std::vector<AttemptId> FakeMachine::running(Instant now) const {
  std::vector<AttemptId> ids;
  for (const auto& [id, process] : processes_)
    if (process.starts_at && *process.starts_at <= now && !(process.ends_at && *process.ends_at <= now))
      ids.push_back(id);
  return ids;
}

int FakeMachine::busy(Instant now) const {
  int slots = 0;
  for (const AttemptId& id : live_) {
    const Process& process = processes_.at(id);
    if (!(process.ends_at && *process.ends_at <= now)) slots += process.slots;
  }
  return slots;
}

bool FakeMachine::runs_for_ever() const {
  return std::any_of(live_.begin(), live_.end(), [&](const AttemptId& id) { return !processes_.at(id).ends_at; });
}

bool FakeExecutor::has_room(const exec::LaunchSpec& spec) const {
  const int busy = machine_.busy(clock_.now());
  return slots_ == 0 || spec.slots == 0 || busy == 0 || busy + spec.slots <= slots_;
}

void FakeExecutor::launch(exec::LaunchSpec spec) {
  const bool waits = machine_.find(spec.id) == nullptr && !(held_.empty() && has_room(spec)) && spec.slots > 0;
  waits ? held_.push_back(std::move(spec)) : start(spec);
}

void FakeExecutor::start(const exec::LaunchSpec& spec) {
  hook("before launch");
  const AttemptId id = spec.id;
  auto [it, is_new] = machine_.processes_.try_emplace(id);
  FakeMachine::Process& process = it->second;
  if (is_new) {
    process.script = machine_.behaviour_(spec);
    process.launched_at = clock_.now();
    process.slots = spec.slots;
    process.starts = 1;
    if (process.script.kind != Script::Kind::CannotStart) {
      process.starts_at = process.launched_at + process.script.start_delay;
      if (process.script.run_time) process.ends_at = *process.starts_at + *process.script.run_time;
    }
    if (process.script.kind == Script::Kind::Runs) machine_.live_.insert(id);
  }
  hook("after launch");
  watch(id);
}

void FakeExecutor::stop(const AttemptId& id, bool now) {
  hook("before stop");
  const auto waits = std::find_if(held_.begin(), held_.end(), [&](const auto& spec) { return spec.id == id; });
  if (waits != held_.end()) {
    held_.erase(waits);
    return send(exec::LaunchFailed{id, run::FailureClass::External, "it was stopped before it started"});
  }
  const auto found = machine_.processes_.find(id);
  if (found == machine_.processes_.end()) return;
  FakeMachine::Process& process = found->second;
  if (process.script.kind != Script::Kind::Runs) return;
  const Instant end = clock_.now() + (now ? Duration(0) : process.script.stop_delay);
  if (process.ends_at && *process.ends_at <= end) return;
  process.ends_at = end;
  process.stopped = true;
  if (*process.starts_at > end) process.starts_at = end;
}

void FakeExecutor::adopt(const std::vector<exec::OpenAttempt>& attempts) {
  for (const exec::OpenAttempt& open : attempts) {
    if (machine_.find(open.id) == nullptr) {
      // Claimed, so that no late launch can start it any more.
      FakeMachine::Process& claimed = machine_.processes_[open.id];
      claimed.script.kind = Script::Kind::Vanishes;
      claimed.script.end_proved = true;
      claimed.over = true;
      claimed.ends_at = clock_.now();
    }
    watch(open.id);
    if (open.stop_requested) stop(open.id, false);
  }
}

void FakeExecutor::forget(const AttemptId& id) {
  watched_.erase(id);
  held_.erase(std::remove_if(held_.begin(), held_.end(), [&](const auto& spec) { return spec.id == id; }), held_.end());
}

void FakeExecutor::watch(const AttemptId& id) { watched_.try_emplace(id); }

// What is to be said of an attempt by now.
void FakeExecutor::observe(const AttemptId& id, FakeMachine::Process& process) {
  Watched& watched = watched_.at(id);
  const Instant now = clock_.now();
  if (!watched.announced && process.starts_at) {
    watched.announced = true;
    send(exec::Launched{id, identity_of(id)});
  }
  if (!watched.running_sent && process.starts_at && *process.starts_at <= now) {
    watched.running_sent = true;
    send(exec::Running{id, identity_of(id), *process.starts_at});
  }
  const bool ended = process.ends_at && *process.ends_at <= now;
  process.over = process.over || ended || process.script.kind == Script::Kind::CannotStart;
  if (!process.over || (watched.end_sent && now - *watched.end_sent < kRepeatEnd)) return;
  watched.end_sent = now;
  send_end(id, process);
}

void FakeExecutor::send_end(const AttemptId& id, const FakeMachine::Process& process) {
  switch (process.script.kind) {
    case Script::Kind::CannotStart: return send(exec::LaunchFailed{id, process.script.failure, "cannot start"});
    case Script::Kind::Vanishes: return send(exec::Lost{id, "it vanished", process.script.end_proved});
    case Script::Kind::Runs: break;
  }
  exec::Exited exited;
  exited.id = id;
  exited.at = *process.ends_at;
  exited.exit_code = process.stopped ? 143 : process.script.exit_code;
  exited.oom = !process.stopped && process.script.oom;
  exited.output = process.stopped ? std::string() : process.script.output;
  send(std::move(exited));
}

void FakeExecutor::send(exec::Report report) {
  const bool ends = std::holds_alternative<exec::Exited>(report);
  if (ends && rng_.chance(faults_.dropped)) return;
  Instant due = clock_.now();
  if (rng_.chance(faults_.delayed))
    due += Duration(static_cast<std::int64_t>(rng_.below(static_cast<std::uint64_t>(faults_.delay_max.count()) + 1)));
  if (rng_.chance(faults_.doubled)) outbox_.emplace(due, report);
  outbox_.emplace(due, std::move(report));
}

void FakeExecutor::pump() {
  std::erase_if(machine_.live_, [&](const AttemptId& id) {
    const FakeMachine::Process& process = machine_.processes_.at(id);
    return process.ends_at && *process.ends_at <= clock_.now();
  });
  while (!held_.empty() && has_room(held_.front())) {
    const exec::LaunchSpec spec = std::move(held_.front());
    held_.pop_front();
    start(spec);
  }
  std::vector<AttemptId> ids;
  for (const auto& [id, watched] : watched_) ids.push_back(id);
  for (const AttemptId& id : ids) observe(id, machine_.processes_.at(id));
  while (!outbox_.empty() && outbox_.begin()->first <= clock_.now()) {
    const exec::Report report = outbox_.begin()->second;
    outbox_.erase(outbox_.begin());
    sink_->on_report(report);
  }
}

std::optional<Instant> FakeExecutor::next_due() const {
  std::optional<Instant> due;
  const auto by = [&](Instant instant) { due = due ? std::min(*due, instant) : instant; };
  if (!outbox_.empty()) by(outbox_.begin()->first);
  if (!held_.empty() && has_room(held_.front())) by(clock_.now());
  for (const auto& [id, watched] : watched_) {
    const FakeMachine::Process& process = *machine_.find(id);
    if (watched.end_sent) {
      by(*watched.end_sent + kRepeatEnd);
    } else if (!watched.announced) {
      by(clock_.now());
    } else {
      if (!watched.running_sent) by(std::max(*process.starts_at, clock_.now()));
      if (process.ends_at) by(std::max(*process.ends_at, clock_.now()));
    }
  }
  return due;
}

}  // namespace slipway::test
