#include "slipway/base/base64.h"

#include <gtest/gtest.h>

namespace slipway {
namespace {

// The vectors of RFC 4648, section 10, and all values of a sextet.
TEST(Base64, WritesWithPadding) {
  EXPECT_EQ(to_base64(""), "");
  EXPECT_EQ(to_base64("f"), "Zg==");
  EXPECT_EQ(to_base64("fo"), "Zm8=");
  EXPECT_EQ(to_base64("foo"), "Zm9v");
  EXPECT_EQ(to_base64("foob"), "Zm9vYg==");
  EXPECT_EQ(to_base64("fooba"), "Zm9vYmE=");
  EXPECT_EQ(to_base64("foobar"), "Zm9vYmFy");
}

TEST(Base64, TakesAnyByte) {
  EXPECT_EQ(to_base64(std::string_view("\x00\xff\xfe\x80", 4)), "AP/+gA==");
  EXPECT_EQ(to_base64("\xfb\xef\xbe"), "++++");
}

TEST(Base64, ReadsWhatItWrites) {
  std::string bytes;
  for (int i = 0; i < 300; ++i) {
    EXPECT_EQ(from_base64(to_base64(bytes)), bytes);
    bytes.push_back(static_cast<char>(i * 37));
  }
}

TEST(Base64, RefusesAnythingElse) {
  for (const char* text : {"Zg", "Zg=", "Zg===", "====", "Z", "Zh==", "Zm9=", "Zm 9", "Zm9v\n", "=Zg=", "Zm9vY_=="})
    EXPECT_FALSE(from_base64(text)) << text;
}

}  // namespace
}  // namespace slipway
