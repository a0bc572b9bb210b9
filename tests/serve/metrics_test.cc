#include "serve/metrics.h"

#include <gtest/gtest.h>

namespace slipway::serve {
namespace {

TEST(Histogram, CountsCumulatively) {
  constexpr double kBounds[] = {0.5, 1, 2};
  Histogram histogram(kBounds);
  for (const double value : {0.25, 1.0, 1.5, 9.0}) histogram.add(value);
  std::string out;
  histogram.write(out, "x", "a=\"b\"");
  EXPECT_EQ(out,
            "x_bucket{a=\"b\",le=\"0.5\"} 1\nx_bucket{a=\"b\",le=\"1\"} 2\nx_bucket{a=\"b\",le=\"2\"} 3\n"
            "x_bucket{a=\"b\",le=\"+Inf\"} 4\nx_sum{a=\"b\"} 11.75\nx_count{a=\"b\"} 4\n");
}

TEST(Metrics, HaveVllmsNames) {
  Metrics metrics;
  metrics.first_token(std::chrono::milliseconds(30));
  metrics.next_token(std::chrono::milliseconds(20));
  metrics.finished({.finish = ml::FinishReason::Length, .prompt_tokens = 5, .output_tokens = 7, .max_tokens = 7});
  metrics.finished({.finish = ml::FinishReason::Stop, .prompt_tokens = 1, .output_tokens = 2, .max_tokens = 9});
  const std::string page =
      metrics.render("a\"b", {.running = 2, .waiting = 3, .pages = 8, .pages_used = 2, .preemptions = 1});
  for (const char* line :
       {"# TYPE vllm:num_requests_running gauge", "vllm:num_requests_running{model_name=\"a\\\"b\"} 2",
        "vllm:num_requests_waiting{model_name=\"a\\\"b\"} 3", "vllm:kv_cache_usage_perc{model_name=\"a\\\"b\"} 0.25",
        "vllm:num_preemptions_total{model_name=\"a\\\"b\"} 1", "vllm:prompt_tokens_total{model_name=\"a\\\"b\"} 6",
        "vllm:generation_tokens_total{model_name=\"a\\\"b\"} 9",
        "vllm:request_success_total{model_name=\"a\\\"b\",finished_reason=\"length\"} 1",
        "vllm:request_success_total{model_name=\"a\\\"b\",finished_reason=\"abort\"} 0",
        "# TYPE vllm:time_to_first_token_seconds histogram",
        "vllm:time_to_first_token_seconds_bucket{model_name=\"a\\\"b\",le=\"0.02\"} 0",
        "vllm:time_to_first_token_seconds_bucket{model_name=\"a\\\"b\",le=\"0.04\"} 1",
        "vllm:inter_token_latency_seconds_count{model_name=\"a\\\"b\"} 1",
        "vllm:e2e_request_latency_seconds_count{model_name=\"a\\\"b\"} 2",
        "vllm:request_queue_time_seconds_count{model_name=\"a\\\"b\"} 2",
        "vllm:request_generation_tokens_bucket{model_name=\"a\\\"b\",le=\"5\"} 1",
        "vllm:request_prompt_tokens_sum{model_name=\"a\\\"b\"} 6"})
    EXPECT_NE(page.find(std::string(line) + "\n"), std::string::npos) << line << "\n" << page;
}

}  // namespace
}  // namespace slipway::serve
