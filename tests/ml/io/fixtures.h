// The reference files under tests/ml/fixtures: models/<name>-<dtype>/ and goldens/<name>/.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "slipway/base/value.h"

namespace slipway::ml {

inline const std::vector<std::string> kTinyModels = {"tiny-gemma2", "tiny-llama", "tiny-qwen2"};

inline std::filesystem::path fixture(std::string_view path) {
  return std::filesystem::path(SLIPWAY_SOURCE_DIR) / "tests/ml/fixtures" / path;
}
inline std::filesystem::path model_fixture(const std::string& name, const std::string& dtype) {
  return fixture("models/" + name + "-" + dtype);
}
inline std::filesystem::path golden(const std::string& name, const std::string& file) {
  return fixture("goldens/" + name + "/" + file);
}

inline std::vector<Value> json_lines(const std::filesystem::path& file) {
  std::vector<Value> rows;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    auto value = parse_json(line);
    if (!value) {
      ADD_FAILURE() << file << ": " << value.error().message;
      break;
    }
    rows.push_back(*std::move(value));
  }
  EXPECT_FALSE(rows.empty()) << file;
  return rows;
}

}  // namespace slipway::ml
