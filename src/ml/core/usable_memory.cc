#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <string>

#include "ml/core/cgroup_memory.h"
#include "ml/core/cgroup_quota.h"
#include "slipway/ml/memory.h"

namespace slipway::ml {
namespace {

std::string text_of(const char* path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

std::size_t usable_memory() {
  return std::min(machine_memory(text_of("/proc/meminfo")),
                  memory_left("/sys/fs/cgroup", unified_group(text_of("/proc/self/cgroup"))));
}

std::size_t resident_memory() {
  std::ifstream statm("/proc/self/statm");
  std::size_t whole = 0, resident = 0;
  statm >> whole >> resident;
  return statm ? resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)) : 0;
}

}  // namespace slipway::ml
