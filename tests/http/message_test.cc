#include "slipway/http/message.h"

#include <gtest/gtest.h>

namespace slipway::http {
namespace {

TEST(PercentDecode, LeavesBadEscapesAlone) {
  EXPECT_EQ(percent_decode("%41b%2fc"), "Ab/c");
  EXPECT_EQ(percent_decode("%"), "%");
  EXPECT_EQ(percent_decode("%4"), "%4");
  EXPECT_EQ(percent_decode("%zz+"), "%zz+");
}

TEST(PercentEncode, RoundTrips) {
  const std::string text = "a b/ü?&=%~-_.";
  EXPECT_EQ(percent_decode(percent_encode(text)), text);
  EXPECT_EQ(percent_encode("a b~"), "a%20b~");
}

TEST(Headers, CompareWithoutCase) {
  Request request;
  request.headers.emplace("Content-Type", "x");
  EXPECT_EQ(request.header("content-type"), "x");
  EXPECT_EQ(request.header("absent"), "");
}

}  // namespace
}  // namespace slipway::http
