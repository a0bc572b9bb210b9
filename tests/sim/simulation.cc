#include "sim/simulation.h"

#include <algorithm>
#include <iostream>
#include <set>

#include "sim/ledger.h"
#include "sim/random_dag.h"
#include "slipway/engine/engine.h"
#include "support/engine_world.h"

namespace slipway::sim {
namespace {

using namespace std::chrono_literals;
using test::FakeExecutor;
using test::FakeMachine;
using test::Script;

struct Death {};

constexpr int kStepsMax = 200'000;
constexpr int kAheadMax = 16;
constexpr Duration kScenario = 2h;   // in which commands come
constexpr Duration kPatience = 24h;  // after which what still runs is cancelled

// A store that may die on either side of a commit, and tells the ledger what is on the disk.
class MortalStore final : public store::Store {
 public:
  MortalStore(std::unique_ptr<store::Store> inner, Ledger& ledger, std::function<void()> may_die,
              std::function<bool()> is_full)
      : inner_(std::move(inner)), ledger_(ledger), may_die_(std::move(may_die)), is_full_(std::move(is_full)) {}

  Result<void> commit(const store::Batch& batch) override {
    may_die_();
    if (is_full_()) return Error{ErrorCode::Unavailable, "the disk is full", {}};
    SLIPWAY_TRY(inner_->commit(batch));
    ledger_.on_committed(batch);
    may_die_();
    return {};
  }
  Result<store::Recovered> recover(Suspects* suspects) override {
    SLIPWAY_TRY_ASSIGN(store::Recovered recovered, inner_->recover(suspects));
    ledger_.compare(recovered);
    return recovered;
  }
  Result<std::map<Instant, store::TickRun>> find_ticks(const store::TickRange& range) override {
    return inner_->find_ticks(range);
  }
  Result<std::optional<RunId>> run_before(const DagId& dag, const std::string& schedule, Instant date) override {
    return inner_->run_before(dag, schedule, date);
  }
  Result<std::optional<RunId>> find_idempotent(const DagId& dag, const std::string& key) override {
    return inner_->find_idempotent(dag, key);
  }
  Result<std::optional<store::CacheEntry>> find_cached(const std::string& key, const DagId& dag,
                                                       const TaskKey& task) override {
    return inner_->find_cached(key, dag, task);
  }
  Result<Value> previous_outputs(const DagId& dag, const TaskKey& task, const RunId& before) override {
    return inner_->previous_outputs(dag, task, before);
  }
  Result<run::Run> load_run(const RunId& id) override { return inner_->load_run(id); }
  Result<std::unique_ptr<store::Reader>> read() const override { return inner_->read(); }
  Result<void> condemn(const std::vector<RunId>& runs) override { return inner_->condemn(runs); }
  Result<bool> erase(const RunId& run) override { return inner_->erase(run); }
  Result<std::vector<store::Finding>> check() const override { return inner_->check(); }
  Result<std::vector<store::Finding>> quick_check() const override { return inner_->quick_check(); }
  Result<void> backup(const std::string& file) const override { return inner_->backup(file); }
  Result<std::map<std::string, std::string>> blobs(const std::string& space) const override {
    return inner_->blobs(space);
  }

 private:
  std::unique_ptr<store::Store> inner_;
  Ledger& ledger_;
  std::function<void()> may_die_;
  std::function<bool()> is_full_;
};

// Files and addresses that are there some time after the first look. What is watched dies with the daemon.
class SimProber final : public engine::Prober {
 public:
  explicit SimProber(const Clock& clock) : clock_(clock) {}

  void watch(const engine::Look& look) override {
    const auto after = Duration(static_cast<std::int64_t>(stable_hash(look.target) % 90'000'000));
    watched_.insert_or_assign({look.run, look.key}, std::pair(look, clock_.now() + after));
  }
  void forget(const RunId& run, const TaskKey& key) override { watched_.erase({run, key}); }

