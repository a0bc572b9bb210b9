// Small files of a test.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "slipway/base/value.h"

namespace slipway::ml::testing {

inline std::string bytes_of(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  EXPECT_TRUE(in) << file;
  return {std::istreambuf_iterator<char>(in), {}};
}

inline void write_text(const std::filesystem::path& file, const std::string& text) {
  std::ofstream out(file, std::ios::binary);
  out << text;
  EXPECT_TRUE(out.flush()) << file;
}

inline std::vector<Value> json_lines(const std::filesystem::path& file) {
  std::vector<Value> rows;
  std::istringstream in(bytes_of(file));
  for (std::string line; std::getline(in, line);) rows.push_back(parse_json(line).value());
  EXPECT_FALSE(rows.empty()) << file;
  return rows;
}

}  // namespace slipway::ml::testing
