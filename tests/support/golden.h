// Goldens: what people read is kept word for word in tests/golden. SLIPWAY_UPDATE_GOLDENS=1 rewrites them.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace slipway::test {

inline std::string read_text(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// Compares `actual` with the file `name` below the source folder.
inline void expect_golden(const std::string& name, const std::string& actual) {
  const std::filesystem::path path = std::filesystem::path(SLIPWAY_SOURCE_DIR) / name;
  if (std::getenv("SLIPWAY_UPDATE_GOLDENS") != nullptr) {
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << actual;
  }
  EXPECT_EQ(actual, read_text(path)) << name << " differs; SLIPWAY_UPDATE_GOLDENS=1 rewrites it";
}

// The files of tests/golden/`folder` with this extension, by name without it, sorted.
inline std::vector<std::string> golden_cases(const std::string& folder, const std::string& extension) {
  std::vector<std::string> names;
  for (const auto& file : std::filesystem::directory_iterator(SLIPWAY_SOURCE_DIR "/tests/golden/" + folder))
    if (file.path().extension() == extension) names.push_back(file.path().stem().string());
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace slipway::test