  // Tells what is there by now; also once more than it should.
  void pump(engine::Engine& engine) {
    for (const auto& [id, watched] : std::map(watched_)) {
      const auto& [look, there_at] = watched;
      if (there_at > clock_.now()) continue;
      engine.on_seen({look.run, look.key, look.generation, false, "not yet"});
      for (int twice = 0; twice < 2; ++twice) engine.on_seen({look.run, look.key, look.generation, true, "there"});
      watched_.erase(id);
    }
  }
  [[nodiscard]] std::optional<Instant> next_due() const {
    std::optional<Instant> next;
    for (const auto& [id, watched] : watched_)
      if (!next || watched.second < *next) next = watched.second;
    return next;
  }

 private:
  const Clock& clock_;
  std::map<std::pair<RunId, TaskKey>, std::pair<engine::Look, Instant>> watched_;
};

// A command that somebody sends, and sends again until it is answered.
struct Action {
  Instant at;
  std::function<engine::Command()> command;
  std::string key;  // of a trigger
};

class Simulation {
 public:
  Simulation(std::uint64_t seed, const OpenStore& open, bool trace)
      : seed_(seed),
        open_(open),
        trace_(trace),
        scenario_(seed),
        faults_(seed ^ 0x9e3779b97f4a7c15ULL),
        machine_rng_(seed + 1),
        slots_(1 + static_cast<int>(scenario_.below(5))),
        quick_(scenario_.chance(0.3)),
        ledger_(slots_ + (quick_ ? kAheadMax : 0), trace),
        machine_([this](const exec::LaunchSpec& spec) { return behave(spec); }) {
    death_ = scenario_.chance(0.75) ? 0.002 + 0.03 * scenario_.unit() : 0;
    if (scenario_.chance(0.75))
      report_faults_ = {0.1 * scenario_.unit(), 0.2 * scenario_.unit(), 0.2 * scenario_.unit(), 20s};
    if (scenario_.chance(0.5)) full_disk_ = 0.2 * scenario_.unit();
    write_scenario();
  }

  Outcome run() {
    boot();
    int steps = 0;
    while (ledger_.violation().empty() && steps++ < kStepsMax && !over_) live();
    if (steps >= kStepsMax) ledger_.accuse("some run never ends");
    if (ledger_.violation().empty()) inspect_store();
    Outcome outcome{ledger_.violation(), ledger_.events(), ledger_.runs().size(), deaths_, 0};
    for (const auto& [id, run] : ledger_.runs()) outcome.attempts += run.attempts.size();
    return outcome;
  }

 private:
  // --- scenario
  // -------------------------------------------------------------------------------------------------------

  void write_scenario() {
    const std::uint64_t count = 1 + scenario_.below(3);
    std::vector<std::string> pools, scheduled;
    if (scenario_.chance(0.6)) pools = {"gpu", "db"};
    for (const std::string& pool : pools) resize(pool);
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::string id = "dag" + std::to_string(i);
      Duration every{0};
      std::string schedule = random_schedule(every);
      const SimFrame frame{id,
                           std::move(schedule),
                           every,
                           1 + static_cast<int>(scenario_.below(3)),
                           scenario_.chance(0.3) ? 1 + static_cast<int>(scenario_.below(3)) : 0,
                           slots_,
                           pools,
                           i + 1 < count ? "dag" + std::to_string(i + 1) : id};
      put_dag(frame, clock_.now());
      if (scenario_.chance(0.3)) put_dag(frame, some_time());
      for (std::uint64_t n = 1 + scenario_.below(4); n > 0; --n) trigger(id);
      for (std::uint64_t n = scenario_.below(8); n > 0; --n) on_some_run(id);
      if (scenario_.chance(0.3)) pause(id, some_time(), true);
      if (scenario_.chance(0.3)) pause(id, some_time(), false);
      pause(id, clock_.now() + kScenario, true);
      if (every > Duration(0)) scheduled.push_back(id);
    }
    if (scenario_.chance(0.5)) {
      const Value gate(static_cast<int>(scenario_.below(2)));
      add(some_time(), [gate] { return engine::SetVar{"GATE", gate}; });
    }
    if (scenario_.chance(0.5)) {
      const Value list = Value::Array(scenario_.below(5), Value(1));
      add(some_time(), [list] { return engine::SetVar{"LIST", list}; });
    }
    if (scenario_.chance(0.2)) wall_step_at_ = some_time();
    for (const std::string& id : scheduled)
      for (std::uint64_t n = scenario_.below(4); n > 0; --n) backfill(id);
    std::stable_sort(actions_.begin(), actions_.end(), [](const Action& a, const Action& b) { return a.at < b.at; });
  }

