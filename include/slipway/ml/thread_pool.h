// Threads for numeric loops. Tasks are numbered; which thread runs a task is unspecified, so a loop whose tasks write
// disjoint outputs has the same result for every thread count. Idle threads sleep, they never spin.
#pragma once

#include <cstdint>
#include <memory>
#include <type_traits>

namespace slipway::ml {

// CPUs this process may use: min(affinity mask, cgroup v2 quota rounded up), at least 1. Reads /proc and /sys once per
// call.
[[nodiscard]] int usable_cpus();

class ThreadPool {
 public:
  // `threads` counts the caller: 1 starts no thread.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  [[nodiscard]] int threads() const;

  // Calls task(index, worker) for index in [0, count), worker in [0, threads()); returns when all are done. The caller
  // works too. One loop at a time; a task must not start another loop on the same pool.
  template <class Task>
  void for_each(std::int64_t count, Task&& task) {
    using Plain = std::remove_reference_t<Task>;
    run(
        count, [](void* context, std::int64_t index, int worker) { (*static_cast<Plain*>(context))(index, worker); },
        const_cast<void*>(static_cast<const void*>(&task)));
  }

 private:
  using Call = void (*)(void* context, std::int64_t index, int worker);
  void run(std::int64_t count, Call call, void* context);

  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace slipway::ml
