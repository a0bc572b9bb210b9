// An executor without processes. FakeMachine is the machine: what was started there goes on whatever becomes of the
// daemon. FakeExecutor is the daemon's side of it: reports that it had not delivered die with it.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <set>

#include "slipway/base/rng.h"
#include "slipway/exec/executor.h"

namespace slipway::test {

// What a command does once it is launched.
struct Script {
  enum class Kind : unsigned char { Runs, CannotStart, Vanishes };  // Vanishes: its end can never be known
  Kind kind = Kind::Runs;
  Duration start_delay{0};                         // between launch and Running
  std::optional<Duration> run_time = Duration(0);  // nullopt: until it is stopped
  Duration stop_delay{0};                          // how long it takes to end when told to; `now` ends it at once
  int exit_code = 0;
  bool oom = false;
  std::string output;
  run::FailureClass failure = run::FailureClass::Launch;  // of CannotStart
  bool end_proved = false;                                // of Vanishes
};

class FakeMachine {
 public:
  struct Process {
    Script script;
    Instant launched_at;
    std::optional<Instant> starts_at, ends_at;
    bool stopped = false;  // its end is that of a stop
    bool over = false;
    int slots = 1;
    int starts = 0;  // how often a launch had an effect: more than once breaks the contract
  };

  // Processes do what `behaviour` says of their spec.
  explicit FakeMachine(std::function<Script(const exec::LaunchSpec&)> behaviour) : behaviour_(std::move(behaviour)) {}

  [[nodiscard]] const Process* find(const AttemptId& id) const;
  [[nodiscard]] const std::map<AttemptId, Process>& processes() const { return processes_; }
  // Processes that run at `now`.
  [[nodiscard]] std::vector<AttemptId> running(Instant now) const;
  // How many slots are taken at `now` by commands that were launched and have not ended.
  [[nodiscard]] int busy(Instant now) const;
  // Some command ends only when it is told to, and was not.
  [[nodiscard]] bool runs_for_ever() const;

 private:
  friend class FakeExecutor;
  std::function<Script(const exec::LaunchSpec&)> behaviour_;
  std::map<AttemptId, Process> processes_;
  std::set<AttemptId> live_;  // whose end has not come yet: a clock set back does not bring one back
};

// How reports are mistreated on their way.
struct ReportFaults {
  double doubled = 0;  // probability that a report comes twice
  double delayed = 0;  // … comes up to `delay_max` late, after later ones
  double dropped = 0;  // … does not come; ends are repeated until forget()
  Duration delay_max = std::chrono::seconds(20);
};

class FakeExecutor final : public exec::Executor {
 public:
  FakeExecutor(FakeMachine& machine, const Clock& clock, Rng& rng, ReportFaults faults = {})
      : machine_(machine), clock_(clock), rng_(rng), faults_(faults) {}

  void set_sink(exec::ReportSink* sink) { sink_ = sink; }
  // Commands that do not fit wait in order. 0: all at once.
  void set_slots(int slots) { slots_ = slots; }
  // Called before and after every effect on the machine; may throw, as a stand-in for the death of the daemon there.
  void set_hook(std::function<void(std::string_view what)> hook) { hook_ = std::move(hook); }

  // Names that attempts may ask for besides its own.
  void set_others(std::set<std::string, std::less<>> others) { others_ = std::move(others); }

  [[nodiscard]] std::string_view name() const override { return "fake"; }
  [[nodiscard]] bool has(std::string_view executor) const override {
    return exec::Executor::has(executor) || others_.find(executor) != others_.end();
  }
  void launch(exec::LaunchSpec spec) override;
  void stop(const AttemptId& id, bool now) override;
  void adopt(const std::vector<exec::OpenAttempt>& attempts) override;
  void forget(const AttemptId& id) override;

  // Delivers what is due by the clock's now.
  void pump();
  // When pump() has something to do next.
  [[nodiscard]] std::optional<Instant> next_due() const;

 private:
  void hook(std::string_view what) const {
    if (hook_) hook_(what);
  }
  void start(const exec::LaunchSpec& spec);
  [[nodiscard]] bool has_room(const exec::LaunchSpec& spec) const;
  void watch(const AttemptId& id);
  void observe(const AttemptId& id, FakeMachine::Process& process);
  void send(exec::Report report);
  void send_end(const AttemptId& id, const FakeMachine::Process& process);

  struct Watched {
    bool announced = false;
    bool running_sent = false;
    std::optional<Instant> end_sent;  // repeated until forgotten
  };

  FakeMachine& machine_;
  const Clock& clock_;
  Rng& rng_;
  ReportFaults faults_;
  std::set<std::string, std::less<>> others_;
  exec::ReportSink* sink_ = nullptr;
  std::function<void(std::string_view)> hook_;
  int slots_ = 0;
  std::deque<exec::LaunchSpec> held_;  // for a slot
  std::map<AttemptId, Watched> watched_;
  std::multimap<Instant, exec::Report> outbox_;
};

}  // namespace slipway::test
