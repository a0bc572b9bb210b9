#include "cli/tar.h"

#include <gtest/gtest.h>

namespace slipway::cli {
namespace {

const Instant kNoon = *parse_rfc3339("2024-11-01T12:00:00Z");

TEST(Tar, IsBlocksOfHeaderAndBytesAndTwoEmptyOnes) {
  const auto archive = make_tar("b", {{"a.txt", "hello"}, {"empty", ""}, {"full", std::string(512, 'x')}}, kNoon);
  ASSERT_TRUE(archive);
  EXPECT_EQ(archive->size(), 512U * (2 + 1 + 2 + 2));
  EXPECT_EQ(archive->substr(0, 8), std::string("b/a.txt\0", 8));
  EXPECT_EQ(archive->substr(100, 8), std::string("0000600\0", 8));
  EXPECT_EQ(archive->substr(124, 12), std::string("00000000005\0", 12));
  EXPECT_EQ(archive->substr(136, 12), std::string("14711141300\0", 12));  // 1730462400
  EXPECT_EQ(archive->substr(257, 8), std::string("ustar\0"
                                                 "00",
                                                 8));
  EXPECT_EQ(archive->substr(512, 6), std::string("hello\0", 6));
  EXPECT_EQ(archive->substr(archive->size() - 1024), std::string(1024, '\0'));
}

TEST(Tar, TheSumIsThatOfTheHeaderWithBlanksInItsPlace) {
  const auto archive = make_tar("b", {{"a", ""}}, kNoon);
  ASSERT_TRUE(archive);
  std::string header = archive->substr(0, 512);
  const unsigned told = static_cast<unsigned>(std::stoul(header.substr(148, 6), nullptr, 8));
  EXPECT_EQ(header.substr(154, 2), std::string("\0 ", 2));
  header.replace(148, 8, 8, ' ');
  unsigned sum = 0;
  for (const char c : header) sum += static_cast<unsigned char>(c);
  EXPECT_EQ(told, sum);
}

TEST(Tar, RefusesNamesThatItCannotHold) {
  EXPECT_TRUE(make_tar("b", {{std::string(98, 'n'), ""}}, kNoon));
  const auto refused = make_tar("b", {{std::string(99, 'n'), ""}}, kNoon);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::InvalidArgument);
}

}  // namespace
}  // namespace slipway::cli
