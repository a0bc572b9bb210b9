#include "ml/core/cgroup_memory.h"

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <sstream>

namespace slipway::ml {
namespace {

constexpr std::size_t kBytesPerKib = 1024;

// The number behind `name` in lines "name number …"; `fallback` if there is none.
std::size_t number_behind(std::istream& stream, const std::string& name, std::size_t fallback) {
  for (std::string line; std::getline(stream, line);) {
    std::istringstream words(line);
    std::string word;
    std::size_t number = 0;
    if (words >> word && word == name && words >> number) return number;
  }
  return fallback;
}

std::size_t left_of(const std::string& folder) {
  std::ifstream limit_file(folder + "/memory.max");
  std::size_t limit = 0;
  if (!(limit_file >> limit)) return SIZE_MAX;  // no file, or "max"
  std::ifstream stat(folder + "/memory.stat");
  return limit - std::min(limit, number_behind(stat, "anon", 0));
}

}  // namespace

std::size_t memory_left(const std::filesystem::path& root, std::string group) {
  std::size_t left = SIZE_MAX;
  for (;; group.resize(group.rfind('/'))) {
    left = std::min(left, left_of(root.string() + group));
    if (group.find('/') == std::string::npos) return left;
  }
}

std::size_t machine_memory(const std::string& meminfo) {
  std::istringstream stream(meminfo);
  const std::size_t kib = number_behind(stream, "MemAvailable:", SIZE_MAX);
  return kib > SIZE_MAX / kBytesPerKib ? SIZE_MAX : kib * kBytesPerKib;
}

}  // namespace slipway::ml
