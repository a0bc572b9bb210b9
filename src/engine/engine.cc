#include "slipway/engine/engine.h"

#include <condition_variable>
#include <deque>
#include <mutex>

#include "engine/core.h"
#include "engine/patience.h"

namespace slipway::engine {
namespace {

// A wall clock that jumps must not leave the engine asleep beyond a due instant.
constexpr Duration kSleepMax = std::chrono::seconds(60);
// How often a disk that took nothing is tried again.
constexpr Duration kDiskRetry = std::chrono::seconds(1);
// After how much silence the store may tidy up. Sooner, a chain of short tasks would pay for it at every step.
constexpr Duration kQuiet = std::chrono::milliseconds(500);

struct CommandInput {
  Command command;
  Completion done;
  std::optional<Origin> origin;
};
using Query = std::function<void(Core&)>;
using Input = std::variant<CommandInput, exec::Report, Seen, Query>;

Error stopped() { return {ErrorCode::Unavailable, "the engine has stopped", {}}; }

}  // namespace

struct Engine::Impl {
  Impl(Options options, store::Store& store_used, exec::Executor& executor, SecretSource& secrets,
       const Clock& clock_used, Rng& rng, const Logger& logger)
      : queue_max(options.queue_max),
        clock(clock_used),
        log(logger),
        store(store_used),
        core(std::move(options), store_used, executor, secrets, clock_used, rng, logger) {}

  // False if a bounded input finds the queue full; reports are bounded by the open attempts and always taken.
  bool push(Input input, bool bounded) {
    {
      const std::lock_guard lock(mutex);
      if (bounded && queue.size() >= queue_max) return false;
      const auto* report = std::get_if<exec::Report>(&input);
      const Duration before = patience.left();
      patience.add(report == nullptr ? Haste::Now : haste_of(*report, patient));
      queue.push_back(std::move(input));
      if (queue.size() > 1 && patience.left() == before) return true;
    }
    arrived.notify_one();
    return true;
  }

  std::deque<Input> take() {
    const std::lock_guard lock(mutex);
    patience.clear();
    return std::exchange(queue, {});
  }

  // While a commit waits for the disk: commands are refused, what the world reports is kept for later.
  void hold() {
    for (Input& input : take()) {
      auto* command = std::get_if<CommandInput>(&input);
      if (command == nullptr || std::holds_alternative<DagFolder>(command->command))
        kept.push_back(std::move(input));
      else if (command->done)
        command->done(*trouble);
    }
  }

  // Commits what was decided. True: it is on the disk, and done.
  Result<bool> conclude() {
    auto committed = core.commit();
    if (!committed && committed.error().code != ErrorCode::Unavailable) {
      core.refuse(committed.error());
      return committed.error();
    }
    if (committed) core.act();
    if (committed.has_value() == trouble.has_value()) tell(committed);
    const std::lock_guard lock(mutex);
    trouble = committed ? std::nullopt : std::optional(committed.error());
    if (patient != core.patient()) patient = core.patient();
    return committed.has_value();
  }

  // What the disk says now and did not before.
  void tell(const Result<void>& committed) const {
    if (committed)
      log.info("the disk takes commits again");
    else
      log.error("nothing starts until the disk takes commits again", {{"error", committed.error().message}});
  }

  // What was kept, then what came since.
  std::deque<Input> inputs() {
    std::deque<Input> all = std::exchange(kept, {});
    for (Input& input : take()) all.push_back(std::move(input));
    return all;
  }

  // The answer of the engine thread, after its next step.
  template <class Answer>
  Result<Answer> ask(std::function<Answer(const Core&)> question, Duration timeout) {
    auto promise = std::make_shared<std::promise<Answer>>();
    auto future = promise->get_future();
    Query query = [promise, question = std::move(question)](Core& answering) {
      promise->set_value(question(answering));
    };
    if (!push(std::move(query), true))
      return Error{ErrorCode::Unavailable, "the engine's queue is full", "try again in a moment"};
    if (future.wait_for(timeout) != std::future_status::ready)
      return Error{ErrorCode::TimedOut, "the engine did not answer within " + to_text(timeout), {}};
    return future.get();
  }

  bool should_stop() {
    const std::lock_guard lock(mutex);
    return stop_requested;
  }

  const std::size_t queue_max;
  const Clock& clock;
  const Logger log;
  store::Store& store;
  Core core;               // engine thread only
  std::deque<Input> kept;  // engine thread only: came while the disk took nothing

