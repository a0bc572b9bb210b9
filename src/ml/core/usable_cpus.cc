#include <sched.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <string>

#include "ml/core/cgroup_quota.h"
#include "slipway/ml/thread_pool.h"

namespace slipway::ml {
namespace {

int affinity_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  return sched_getaffinity(0, sizeof set, &set) == 0 ? std::max(1, CPU_COUNT(&set)) : 1;
}

}  // namespace

int usable_cpus() {
  std::ifstream file("/proc/self/cgroup");
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  return std::min(affinity_cpus(), quota_cpus("/sys/fs/cgroup", unified_group(text)));
}

}  // namespace slipway::ml
