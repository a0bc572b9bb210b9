#include "slipway/steps/ending.h"

#include <gtest/gtest.h>

#include <sstream>

#include "slipway/base/step.h"
#include "support/files.h"
#include "support/temp_folder.h"

namespace slipway::steps {
namespace {

TEST(EndStep, PrintsAndLeavesTheOutputs) {
  const test::TempFolder folder;
  std::ostringstream out;
  std::ostringstream err;
  const Value outputs = Value::Object{{"files", 3}};
  EXPECT_EQ(end_step({out, err, folder / "o.json"}, outputs), kStepOk);
  EXPECT_EQ(out.str(), "{\"files\":3}\n");
  EXPECT_EQ(test::slurp(folder / "o.json"), "{\"files\":3}\n");
  EXPECT_EQ(err.str(), "");
}

TEST(EndStep, ExplainsAnError) {
  const test::TempFolder folder;
  std::ostringstream out;
  std::ostringstream err;
  const Error error{ErrorCode::NotFound, "no x", "make x"};
  EXPECT_EQ(end_step({out, err, folder / "o.json"}, error), kStepInvalid);
  EXPECT_EQ(err.str(), "slipway: no x\nhelp: make x\n");
  EXPECT_EQ(out.str(), "");
  EXPECT_EQ(test::slurp(folder / "o.json"), "{\"_error\":{\"class\":\"not-found\",\"message\":\"no x\"}}\n");
  EXPECT_EQ(end_step({out, err, ""}, Error{ErrorCode::Io, "disk full", {}}), kStepInternal);
}

TEST(EndStep, AnUnwritableOutputFileIsAFailure) {
  const test::TempFolder folder;
  std::ostringstream out;
  std::ostringstream err;
  EXPECT_EQ(end_step({out, err, folder / "none/o.json"}, Value(Value::Object{})), kStepInternal);
  EXPECT_NE(err.str().find("SLIPWAY_OUTPUT"), std::string::npos);
}

}  // namespace
}  // namespace slipway::steps
