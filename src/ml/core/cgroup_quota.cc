#include "ml/core/cgroup_quota.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <sstream>

namespace slipway::ml {
namespace {

constexpr int kUnlimited = std::numeric_limits<int>::max();

// "max 100000" or "150000 100000": microseconds of CPU per period.
int quota_of(const std::filesystem::path& file) {
  std::ifstream stream(file);
  std::string quota;
  long period = 0;
  if (!(stream >> quota >> period) || period <= 0) return kUnlimited;
  char* end = nullptr;
  const long micros = std::strtol(quota.c_str(), &end, 10);
  if (end == quota.c_str() || micros < 0 || micros / period >= kUnlimited) return kUnlimited;
  return static_cast<int>(std::max(1L, (micros + period - 1) / period));
}

}  // namespace

int quota_cpus(const std::filesystem::path& root, std::string group) {
  int cpus = kUnlimited;
  // In a container the own group is mounted at the root, so the root's file counts too.
  for (;; group.resize(group.rfind('/'))) {
    cpus = std::min(cpus, quota_of(root.string() + group + "/cpu.max"));
    if (group.find('/') == std::string::npos) return cpus;
  }
}

std::string unified_group(const std::string& proc_self_cgroup) {
  std::istringstream stream(proc_self_cgroup);
  for (std::string line; std::getline(stream, line);)
    if (line.starts_with("0::")) return line.substr(3);
  return {};
}

}  // namespace slipway::ml
