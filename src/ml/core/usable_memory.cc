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

}  // namespace slipway::ml
