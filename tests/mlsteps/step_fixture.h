// Runs a step as the command line does, with streams, environment and clock of the test.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <sstream>
#include <string>

#include "ml/support/files.h"
#include "slipway/mlsteps/step.h"
#include "support/temp_folder.h"

namespace slipway::mlsteps {

inline std::string fixture(const std::string& path) { return SLIPWAY_SOURCE_DIR "/tests/ml/fixtures/" + path; }

class StepTest : public ::testing::Test {
 protected:
  StepTest() { env_["SLIPWAY_OUTPUT"] = path("outputs.json"); }

  [[nodiscard]] std::string path(const std::string& name) const { return (folder_.path() / name).string(); }
  void write(const std::string& name, const std::string& text) const { ml::testing::write_text(path(name), text); }
  [[nodiscard]] std::string read(const std::string& name) const { return ml::testing::bytes_of(path(name)); }
  [[nodiscard]] bool exists(const std::string& name) const { return std::filesystem::exists(path(name)); }
  [[nodiscard]] Value outputs() const { return parse_json(read("outputs.json")).value(); }
  // The class of the failure that the step left.
  [[nodiscard]] std::string failure_class() const { return outputs().find("_error")->get_string("class"); }

  [[nodiscard]] StepIo io() { return {out_, err_, env_, clock_, stop_, columns_}; }

  test::TempFolder folder_;
  std::ostringstream out_;
  std::ostringstream err_;
  std::map<std::string, std::string> env_;
  SystemClock clock_;
  std::function<bool()> stop_;
  int columns_ = 0;
};

}  // namespace slipway::mlsteps
