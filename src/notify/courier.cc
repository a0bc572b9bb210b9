#include "slipway/notify/courier.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>

#include "slipway/base/failpoint.h"

namespace slipway::notify {
namespace {

constexpr Duration kPauseMin = std::chrono::seconds(5);
constexpr Duration kPauseMax = std::chrono::hours(1);
constexpr Duration kSleepMax = std::chrono::seconds(60);  // a clock that is set must not leave it asleep

bool is_final(const Error& error) { return error.code != ErrorCode::Unavailable && error.code != ErrorCode::TimedOut; }

}  // namespace

Duration pause_after(int tries) {
  const int doublings = std::clamp(tries - 1, 0, 20);
  return std::min(kPauseMax, kPauseMin * (std::int64_t{1} << doublings));
}

struct Courier::Impl {
  struct Pending {
    run::Notice notice;
    int tries = 0;
  };

  Impl(FindTarget f, Notifier& n, const Clock& c, Logger l, std::function<void(Outcome)> d)
      : find_target(std::move(f)), notifier(n), clock(c), log(std::move(l)), done(std::move(d)), thread([this] {
          run();
        }) {}

  ~Impl() {
    {
      const std::lock_guard lock(mutex);
      stopping = true;
    }
    changed.notify_all();
    thread.join();
  }

  void run() {
    std::unique_lock lock(mutex);
    while (!stopping) {
      const auto next = queue.begin();
      const Instant now = clock.now();
      if (next == queue.end()) {
        changed.wait(lock);
      } else if (next->first > now) {
        changed.wait_for(lock, std::min(kSleepMax, next->first - now));
      } else {
        Pending pending = std::move(next->second);
        queue.erase(next);
        lock.unlock();
        const bool over = attempt(pending);
        lock.lock();
        if (over)
          known.erase(pending.notice.id);
        else
          queue.emplace(now + pause_after(pending.tries), std::move(pending));
      }
    }
  }

  // One try; true if nothing is left to do.
  bool attempt(Pending& pending) {
    const run::Notice& notice = pending.notice;
    const auto target = find_target(notice.target);
    reach(Failpoint::NotifySend, notice.id);
    Result<void> result = target ? notifier.send(*target, notice, clock.now()) : Result<void>(target.error());
    reach(Failpoint::NotifySent, notice.id);
    ++pending.tries;
    const bool too_old = clock.now() - notice.at >= kGiveUpAfter;
    if (!result && !is_final(result.error()) && !too_old) return false;
    if (!result)
      log.error("a notice was given up on",
                {{"notice", notice.id}, {"tries", std::to_string(pending.tries)}, {"error", result.error().message}});
    done({notice.id, std::move(result), pending.tries});
    reach(Failpoint::NotifyDone, notice.id);
    return true;
  }

  const FindTarget find_target;
  Notifier& notifier;
  const Clock& clock;
  const Logger log;
  const std::function<void(Outcome)> done;

  std::mutex mutex;
  std::condition_variable changed;
  std::multimap<Instant, Pending> queue;  // by when to try; guarded by mutex
  std::set<std::string> known;            // ids of all that is on its way; guarded by mutex
  bool stopping = false;                  // guarded by mutex
  std::thread thread;                     // last: it uses everything above
};

Courier::Courier(FindTarget find_target, Notifier& notifier, const Clock& clock, Logger log,
                 std::function<void(Outcome)> done)
    : impl_(std::make_unique<Impl>(std::move(find_target), notifier, clock, std::move(log), std::move(done))) {}

Courier::~Courier() = default;

void Courier::deliver(run::Notice notice) {
  {
    const std::lock_guard lock(impl_->mutex);
    if (!impl_->known.insert(notice.id).second) return;
    impl_->queue.emplace(impl_->clock.now(), Impl::Pending{std::move(notice)});
  }
  impl_->changed.notify_all();
}

}  // namespace slipway::notify