  std::string random_schedule(Duration& every) {
    if (scenario_.chance(0.5)) return {};
    if (scenario_.chance(0.3)) return "schedule: {name: s, datasets: [\"s3://lake/x\"]}\n";
    static constexpr const char* kMissed[] = {"last", "none", "all"};
    static constexpr const char* kOverlap[] = {"queue", "skip", "cancel"};
    const auto minutes = static_cast<std::int64_t>(5 + scenario_.below(50));
    every = std::chrono::minutes(minutes);
    return "schedule: {name: s, every: " + std::to_string(minutes) + "m, missed: " + kMissed[scenario_.below(3)] +
           ", overlap: " + kOverlap[scenario_.below(3)] + "}\n";
  }

  Instant some_time() {
    return clock_.now() +
           Duration(static_cast<std::int64_t>(scenario_.below(static_cast<std::uint64_t>(kScenario.count()))));
  }
  void add(Instant at, std::function<engine::Command()> command, std::string key = {}) {
    actions_.push_back({at, std::move(command), std::move(key)});
  }
  void put_dag(const SimFrame& frame, Instant at) {
    const SimDag dag = random_dag(scenario_, frame);
    ledger_.know(dag);
    add(at, [dag] { return engine::DagFolder{{{dag.id + ".yaml", dag.text, true}}, false}; });
    if (trace_) std::cout << dag.text << "\n";
  }
  // Some are sent twice under one key.
  void trigger(const std::string& id) {
    const std::string key = "key" + std::to_string(actions_.size());
    const auto kind = scenario_.chance(0.5) ? run::TriggerKind::Manual : run::TriggerKind::Api;
    const auto command = [id, key, kind] { return engine::TriggerRun{DagId(id), {}, key, {}, kind}; };
    add(some_time(), command, key);
    if (scenario_.chance(0.3)) add(some_time(), command, key);
  }
  // What somebody does to whichever run of the DAG is the newest by then, often while it runs.
  void on_some_run(const std::string& id) {
    const std::uint64_t dice = scenario_.below(UINT64_MAX);
    const std::string key = "resume" + std::to_string(actions_.size());
    const bool resumes = dice % 8 == 7;
    const auto command = [this, id, dice, key] {
      RunId newest("none");
      for (const auto& [run_id, run] : ledger_.runs())
        if (run.header.dag.str() == id) newest = run_id;
      return action_on(newest, dice, key);
    };
    add(some_time(), command, resumes ? key : "");
  }

