// Looks at files and addresses for tasks that wait for them: a few threads, one look at a time each.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "slipway/engine/engine.h"
#include "slipway/http/transport.h"

namespace slipway::cli {

class LocalProber final : public engine::Prober {
 public:
  using Tell = std::function<void(engine::Seen)>;

  // `tell` is called from the prober's threads: once when a condition is met, before that whenever what is seen
  // changes. `threads` bounds how many looks go on at once; a look at an address takes at most ten seconds.
  LocalProber(const Clock& clock, http::Transport& transport, Tell tell, int threads = 2);
  // Waits for looks that go on. Nothing is told after that.
  ~LocalProber() override;

  void watch(const engine::Look& look) override;
  void forget(const RunId& run, const TaskKey& key) override;

 private:
  using InstanceId = std::pair<RunId, TaskKey>;
  struct Watched {
    engine::Look look;
    MonoInstant due;
    std::uint64_t edition = 0;  // a look that ends after it was replaced or forgotten counts for nothing
    bool busy = false;
    std::string last;  // detail
  };

  void work();
  [[nodiscard]] std::map<InstanceId, Watched>::iterator next_due();
  void note(const InstanceId& id, std::uint64_t edition, engine::Seen seen);

  const Clock& clock_;
  http::Transport& transport_;
  const Tell tell_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<InstanceId, Watched> watched_;  // guarded by mutex_
  std::uint64_t editions_ = 0;             // guarded by mutex_
  bool stopping_ = false;                  // guarded by mutex_
  std::vector<std::thread> threads_;
};

}  // namespace slipway::cli
