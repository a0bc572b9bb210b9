#include "serve/metrics.h"

#include <algorithm>
#include <cmath>

#include "slipway/base/value.h"

namespace slipway::serve {
namespace {

// vLLM's bounds (v1/metrics/loggers.py).
constexpr double kFirstTokenBounds[] = {0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1,  0.25,  0.5,   0.75,
                                        1.0,   2.5,   5.0,  7.5,  10.0, 20.0, 40.0, 80.0, 160.0, 640.0, 2560.0};
constexpr double kTokenBounds[] = {0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2,  0.3,  0.4, 0.5,
                                   0.75, 1.0,   2.5,  5.0,   7.5, 10.0, 20.0, 40.0, 80.0};
constexpr double kRequestBounds[] = {0.3,  0.5,  0.8,  1.0,  1.5,   2.0,   2.5,   5.0,   10.0,   15.0,  20.0,
                                     30.0, 40.0, 50.0, 60.0, 120.0, 240.0, 480.0, 960.0, 1920.0, 7680.0};
constexpr double kCountBounds[] = {1,    2,    5,    10,    20,    50,    100,    200,   500,
                                   1000, 2000, 5000, 10000, 20000, 50000, 100000, 200000};
constexpr double kFewBounds[] = {1, 2, 5, 10, 20};

enum Series : std::size_t { FirstToken, NextToken, Total, Queued, Prompt, Output, MaxTokens, N };

struct Row {
  const char* name;
  const char* help;
  std::span<const double> bounds;
};
const Row kRows[] = {
    {"time_to_first_token_seconds", "Time from arrival to the first token.", kFirstTokenBounds},
    {"inter_token_latency_seconds", "Time between two tokens of one sequence.", kTokenBounds},
    {"e2e_request_latency_seconds", "Time from arrival to the end of a request.", kRequestBounds},
    {"request_queue_time_seconds", "Time a request waited before it was put in work.", kRequestBounds},
    {"request_prompt_tokens", "Tokens of a request's prompt.", kCountBounds},
    {"request_generation_tokens", "Tokens generated for a request.", kCountBounds},
    {"request_params_max_tokens", "max_tokens of a request.", kCountBounds},
    {"request_params_n", "n of a request.", kFewBounds},
};

std::string number(double x) {
  return x == std::floor(x) && std::abs(x) < 1e15 ? std::to_string(static_cast<std::int64_t>(x)) : Value(x).dump();
}

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out + "\"";
}

void head(std::string& out, const std::string& name, const std::string& help, const std::string& type) {
  out += "# HELP " + name + " " + help + "\n# TYPE " + name + " " + type + "\n";
}

void one(std::string& out, const std::string& name, const char* type, const char* help, const std::string& labels,
         double value) {
  head(out, name, help, type);
  out += name + "{" + labels + "} " + number(value) + "\n";
}

}  // namespace

void Histogram::add(double value) {
  ++counts_[static_cast<std::size_t>(std::ranges::lower_bound(bounds_, value) - bounds_.begin())];
  sum_ += value;
}

void Histogram::write(std::string& out, const std::string& name, const std::string& labels) const {
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    total += counts_[i];
    const std::string bound = i < bounds_.size() ? number(bounds_[i]) : "+Inf";
    out += name + "_bucket{" + labels + ",le=\"" + bound + "\"} " + std::to_string(total) + "\n";
  }
  out += name + "_sum{" + labels + "} " + number(sum_) + "\n";
  out += name + "_count{" + labels + "} " + std::to_string(total) + "\n";
}

std::vector<Histogram> Metrics::make_histograms() {
  std::vector<Histogram> list;
  for (const Row& row : kRows) list.emplace_back(row.bounds);
  return list;
}

void Metrics::first_token(Duration after_arrival) {
  const std::lock_guard lock(mutex_);
  histograms_[FirstToken].add(to_seconds(after_arrival));
}

void Metrics::next_token(Duration after_last) {
  const std::lock_guard lock(mutex_);
  histograms_[NextToken].add(to_seconds(after_last));
}

void Metrics::finished(const RequestRecord& record) {
  const std::lock_guard lock(mutex_);
  prompt_tokens_ += static_cast<std::uint64_t>(record.prompt_tokens);
  output_tokens_ += static_cast<std::uint64_t>(record.output_tokens);
  ++ends_[static_cast<std::size_t>(record.finish)];
  histograms_[Total].add(to_seconds(record.total));
  histograms_[Queued].add(to_seconds(record.queued));
  histograms_[Prompt].add(static_cast<double>(record.prompt_tokens));
  histograms_[Output].add(static_cast<double>(record.output_tokens));
  histograms_[MaxTokens].add(record.max_tokens);
  histograms_[N].add(record.n);
}

std::string Metrics::render(const std::string& model_name, const ml::GeneratorLoad& load) const {
  const std::string labels = "model_name=" + quoted(model_name);
  const std::lock_guard lock(mutex_);
  std::string out;
  one(out, "vllm:num_requests_running", "gauge", "Sequences that are decoded now.", labels,
      static_cast<double>(load.running));
  one(out, "vllm:num_requests_waiting", "gauge", "Sequences that wait.", labels, static_cast<double>(load.waiting));
  const double used = load.pages == 0 ? 0 : static_cast<double>(load.pages_used) / static_cast<double>(load.pages);
  one(out, "vllm:kv_cache_usage_perc", "gauge", "Share of the memory for keys and values in use; 1 is all.", labels,
      used);
  one(out, "vllm:num_preemptions_total", "counter", "Sequences that gave back their memory.", labels,
      static_cast<double>(load.preemptions));
  one(out, "vllm:prefix_cache_queries_total", "counter", "Tokens of prompts looked up among kept beginnings.", labels,
      static_cast<double>(load.prefix_tokens_asked));
  one(out, "vllm:prefix_cache_hits_total", "counter", "Of them, tokens that were not computed again.", labels,
      static_cast<double>(load.prefix_tokens_found));
  one(out, "vllm:prompt_tokens_total", "counter", "Tokens of prompts.", labels, static_cast<double>(prompt_tokens_));
  one(out, "vllm:generation_tokens_total", "counter", "Tokens generated.", labels, static_cast<double>(output_tokens_));
  head(out, "vllm:request_success_total", "Requests that ended.", "counter");
  for (const auto& row : ml::kFinishReasons.rows())
    out += "vllm:request_success_total{" + labels + ",finished_reason=" + quoted(std::string(row.text)) + "} " +
           std::to_string(ends_[static_cast<std::size_t>(row.value)]) + "\n";
  for (std::size_t i = 0; i < histograms_.size(); ++i) {
    const std::string name = std::string("vllm:") + kRows[i].name;
    head(out, name, kRows[i].help, "histogram");
    histograms_[i].write(out, name, labels);
  }
  return out;
}

}  // namespace slipway::serve
