#include "pods/pod_log.h"

#include <gtest/gtest.h>

#include <fstream>

#include "slipway/base/file.h"
#include "slipway/exec/attempt_folder.h"
#include "support/temp_folder.h"

namespace slipway::pods {
namespace {

constexpr std::uint64_t kNoLimit = 1U << 30U;
const AttemptId kId{RunId("r1"), {TaskId("a"), TaskKey::kUnmapped}, 1};

class PodLogTest : public testing::Test {
 protected:
  PodLog open(std::uint64_t bytes_max = kNoLimit) {
    auto log = PodLog::open(home_.path(), kId, bytes_max);
    EXPECT_TRUE(log) << log.error().message;
    return *std::move(log);
  }
  std::string text() { return *read_whole_file(exec::log_file(home_.path(), kId), 64U << 20U); }
  std::string state() {
    const auto found = read_whole_file(exec::attempt_folder(home_.path(), kId) / "log.state", 1000);
    return found ? *found : std::string();
  }
  void append(std::string_view bytes) {
    std::ofstream(exec::log_file(home_.path(), kId), std::ios::app | std::ios::binary) << bytes;
  }
  // What the cursor of a new log takes for new, of a reply that repeats everything.
  std::string new_of(const std::string& reply) {
    PodLog log = open();
    kube::LogCursor cursor = log.cursor();
    std::string seen;
    const auto emit = [&](const kube::LogLine& line) { seen += std::string(line.text) + "|"; };
    cursor.begin();
    cursor.take(reply, emit);
    cursor.finish(emit);
    return seen;
  }

  slipway::test::TempFolder home_;
};

TEST_F(PodLogTest, KeepsLinesInTheFormatOfAllLogs) {
  PodLog log = open();
  EXPECT_EQ(state(), "draining\n");
  log.add({"2024-11-01T06:30:01.000000001Z", "one", false});
  log.add({"2024-11-01T06:30:01.000000002Z", "", false});
  log.add({"2024-11-01T06:30:02.000000001Z", "no break", true});
  ASSERT_TRUE(log.write());
  ASSERT_TRUE(log.close());
  EXPECT_EQ(text(),
            "2024-11-01T06:30:01.000000001Z stdout F one\n2024-11-01T06:30:01.000000002Z stdout F \n"
            "2024-11-01T06:30:02.000000001Z stdout P no break\n");
  EXPECT_EQ(state(), "");
}

TEST_F(PodLogTest, LongLinesAreSplitAndReadAsOne) {
  const std::string line(40'000, 'x');
  PodLog log = open();
  log.add({"2024-11-01T06:30:01.5Z", line, false});
  ASSERT_TRUE(log.write());
  const auto chunk = exec::read_log(exec::log_file(home_.path(), kId), 0, 1U << 20U);
  ASSERT_EQ(chunk.lines.size(), 3U);
  EXPECT_TRUE(chunk.lines[0].partial && chunk.lines[1].partial && !chunk.lines[2].partial);
  EXPECT_EQ(chunk.lines[0].text + chunk.lines[1].text + chunk.lines[2].text, line);
  EXPECT_EQ(new_of("2024-11-01T06:30:01.5Z " + line + "\n2024-11-01T06:30:01.5Z y\n"), "y|");
}

TEST_F(PodLogTest, WhatWasStoredIsTheCursor) {
  PodLog log = open();
  log.add({"2024-11-01T06:30:01.1Z", "a", false});
  log.add({"2024-11-01T06:30:02.1Z", "b", false});
  log.add({"2024-11-01T06:30:02.1Z", "b", false});
  ASSERT_TRUE(log.write());
  EXPECT_EQ(new_of("2024-11-01T06:30:02.1Z b\n2024-11-01T06:30:02.1Z b\n2024-11-01T06:30:02.1Z b\n"), "b|");
}

TEST_F(PodLogTest, ALineThatWasTornComesAgainWhole) {
  {
    PodLog log = open();
    log.add({"2024-11-01T06:30:01.1Z", "a", false});
    ASSERT_TRUE(log.write());
  }
  const std::string whole = text();
  for (const char* torn : {"2024-11-01T06:30:02.1Z stdout F b", "2024-11-01T06:30:02.1Z stdout P begin\n"}) {
    append(torn);
    EXPECT_EQ(new_of("2024-11-01T06:30:01.1Z a\n2024-11-01T06:30:02.1Z begin and end\n"), "begin and end|") << torn;
    EXPECT_EQ(text(), whole);
  }
}

TEST_F(PodLogTest, AFloodIsCappedAndSaysSo) {
  PodLog log = open(100);
  for (int i = 0; i < 10; ++i) log.add({"2024-11-01T06:30:01.1Z", "0123456789", false});
  ASSERT_TRUE(log.close());
  EXPECT_EQ(text(),
            "2024-11-01T06:30:01.1Z stdout F 0123456789\n2024-11-01T06:30:01.1Z stdout F 0123456789\n"
            "2024-11-01T06:30:01.1Z stderr F slipway: the log is longer than 100 bytes; the rest is dropped\n");
}

TEST_F(PodLogTest, ATruncatedLogSaysWhy) {
  PodLog log = open();
  log.add({"2024-11-01T06:30:01.1Z", "a", false});
  ASSERT_TRUE(log.close("the node is gone"));
  EXPECT_NE(text().find("stderr F slipway: the end of the log is missing: the node is gone\n"), std::string::npos);
  EXPECT_EQ(state(), "truncated: the node is gone\n");
}

}  // namespace
}  // namespace slipway::pods
