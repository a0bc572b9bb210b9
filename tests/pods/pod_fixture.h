// A pod executor on a fake cluster and a home of its own.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "slipway/exec/attempt_folder.h"
#include "slipway/pods/pod_executor.h"
#include "support/eventually.h"
#include "support/fake_cluster.h"
#include "support/report_log.h"
#include "support/temp_folder.h"

namespace slipway::pods::test {

using namespace std::chrono_literals;

using slipway::test::eventually;
using slipway::test::kPatience;

struct PodWorld {
  PodWorld() {
    options.home = home.path();
    options.defaults.instance = "test";
    options.defaults.namespace_name = "work";
    options.defaults.image = "localhost/tools:1";
    options.retry_first = options.quota_first = 1ms;
    options.retry_longest = 5ms;
    options.leftover_grace = 10ms;
    options.mirror.backoff_first = 1ms;
    options.mirror.backoff_longest = 5ms;
    options.mirror.short_watch = 0ms;
    options.following.backoff_first = 1ms;
    options.following.backoff_longest = 5ms;
  }

  void start() {
    executor.reset();
    kube::ClientConfig config;
    config.cluster.server = cluster.url();
    auto client = kube::Client::create(
        config, {.retry = {.transient_max = 0, .throttled_max = 0, .conflict_max = 0, .first = 1ms, .longest = 2ms}},
        {.clock = clock}, Logger());
    SLIPWAY_ASSERT(client.has_value());
    executor = make_pod_executor(*std::move(client), options, reports, clock, Logger());
  }

  [[nodiscard]] static exec::LaunchSpec spec(const AttemptId& id) {
    exec::LaunchSpec made;
    made.id = id;
    made.dag = DagId("nightly");
    made.argv = {"/bin/sh", "-ec", "true"};
    made.grace = 1s;
    return made;
  }
  [[nodiscard]] std::string name(const AttemptId& id) const { return prepare_pod(spec(id), options.defaults)->name; }

  template <class Kind>
  std::vector<Kind> reported(const AttemptId& id) const {
    return reports.all_of<Kind>(id);
  }
  template <class Kind>
  Kind expect(const AttemptId& id, std::size_t nth = 1) {
    const bool came = eventually([&] { return reported<Kind>(id).size() >= nth; });
    EXPECT_TRUE(came) << "no such report of " << id.str();
    return came ? reported<Kind>(id)[nth - 1] : Kind{};
  }

  slipway::test::TempFolder home;
  slipway::test::FakeCluster cluster;
  SystemClock clock;
  slipway::test::ReportLog reports;
  PodOptions options;
  std::unique_ptr<exec::Executor> executor;  // last: ends first
};

}  // namespace slipway::pods::test
