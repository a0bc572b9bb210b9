// Counts and distributions of the server under vLLM's names, in Prometheus' text form.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "slipway/base/time.h"
#include "slipway/ml/generator.h"

namespace slipway::serve {

// Cumulative buckets. Not thread-safe.
class Histogram {
 public:
  // `bounds` rise; a value belongs to the first bound it does not exceed. They outlive this.
  explicit Histogram(std::span<const double> bounds) : bounds_(bounds), counts_(bounds.size() + 1, 0) {}
  void add(double value);
  // Appends the lines of `name`.
  void write(std::string& out, const std::string& name, const std::string& labels) const;

 private:
  std::span<const double> bounds_;
  std::vector<std::uint64_t> counts_;
  double sum_ = 0;
};

// What is known of a request when it ends.
struct RequestRecord {
  ml::FinishReason finish = ml::FinishReason::Stop;
  std::int64_t prompt_tokens = 0;
  std::int64_t output_tokens = 0;
  int max_tokens = 0;
  int n = 1;
  Duration queued{};
  Duration total{};
};

// Thread-safe.
class Metrics {
 public:
  void first_token(Duration after_arrival);
  void next_token(Duration after_last);
  void finished(const RequestRecord& record);

  [[nodiscard]] std::string render(const std::string& model_name, const ml::GeneratorLoad& load) const;

 private:
  mutable std::mutex mutex_;
  std::uint64_t prompt_tokens_ = 0, output_tokens_ = 0;
  std::array<std::uint64_t, ml::kFinishReasons.size()> ends_{};
  std::vector<Histogram> histograms_ = make_histograms();
  static std::vector<Histogram> make_histograms();
};

}  // namespace slipway::serve
