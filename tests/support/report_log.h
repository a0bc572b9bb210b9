// What an executor reported, kept for the test.
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <vector>

#include "slipway/exec/executor.h"
#include "support/eventually.h"

namespace slipway::test {

// Thread-safe.
class ReportLog final : public exec::ReportSink {
 public:
  void on_report(exec::Report report) override {
    const std::lock_guard lock(mutex_);
    reports_.push_back(std::move(report));
    arrived_.notify_all();
  }
  [[nodiscard]] std::vector<exec::Report> all() const {
    const std::lock_guard lock(mutex_);
    return reports_;
  }
  // Those of one kind about `id`, in the order of arrival.
  template <class Kind>
  [[nodiscard]] std::vector<Kind> all_of(const AttemptId& id) const {
    const std::lock_guard lock(mutex_);
    return of<Kind>(id);
  }
  template <class Kind>
  [[nodiscard]] std::size_t count(const AttemptId& id) const {
    return all_of<Kind>(id).size();
  }
  // The first report of that kind about `id` beyond the first `skip` of them; nullopt if none comes in time.
  template <class Kind>
  std::optional<Kind> wait(const AttemptId& id, std::size_t skip = 0) {
    std::unique_lock lock(mutex_);
    std::optional<Kind> found;
    arrived_.wait_for(lock, kPatience, [&] {
      const auto kinds = of<Kind>(id);
      if (kinds.size() > skip) found = kinds[skip];
      return found.has_value();
    });
    return found;
  }

 private:
  template <class Kind>
  std::vector<Kind> of(const AttemptId& id) const {
    std::vector<Kind> found;
    for (const exec::Report& report : reports_)
      if (const auto* kind = std::get_if<Kind>(&report); kind != nullptr && kind->id == id) found.push_back(*kind);
    return found;
  }
  mutable std::mutex mutex_;
  std::condition_variable arrived_;
  std::vector<exec::Report> reports_;
};

}  // namespace slipway::test
