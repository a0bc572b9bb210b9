#include "slipway/base/file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>

namespace slipway {
namespace {

class FileTest : public testing::Test {
 protected:
  FileTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "slipway-file-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
  }
  ~FileTest() override { std::filesystem::remove_all(folder_); }
  std::filesystem::path folder_;
};

TEST_F(FileTest, ReadsBackWhatItWrote) {
  const std::string bytes = std::string("a\0b\n", 4) + std::string(200'000, 'x');
  ASSERT_TRUE(write_whole_file(folder_ / "f", bytes));
  const auto read = read_whole_file(folder_ / "f", 1U << 20U);
  ASSERT_TRUE(read);
  EXPECT_EQ(*read, bytes);
}

TEST_F(FileTest, ReplacesAndLeavesNoTemporary) {
  ASSERT_TRUE(write_whole_file(folder_ / "f", "old"));
  ASSERT_TRUE(write_whole_file(folder_ / "f", "new"));
  EXPECT_EQ(*read_whole_file(folder_ / "f", 100), "new");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1);
}

TEST_F(FileTest, ErrorsNameTheFile) {
  const auto missing = read_whole_file(folder_ / "none", 100);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::NotFound);
  EXPECT_NE(missing.error().message.find("none"), std::string::npos);
  ASSERT_TRUE(write_whole_file(folder_ / "f", "12345"));
  EXPECT_EQ(read_whole_file(folder_ / "f", 4).error().code, ErrorCode::TooLarge);
  EXPECT_TRUE(read_whole_file(folder_ / "f", 5));
  EXPECT_FALSE(write_whole_file(folder_ / "no-folder" / "f", "x"));
  EXPECT_FALSE(read_whole_file(folder_, 100)) << "a folder is no file";
}

}  // namespace
}  // namespace slipway
