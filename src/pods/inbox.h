// Work for one thread, handed over by any.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <vector>

#include "slipway/base/time.h"

namespace slipway::pods {

class Inbox {
 public:
  using Work = std::function<void()>;

  void post(Work work) {
    const std::lock_guard lock(mutex_);
    work_.push_back(std::move(work));
    arrived_.notify_one();
  }
  void stop() {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    arrived_.notify_one();
  }
  // Waits for work, at most `longest`; nullopt once it was stopped.
  std::optional<std::vector<Work>> take(std::optional<Duration> longest) {
    std::unique_lock lock(mutex_);
    const auto some = [this] { return stopping_ || !work_.empty(); };
    if (longest)
      arrived_.wait_for(lock, std::max(*longest, Duration(0)), some);
    else
      arrived_.wait(lock, some);
    if (stopping_) return std::nullopt;
    std::vector<Work> taken;
    taken.swap(work_);
    return taken;
  }

 private:
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::vector<Work> work_;
  bool stopping_ = false;
};

}  // namespace slipway::pods
