#include "slipway/exec/attempt_folder.h"

#include <gtest/gtest.h>

#include <fstream>

#include "support/temp_folder.h"

namespace slipway::exec {
namespace {

using test::TempFolder;

std::filesystem::path write(const TempFolder& folder, const std::string& bytes) {
  const auto file = folder.path() / "log";
  std::ofstream(file, std::ios::binary) << bytes;
  return file;
}

TEST(AttemptFolder, NamesEveryPlace) {
  const auto plain = *AttemptId::parse("01jd/prepare/1");
  const auto mapped = *AttemptId::parse("01jd/train[3]/2");
  EXPECT_EQ(attempt_folder("/h", plain), "/h/attempts/01jd/prepare.1");
  EXPECT_EQ(log_file("/h", mapped), "/h/attempts/01jd/train[3].2/log");
  EXPECT_EQ(workspace_folder("/h", plain.run), "/h/workspace/01jd");
  EXPECT_EQ(artifact_folder("/h", mapped), "/h/artifacts/01jd/train[3]/2");
}

TEST(AttemptFolder, ItsNameIsReadBack) {
  for (const char* text : {"01jd/prepare/1", "01jd/train[3]/2", "01jd/v1.2/10"}) {
    const auto id = *AttemptId::parse(text);
    EXPECT_EQ(attempt_of_folder(attempt_folder_name(id)), id) << text;
  }
  for (const char* name : {"", "attempts/", "attempts/01jd/a", "attempts/01jd/a.x", "elsewhere/01jd/a.1"})
    EXPECT_FALSE(attempt_of_folder(name)) << name;
}

TEST(ReadLog, MissingFileIsEmpty) {
  const TempFolder folder;
  const LogChunk chunk = read_log(folder.path() / "none", 7, 1000);
  EXPECT_TRUE(chunk.lines.empty());
  EXPECT_EQ(chunk.next, 7U);
}

TEST(ReadLog, TakesLinesApart) {
  const TempFolder folder;
  const auto file = write(folder, std::string("T1 stdout F hello world\nT2 stderr P ab\0c\nT3 stdout F \n", 54));
  const LogChunk chunk = read_log(file, 0, 1000);
  ASSERT_EQ(chunk.lines.size(), 3U);
  EXPECT_EQ(chunk.lines[0].time, "T1");
  EXPECT_FALSE(chunk.lines[0].is_stderr);
  EXPECT_FALSE(chunk.lines[0].partial);
  EXPECT_EQ(chunk.lines[0].text, "hello world");
  EXPECT_TRUE(chunk.lines[1].is_stderr);
  EXPECT_TRUE(chunk.lines[1].partial);
  EXPECT_EQ(chunk.lines[1].text, std::string("ab\0c", 4));
  EXPECT_EQ(chunk.lines[2].text, "");
  EXPECT_EQ(chunk.next, 54U);
}

TEST(ReadLog, LeavesAnUnfinishedLineForLater) {
  const TempFolder folder;
  const auto file = write(folder, "T1 stdout F one\nT2 stdout F tw");
  const LogChunk first = read_log(file, 0, 1000);
  ASSERT_EQ(first.lines.size(), 1U);
  std::ofstream(file, std::ios::binary | std::ios::app) << "o\n";
  const LogChunk second = read_log(file, first.next, 1000);
  ASSERT_EQ(second.lines.size(), 1U);
  EXPECT_EQ(second.lines[0].text, "two");
}

TEST(ReadLog, AlwaysGetsOnWithTheLongestLine) {
  const TempFolder folder;
  const auto file = write(folder, "2024-11-01T00:00:00.000000000Z stdout P " + std::string(16384, 'x') + "\n");
  const LogChunk chunk = read_log(file, 0, 1);
  ASSERT_EQ(chunk.lines.size(), 1U);
  EXPECT_EQ(chunk.lines[0].text.size(), 16384U);
}

TEST(ReadLog, TakesABrokenLineAsText) {
  const TempFolder folder;
  for (const char* line : {"", "x", "T1 stdout", "T1 stdout F", "T1 stdxxx F a", "T1 stdout Q a", "T1 stdout Fa b"}) {
    const LogChunk chunk = read_log(write(folder, std::string(line) + "\n"), 0, 1000);
    ASSERT_EQ(chunk.lines.size(), 1U) << line;
    EXPECT_EQ(chunk.lines[0].text, line);
    EXPECT_EQ(chunk.lines[0].time, "") << line;
  }
}

}  // namespace
}  // namespace slipway::exec
