#include <sched.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <string>

#include "slipway/ml/thread_pool.h"

namespace slipway::ml {
namespace {

int affinity_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  return sched_getaffinity(0, sizeof set, &set) == 0 ? std::max(1, CPU_COUNT(&set)) : 1;
}

// The folder of this process in the unified hierarchy: the line "0::/path" of /proc/self/cgroup.
std::string cgroup_path() {
  std::ifstream file("/proc/self/cgroup");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("0::")) return line.substr(3);
  return "/";
}

// "max 100000" or "150000 100000": microseconds of CPU per period. No file, no limit.
int quota_cpus(const std::string& folder) {
  std::ifstream file("/sys/fs/cgroup" + folder + "/cpu.max");
  std::string quota;
  long period = 0;
  if (!(file >> quota >> period) || period <= 0 || quota == "max") return std::numeric_limits<int>::max();
  const long micros = std::strtol(quota.c_str(), nullptr, 10);
  return static_cast<int>(std::max(1L, (micros + period - 1) / period));
}

}  // namespace

int usable_cpus() {
  int cpus = affinity_cpus();
  // Every ancestor's quota binds. Inside a container the own folder is mounted at the root.
  for (std::string folder = cgroup_path();; folder.resize(folder.rfind('/'))) {
    cpus = std::min(cpus, quota_cpus(folder));
    if (folder.find('/') == std::string::npos) return cpus;
  }
}

}  // namespace slipway::ml
