#include "cli/prober.h"

#include <filesystem>

namespace slipway::cli {
namespace {

constexpr Duration kLookMax = std::chrono::seconds(10);

engine::Seen look_at(const engine::Look& look, http::Transport& transport) {
  engine::Seen seen{look.run, look.key, look.generation, false, {}};
  if (look.kind == dag::WaitKind::File) {
    std::error_code error;
    seen.met = std::filesystem::exists(look.target, error);
    seen.detail = seen.met ? look.target + " exists" : error ? error.message() : "it does not exist";
    return seen;
  }
  http::Call call;
  call.url = look.target;
  call.timeout = kLookMax;
  call.redirects_max = 3;
  call.refuse_link_local = true;
  const auto reply = transport.send(call);
  seen.met = reply && reply->status >= 200 && reply->status < 300;
  seen.detail = reply ? look.target + " answered " + std::to_string(reply->status) : reply.error().message;
  return seen;
}

}  // namespace

LocalProber::LocalProber(const Clock& clock, http::Transport& transport, Tell tell, int threads)
    : clock_(clock), transport_(transport), tell_(std::move(tell)) {
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
}

LocalProber::~LocalProber() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void LocalProber::watch(const engine::Look& look) {
  {
    const std::lock_guard lock(mutex_);
    watched_.insert_or_assign({look.run, look.key}, Watched{look, clock_.monotonic(), ++editions_, false, {}});
  }
  changed_.notify_one();
}

void LocalProber::forget(const RunId& run, const TaskKey& key) {
  const std::lock_guard lock(mutex_);
  watched_.erase({run, key});
}

// The one that is due first and nobody looks at. Called with the mutex held.
std::map<LocalProber::InstanceId, LocalProber::Watched>::iterator LocalProber::next_due() {
  auto next = watched_.end();
  for (auto it = watched_.begin(); it != watched_.end(); ++it)
    if (!it->second.busy && (next == watched_.end() || it->second.due < next->second.due)) next = it;
  return next;
}

void LocalProber::work() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const auto next = next_due();
    if (next == watched_.end()) {
      changed_.wait(lock);
      continue;
    }
    if (const Duration left = next->second.due - clock_.monotonic(); left > Duration(0)) {
      changed_.wait_for(lock, left);
      continue;
    }
    next->second.busy = true;
    const InstanceId id = next->first;
    const std::uint64_t edition = next->second.edition;
    const engine::Look look = next->second.look;
    lock.unlock();
    engine::Seen seen = look_at(look, transport_);
    lock.lock();
    note(id, edition, std::move(seen));
  }
}

// Called with the mutex held. A condition that is met is not looked at again.
void LocalProber::note(const InstanceId& id, std::uint64_t edition, engine::Seen seen) {
  const auto found = watched_.find(id);
  if (stopping_ || found == watched_.end() || found->second.edition != edition) return;
  Watched& watched = found->second;
  watched.busy = false;
  watched.due = clock_.monotonic() + watched.look.poll;
  const bool news = seen.met || seen.detail != watched.last;
  watched.last = seen.detail;
  if (seen.met) watched_.erase(found);
  if (news) tell_(std::move(seen));
}

}  // namespace slipway::cli
