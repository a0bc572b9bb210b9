#include "engine/patience.h"

#include <gtest/gtest.h>

namespace slipway::engine {
namespace {

using namespace std::chrono_literals;

const AttemptId kId{RunId("r1"), {TaskId("a"), TaskKey::kUnmapped}, 1};
const AttemptId kOther{RunId("r2"), {TaskId("a"), TaskKey::kUnmapped}, 1};

exec::Exited exited(const AttemptId& id, int exit_code) {
  exec::Exited report;
  report.id = id;
  report.exit_code = exit_code;
  return report;
}

TEST(Patience, OnlyStartsAndGoodResultsOfPatientRunsMayLie) {
  const std::set<RunId> patient = {kId.run};
  EXPECT_EQ(haste_of(exec::Launched{kOther, "x"}, patient), Haste::Start);
  EXPECT_EQ(haste_of(exec::Running{kOther, "x", {}}, patient), Haste::Start);
  EXPECT_EQ(haste_of(exited(kId, 0), patient), Haste::Result);
  EXPECT_EQ(haste_of(exited(kId, 1), patient), Haste::Now);
  EXPECT_EQ(haste_of(exited(kOther, 0), patient), Haste::Now);
  EXPECT_EQ(haste_of(exec::Lost{kId, "", true}, patient), Haste::Now);
  EXPECT_EQ(haste_of(exec::LaunchFailed{kId, run::FailureClass::Launch, ""}, patient), Haste::Now);
}

TEST(Patience, MuchMoreMustBeOpenThanLies) {
  EXPECT_FALSE(may_be_patient(0, 2));
  EXPECT_FALSE(may_be_patient(34, 2));
  EXPECT_TRUE(may_be_patient(35, 2));
  EXPECT_FALSE(may_be_patient(64, 64));
}

TEST(Patience, WhatIsAddedMayShortenItOnly) {
  Patience patience;
  patience.add(Haste::Start);
  EXPECT_EQ(patience.left(), 20ms);
  patience.add(Haste::Result);
  EXPECT_EQ(patience.left(), 10ms);
  patience.add(Haste::Start);
  EXPECT_EQ(patience.left(), 10ms);
  for (int i = 0; i < 14; ++i) patience.add(Haste::Result);
  EXPECT_EQ(patience.left(), 10ms);
  patience.add(Haste::Result);
  EXPECT_EQ(patience.left(), 0ms) << "enough came together";
  patience.clear();
  patience.add(Haste::Start);
  EXPECT_EQ(patience.left(), 20ms);
  patience.add(Haste::Now);
  EXPECT_EQ(patience.left(), 0ms);
}

}  // namespace
}  // namespace slipway::engine