  // Ticks before the scenario and of it; some of them the schedule has run by then, or will.
  void backfill(const std::string& id) {
    engine::StartBackfill command{.dag = DagId(id), .schedule = "s", .from = {}, .to = {}};
    const Instant at = some_time();
    command.from = some_time() - 4h;
    command.to = command.from + Duration(static_cast<std::int64_t>(scenario_.below(18'000'000'000)));
    command.to = std::min(command.to, at);
    command.reverse = scenario_.chance(0.3);
    command.max_active = 1 + static_cast<int>(scenario_.below(3));
    command.reprocess = run::kReprocess.rows()[scenario_.below(3)].value;
    add(at, [command] { return command; });
    const bool keep_running = scenario_.chance(0.5);
    if (scenario_.chance(0.4))
      add(at + (some_time() - clock_.now()) / 4, [this, keep_running] {
        return engine::CancelBackfill{ledger_.open_backfill(), keep_running};
      });
  }

  // The same dice give the same action, also when it is sent again after a death.
  engine::Command action_on(const RunId& id, std::uint64_t dice, const std::string& key) {
    Rng rng(dice);
    const auto run = ledger_.runs().find(id);
    TaskKey task{TaskId("t0"), TaskKey::kUnmapped};
    if (run != ledger_.runs().end())
      task =
          std::next(run->second.tasks.begin(), static_cast<std::ptrdiff_t>(rng.below(run->second.tasks.size())))->first;
    static constexpr run::TaskState kMarks[] = {run::TaskState::Success, run::TaskState::Failed,
                                                run::TaskState::Skipped};
    switch (dice % 8) {
      case 0: return engine::CancelRun{id, rng.chance(0.3)};
      case 1: return engine::RetryRun{id, rng.chance(0.5) ? std::vector<TaskKey>{task} : std::vector<TaskKey>{}};
      case 2:
      case 3: return engine::MarkRun{id, task, kMarks[rng.below(3)], "by the simulator"};
      case 4: return engine::MarkRun{id, {}, kMarks[rng.below(2)], ""};
      case 7: {
        engine::ResumeRun resume{.run = id, .idempotency_key = key};
        if (rng.chance(0.5)) resume.from.push_back(task.task);
        return resume;
      }
      default: break;
    }
    engine::ClearRun clear{.run = id};
    if (rng.chance(0.8)) clear.tasks.push_back(task);
    clear.upstream = rng.chance(0.2);
    clear.downstream = rng.chance(0.4);
    clear.past = rng.chance(0.2);
    clear.failed_only = rng.chance(0.2);
    clear.current_version = rng.chance(0.4);
    clear.preview = rng.chance(0.1);
    return clear;
  }
  // Missing at first or not, of any size for a while, deleted perhaps, and large enough for every task in the end.
  void resize(const std::string& pool) {
    const auto set = [this, pool](Instant at, std::optional<run::Pool> to) {
      add(at, [pool, to] { return engine::SetPool{PoolId(pool), to}; });
    };
    if (scenario_.chance(0.5)) set(clock_.now(), run::Pool{1, {}});
    for (std::uint64_t n = scenario_.below(4); n > 0; --n)
      set(some_time(), scenario_.chance(0.2)
                           ? std::nullopt
                           : std::optional(run::Pool{static_cast<int>(scenario_.below(kPoolSlotsMax + 2)), {}}));
    set(clock_.now() + kScenario, run::Pool{kPoolSlotsMax, {}});
  }
  void pause(const std::string& id, Instant at, bool paused) {
    add(at, [id, paused] { return engine::PauseDag{DagId(id), paused}; });
  }

  // What a command does depends on its attempt alone, not on when the daemon died.
  Script behave(const exec::LaunchSpec& spec) {
    const SimDag* dag = ledger_.dag_of(spec.id.run);
    if (dag == nullptr || !ledger_.has_intent(spec.id)) {
      ledger_.accuse("launched without a committed intent: " + spec.id.str());
      return {};
    }
    Rng rng(seed_ ^ stable_hash(spec.id.key.str() + "/" + std::to_string(spec.id.number)));
    const SimTask& task = dag->tasks.at(spec.id.key.task.str());
    Script script;
    script.start_delay = Duration(static_cast<std::int64_t>(rng.below(3'000'000)));
    script.run_time = Duration(static_cast<std::int64_t>(rng.below(60'000'000)));
    script.stop_delay = Duration(static_cast<std::int64_t>(rng.below(30'000'000)));
    if (quick_) {
      script.start_delay /= 1'000;
      script.run_time = *script.run_time / 10'000;
    }
    static constexpr int kCodes[] = {0, 0, 0, 0, 0, 0, 1, 1, 2, 99};
    script.exit_code = kCodes[rng.below(std::size(kCodes))];
    if (task.has_output && rng.chance(0.9)) script.output = "{\"n\":" + std::to_string(rng.below(8)) + "}";
    if (rng.chance(0.02)) script.output = "no json";
    if (rng.chance(0.05)) {
      static constexpr run::FailureClass kClasses[] = {run::FailureClass::Launch, run::FailureClass::Config,
                                                       run::FailureClass::InfraNotStarted};
      script.kind = Script::Kind::CannotStart;
      script.failure = kClasses[rng.below(std::size(kClasses))];
    } else if (rng.chance(0.05)) {
      script.kind = Script::Kind::Vanishes;
      script.end_proved = !task.has_lost_after || rng.chance(0.5);
    } else if ((task.has_timeout || (dag->has_timeout && task.role == dag::TaskRole::Body)) && rng.chance(0.1)) {
      script.run_time.reset();
    }
    return script;
  }

  // --- the daemon
  // -----------------------------------------------------------------------------------------------------

  void may_die() {
    if (faults_.chance(death_)) throw Death{};
  }

  void boot() {
    while (true) {
      try {
        store_ = std::make_unique<MortalStore>(
            open_(), ledger_, [this] { may_die(); }, [this] { return faults_.chance(full_disk_); });
        executor_ = std::make_unique<FakeExecutor>(machine_, clock_, machine_rng_, report_faults_);
        executor_->set_slots(slots_);
        executor_->set_hook([this](std::string_view) { may_die(); });
        engine::Options options;
        options.home = "/home";
        options.slots = slots_;
        options.ahead_max = kAheadMax;
        engine_ = std::make_unique<engine::Engine>(options, *store_, *executor_, secrets_, clock_, ids_, Logger());
        executor_->set_sink(engine_.get());
        prober_ = std::make_unique<SimProber>(clock_);
        engine_->set_prober(prober_.get());
        if (const auto recovered = engine_->recover(); !recovered)
          ledger_.accuse("recover: " + recovered.error().message);
        return;
      } catch (const Death&) {
        bury();
      }
    }
  }

  void bury() {
    ++deaths_;
    if (trace_) std::cout << to_rfc3339(clock_.now()) << " --- the daemon dies ---\n";
    executor_->set_sink(&nobody_);
    engine_.reset();
    executor_.reset();
    store_.reset();
    in_flight_.clear();
    if (faults_.chance(0.5)) clock_.advance(Duration(static_cast<std::int64_t>(faults_.below(120'000'000))));
    if (faults_.chance(0.05)) clock_.advance(3h);
  }

  void live() {
    try {
      send_due_actions();
      executor_->pump();
      prober_->pump(*engine_);
      answer_questions();
      const auto wake = engine_->step();
      if (!wake) return ledger_.accuse("step: " + wake.error().message);
      if (!engine_->trouble()) ledger_.compare(engine_->snapshot(), clock_.now());  // else memory is ahead of the disk
      if (machine_.busy(clock_.now()) > slots_) ledger_.accuse("more commands at a time than slots");
      may_die();
      go_on(*wake);
    } catch (const Death&) {
      bury();
      boot();
    }
  }

  void send_due_actions() {
    for (std::size_t i = 0; i < actions_.size(); ++i) {
      if (answered_.count(i) != 0 || in_flight_.count(i) != 0 || actions_[i].at > clock_.now()) continue;
      in_flight_.insert(i);
      engine_->submit(actions_[i].command(), [this, i](const Result<engine::Reply>& reply) { answer(i, reply); });
    }
  }

  // Somebody answers half a minute after a question was committed, again and again until it is noticed.
  void answer_questions() {
    for (const auto& [id, asked_at] : ledger_.questions()) {
      if (asked_at + 30s > clock_.now()) continue;
      engine::Approve answer;
      answer.run = id.first;
      answer.key = id.second;
      answer.approved = stable_hash(id.first.str() + id.second.str()) % 4 != 0;
      answer.by = "somebody";
      engine_->submit(std::move(answer), {});
    }
  }

  // A trigger that is acknowledged is on the disk, under its key, for ever.
  void answer(std::size_t action, const Result<engine::Reply>& reply) {
    in_flight_.erase(action);
    if (!reply && reply.error().code == ErrorCode::Unavailable) return;
    answered_.insert(action);
    const std::string& key = actions_[action].key;
    if (key.empty() || !reply) return;
    const auto run = ledger_.runs().find(reply->run);
    if (run == ledger_.runs().end()) return ledger_.accuse("an acknowledged trigger does not exist");
    if (run->second.header.idempotency_key != key) ledger_.accuse("a key names another run");
    if (acknowledged_.try_emplace(key, reply->run).first->second != reply->run) ledger_.accuse("one key made two runs");
  }

  // Lets time pass until something is due; in between, the engine must have nothing to do.
  void go_on(std::optional<Instant> wake) {
    std::optional<Instant> next = wake;
    const auto by = [&](std::optional<Instant> due) {
      if (due && (!next || *due < *next)) next = due;
    };
    by(executor_->next_due());
    by(prober_->next_due());
    for (const auto& [id, asked_at] : ledger_.questions()) by(asked_at + 30s);
    for (std::size_t i = 0; i < actions_.size(); ++i)
      if (answered_.count(i) == 0) by(actions_[i].at);
    by(wall_step_at_);
    if (!next) {
      // A command whose timeout a newer version took away may run for ever.
      if (ledger_.waits_for_past() || machine_.runs_for_ever()) return cancel_all();
      if (!ledger_.is_quiet()) return ledger_.accuse("some run never ends: nothing is due any more");
      over_ = true;
      return;
    }
    if (*next > clock_.now() + 2us && faults_.chance(0.1)) return doze(clock_.now() + (*next - clock_.now()) / 2);
    clock_.advance_to(*next);
    if (wall_step_at_ && clock_.now() >= *wall_step_at_) {
      wall_step_at_.reset();
      clock_.set_wall(clock_.now() + (faults_.chance(0.5) ? 1h : -10min));
    }
    if (clock_.now() > start_ + kScenario + kPatience) cancel_all();
  }

  void doze(Instant until) {
    if (engine_->trouble()) return;  // a commit that waits for the disk is tried at every step
    clock_.advance_to(until);
    const std::uint64_t before = ledger_.events();
    const auto wake = engine_->step();
    if (!wake || ledger_.events() != before) ledger_.accuse("something was due before wake_at");
  }

  void cancel_all() {
    start_ = clock_.now();
    for (const auto& [id, run] : ledger_.runs())
      if (!run::is_terminal(run.state)) engine_->submit(engine::CancelRun{id, true}, {});
  }

  void inspect_store() {
    const auto findings = store_->check();
    if (!findings) return ledger_.accuse("check: " + findings.error().message);
    for (const auto& finding : *findings) ledger_.accuse(finding.invariant + ": " + finding.detail);
    for (const auto& [id, process] : machine_.processes())
      if (process.starts > 1) ledger_.accuse("attempt started twice: " + id.str());
    for (const auto& [key, id] : acknowledged_)
      if (!store_->load_run(id)) ledger_.accuse("an acknowledged trigger is gone: " + id.str());
  }

  class Nobody final : public exec::ReportSink {
   public:
    void on_report(exec::Report) override {}
  };

  const std::uint64_t seed_;
  const OpenStore& open_;
  const bool trace_;
  Rng scenario_, faults_, machine_rng_;
  const int slots_;
  const bool quick_;  // commands of milliseconds, of which some are launched ahead of free slots
  Ledger ledger_;
  FakeMachine machine_;
  test::SimClock clock_{test::at_second(0)};
  Instant start_ = clock_.now();
  Rng ids_{7};
  test::FakeSecrets secrets_;
  Nobody nobody_;
  double death_ = 0;
  test::ReportFaults report_faults_;
  double full_disk_ = 0;  // chance that a commit is refused for want of space
  std::optional<Instant> wall_step_at_;
  std::vector<Action> actions_;
  std::set<std::size_t> answered_, in_flight_;
  std::map<std::string, RunId> acknowledged_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<FakeExecutor> executor_;
  std::unique_ptr<SimProber> prober_;
  std::unique_ptr<engine::Engine> engine_;
  std::uint64_t deaths_ = 0;
  bool over_ = false;
};

}  // namespace

Outcome simulate(std::uint64_t seed, const OpenStore& open, bool trace) { return Simulation(seed, open, trace).run(); }

}  // namespace slipway::sim