  std::mutex mutex;
  std::condition_variable arrived;
  std::deque<Input> queue;       // guarded by mutex
  Patience patience;             // guarded by mutex: of the queue
  std::set<RunId> patient;       // guarded by mutex: as of the last commit
  std::optional<Error> trouble;  // written by the engine thread, guarded by mutex
  bool stop_requested = false;   // guarded by mutex
};

Engine::Engine(Options options, store::Store& store, exec::Executor& executor, SecretSource& secrets,
               const Clock& clock, Rng& rng, Logger log)
    : impl_(std::make_unique<Impl>(std::move(options), store, executor, secrets, clock, rng, std::move(log))) {}

// Whoever still waits is told, so that no caller waits for ever.
Engine::~Engine() {
  impl_->core.refuse(stopped());
  for (Input& input : impl_->inputs())
    if (auto* command = std::get_if<CommandInput>(&input); command != nullptr && command->done)
      command->done(stopped());
}

void Engine::submit(Command command, Completion done, std::optional<Origin> origin) {
  Completion refused = done;
  if (impl_->push(CommandInput{std::move(command), std::move(done), std::move(origin)}, true) || !refused) return;
  refused(Error{ErrorCode::Unavailable, "the engine's queue is full", "try again in a moment"});
}

Result<Reply> Engine::call(Command command, Duration timeout, std::optional<Origin> origin) {
  auto promise = std::make_shared<std::promise<Result<Reply>>>();
  auto future = promise->get_future();
  submit(
      std::move(command), [promise](Result<Reply> reply) { promise->set_value(std::move(reply)); }, std::move(origin));
  if (future.wait_for(timeout) != std::future_status::ready)
    return Error{ErrorCode::TimedOut, "the engine did not answer within " + to_text(timeout),
                 "the command may still be carried out"};
  return future.get();
}

void Engine::on_report(exec::Report report) { impl_->push(std::move(report), false); }

void Engine::on_seen(Seen seen) { impl_->push(std::move(seen), false); }

Result<void> Engine::recover() { return impl_->core.recover(); }

Result<std::optional<Instant>> Engine::step() {
  Core& core = impl_->core;
  if (impl_->trouble) {
    impl_->hold();
    SLIPWAY_TRY_ASSIGN(const bool done, impl_->conclude());
    if (!done) return std::optional(impl_->clock.now() + kDiskRetry);
  }
  std::vector<Query> queries;
  core.begin();
  for (Input& input : impl_->inputs()) {
    if (auto* command = std::get_if<CommandInput>(&input))
      core.handle(command->command, std::move(command->done), command->origin);
    else if (auto* report = std::get_if<exec::Report>(&input))
      core.handle(*report);
    else if (auto* seen = std::get_if<Seen>(&input))
      core.handle(*seen);
    else
      queries.push_back(std::get<Query>(std::move(input)));
  }
  core.settle();
  SLIPWAY_TRY_ASSIGN(const bool done, impl_->conclude());
  for (const Query& query : queries) query(core);
  return done ? core.wake_at() : std::optional(impl_->clock.now() + kDiskRetry);
}

bool Engine::wait(std::optional<Instant> until) {
  std::unique_lock lock(impl_->mutex);
  const auto left = [&](Duration most) { return until ? std::min(most, *until - impl_->clock.now()) : most; };
  const auto some = [this] { return !impl_->queue.empty() || impl_->stop_requested; };
  if (!impl_->arrived.wait_for(lock, std::max(left(kSleepMax), Duration(0)), some)) return false;
  // Shorter each time that something is added which may lie less.
  for (Duration lie = impl_->patience.left(); lie > Duration(0) && !impl_->stop_requested;) {
    const auto sooner = [&] { return impl_->patience.left() < lie || impl_->stop_requested; };
    if (!impl_->arrived.wait_for(lock, std::max(left(lie), Duration(0)), sooner)) break;
    lie = impl_->patience.left();
  }
  return true;
}

Result<void> Engine::run() {
  SLIPWAY_TRY(recover());
  while (true) {
    SLIPWAY_TRY_ASSIGN(const auto until, step());
    if (impl_->should_stop()) return {};
    const Instant quiet_at = impl_->clock.now() + kQuiet;
    if (until && *until <= quiet_at) {
      wait(until);
    } else if (!wait(quiet_at)) {
      SLIPWAY_TRY(impl_->store.idle());
      wait(until);
    }
  }
}

void Engine::request_stop() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->stop_requested = true;
  }
  impl_->arrived.notify_one();
}

std::optional<Error> Engine::trouble() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->trouble;
}
void Engine::set_prober(Prober* prober) { impl_->core.set_prober(prober); }

void Engine::set_suspects(Suspects* suspects) { impl_->core.set_suspects(suspects); }

void Engine::set_observer(Observer* observer) { impl_->core.set_observer(observer); }

void Engine::set_notice_carrier(NoticeCarrier* carrier) { impl_->core.set_notice_carrier(carrier); }

Result<std::string> Engine::why(const RunId& run, const TaskKey& key, Duration timeout) {
  return impl_->ask<std::string>([run, key](const Core& core) { return core.why(run, key); }, timeout);
}

Result<std::vector<PoolUse>> Engine::pools(Duration timeout) {
  return impl_->ask<std::vector<PoolUse>>([](const Core& core) { return core.pools(); }, timeout);
}

const run::Snapshot& Engine::snapshot() const { return impl_->core.snapshot(); }

}  // namespace slipway::engine
