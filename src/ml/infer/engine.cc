#include "slipway/ml/engine.h"

#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

namespace slipway::ml {

struct Engine::Impl {
  Impl(const Model& model, Tokenizer tokenizer, const EngineOptions& chosen)
      : options(chosen), compute(chosen.compute), generator(model, std::move(tokenizer), compute, chosen.limits) {}

  void work();
  void take(std::vector<std::pair<RequestId, GenerationRequest>> requests);
  void one_less();

  const EngineOptions options;
  Compute compute;
  Generator generator;                   // the thread's own
  std::map<RequestId, RequestId> known;  // ours to the generator's; the thread's own

  mutable std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::pair<RequestId, GenerationRequest>> incoming;
  std::vector<RequestId> cancels;
  RequestId last_id = 0;
  int in_work = 0;
  bool stopping = false;
  GeneratorLoad load;

  std::thread thread;
};

void Engine::Impl::one_less() {
  const std::lock_guard lock(mutex);
  --in_work;
}

void Engine::Impl::take(std::vector<std::pair<RequestId, GenerationRequest>> requests) {
  for (auto& [id, request] : requests) {
    auto inner = std::move(request.events.finished);
    request.events.finished = [this, id = id, inner = std::move(inner), left = request.params.n](
                                  int index, Generation generation) mutable {
      const bool last = --left == 0;
      if (last) {
        known.erase(id);
        one_less();
      }
      inner(index, std::move(generation));
    };
    const RequestId key = id;
    known[key] = generator.add(std::move(request));
  }
}

void Engine::Impl::work() {
  for (;;) {
    std::unique_lock lock(mutex);
    load = generator.load();
    changed.wait(lock, [&] { return stopping || !incoming.empty() || !generator.idle(); });
    auto requests = std::exchange(incoming, {});
    const auto gone = std::exchange(cancels, {});
    const bool stop = stopping;
    load.waiting += std::ssize(requests);
    lock.unlock();
    take(std::move(requests));
    for (const RequestId id : gone)
      if (const auto it = known.find(id); it != known.end()) generator.cancel(it->second);
    if (stop) {
      generator.cancel_all();
      return;
    }
    generator.step();
  }
}

Engine::Engine(const Model& model, Tokenizer tokenizer, EngineOptions options)
    : impl_(std::make_unique<Impl>(model, std::move(tokenizer), options)) {
  impl_->load = impl_->generator.load();
  impl_->thread = std::thread([impl = impl_.get()] { impl->work(); });
}

Engine::~Engine() {
  stop();
  impl_->thread.join();
}

std::int64_t Engine::context() const { return impl_->generator.context(); }

Engine::Submission Engine::submit(GenerationRequest request) {
  Submission result;
  {
    const std::lock_guard lock(impl_->mutex);
    if (impl_->stopping) return {Admission::Stopping, 0};
    if (impl_->in_work >= impl_->options.requests_max) return {Admission::Full, 0};
    ++impl_->in_work;
    result.id = ++impl_->last_id;
    impl_->incoming.emplace_back(result.id, std::move(request));
  }
  impl_->changed.notify_one();
  return result;
}

void Engine::cancel(RequestId id) {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->cancels.push_back(id);
  }
  impl_->changed.notify_one();
}

void Engine::stop() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
  }
  impl_->changed.notify_one();
}

GeneratorLoad Engine::load() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->load;
}

}  // namespace slipway::ml
