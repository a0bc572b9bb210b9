#include "cli/janitor.h"

namespace slipway::cli {
namespace {

constexpr Duration kFirstRest = std::chrono::seconds(5);  // a start has better things to do
constexpr Duration kRest = std::chrono::hours(1);
constexpr Duration kPatience = std::chrono::seconds(10);  // for one slice
constexpr int kRuns = 100;                                // taken out of sight at a time

}  // namespace

Janitor::Janitor(engine::Engine& engine, const store::Store& store, std::string home, engine::Retention retention,
                 const Clock& clock, Logger log)
    : engine_(engine),
      store_(store),
      home_(std::move(home)),
      retention_(retention),
      clock_(clock),
      log_(std::move(log)),
      thread_([this] { work(); }) {}

Janitor::~Janitor() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  woken_.notify_one();
  thread_.join();
}

std::optional<Error> Janitor::finding() const {
  const std::lock_guard lock(mutex_);
  return finding_;
}

void Janitor::work() {
  if (!rest(kFirstRest)) return;
  look_at_file();
  do tidy();
  while (rest(kRest));
}

void Janitor::look_at_file() {
  const auto findings = store_.quick_check();
  if (findings && findings->empty()) return;
  const Error error{ErrorCode::Corrupt,
                    "the database is damaged: " + (findings ? findings->front().detail : findings.error().message),
                    "stop the daemon and restore a backup (slipway db restore)"};
  log_.error("look at the database", {{"error", error.message}, {"help", error.help}});
  const std::lock_guard lock(mutex_);
  finding_ = error;
}

void Janitor::tidy() {
  const engine::PruneSteps steps{[this](const std::vector<RunId>& runs) -> Result<void> {
                                   SLIPWAY_TRY(engine_.call(engine::CondemnRuns{runs}, kPatience));
                                   return {};
                                 },
                                 [this](const RunId& run) -> Result<bool> {
                                   if (ending()) return Error{ErrorCode::Cancelled, "the daemon is stopping", {}};
                                   SLIPWAY_TRY_ASSIGN(const auto done, engine_.call(engine::EraseRun{run}, kPatience));
                                   return done.more;
                                 }};
  for (bool more = true; more && !ending();) {
    const auto pruned = engine::prune({store_, home_, retention_, clock_.now()}, {}, kRuns, steps);
    if (!pruned) {
      if (pruned.error().code != ErrorCode::Cancelled) log_.warn("retention", {{"error", pruned.error().message}});
      return;
    }
    if (!pruned->runs.empty()) log_.info("runs removed by retention", {{"runs", std::to_string(pruned->runs.size())}});
    more = pruned->more;
  }
}

bool Janitor::rest(Duration time) {
  std::unique_lock lock(mutex_);
  return !woken_.wait_for(lock, time, [this] { return ending_; });
}

bool Janitor::ending() const {
  const std::lock_guard lock(mutex_);
  return ending_;
}

}  // namespace slipway::cli
