#include "slipway/ml/thread_pool.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "slipway/base/assert.h"

namespace slipway::ml {

struct ThreadPool::State {
  // One loop. Workers that wake late find next >= count and have nothing to do.
  struct Loop {
    std::int64_t count = 0;
    Call call = nullptr;
    void* context = nullptr;
  };

  std::mutex mutex;
  std::condition_variable work_came;
  std::condition_variable all_idle;
  Loop loop;                          // guarded by mutex
  std::uint64_t generation = 0;       // guarded by mutex; counts loops
  int busy = 0;                       // guarded by mutex; workers inside the loop
  bool stopping = false;              // guarded by mutex
  std::atomic<std::int64_t> next{0};  // the next index to hand out
  std::vector<std::thread> workers;

  void drain(const Loop& current, int worker) {
    for (std::int64_t i = next.fetch_add(1, std::memory_order_relaxed); i < current.count;
         i = next.fetch_add(1, std::memory_order_relaxed))
      current.call(current.context, i, worker);
  }

  void work(int worker) {
    std::uint64_t seen = 0;
    std::unique_lock lock(mutex);
    for (;;) {
      work_came.wait(lock, [&] { return stopping || generation != seen; });
      if (stopping) return;
      seen = generation;
      if (loop.count == 0) continue;
      const Loop current = loop;
      ++busy;
      lock.unlock();
      drain(current, worker);
      lock.lock();
      if (--busy == 0) all_idle.notify_one();
    }
  }
};

ThreadPool::ThreadPool(int threads) : state_(std::make_unique<State>()) {
  SLIPWAY_ASSERT(threads >= 1);
  state_->workers.reserve(static_cast<std::size_t>(threads) - 1);
  for (int worker = 1; worker < threads; ++worker)
    state_->workers.emplace_back([state = state_.get(), worker] { state->work(worker); });
}

ThreadPool::~ThreadPool() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
  }
  state_->work_came.notify_all();
  for (auto& worker : state_->workers) worker.join();
}

int ThreadPool::threads() const { return static_cast<int>(state_->workers.size()) + 1; }

void ThreadPool::run(std::int64_t count, Call call, void* context) {
  if (count <= 1 || state_->workers.empty()) {
    for (std::int64_t i = 0; i < count; ++i) call(context, i, 0);
    return;
  }
  const State::Loop loop{count, call, context};
  {
    const std::lock_guard lock(state_->mutex);
    state_->loop = loop;
    state_->next.store(0, std::memory_order_relaxed);
    ++state_->generation;
  }
  state_->work_came.notify_all();
  state_->drain(loop, 0);
  std::unique_lock lock(state_->mutex);
  // From here on no worker may enter this loop: its context dies with this call.
  state_->loop.count = 0;
  state_->all_idle.wait(lock, [&] { return state_->busy == 0; });
}

}  // namespace slipway::ml
