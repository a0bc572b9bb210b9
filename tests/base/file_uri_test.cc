#include "slipway/base/file_uri.h"

#include <gtest/gtest.h>

namespace slipway {
namespace {

TEST(FileUri, ReadsThePath) {
  for (const auto& [uri, path] :
       std::initializer_list<std::pair<const char*, const char*>>{{"file:///a/b", "/a/b"},
                                                                  {"file://localhost/a", "/a"},
                                                                  {"file:///a%20b%25%C3%A9", "/a b%\xc3\xa9"},
                                                                  {"file:///", "/"}}) {
    const auto read = path_of_file_uri(uri);
    ASSERT_TRUE(read) << uri;
    EXPECT_EQ(*read, path) << uri;
  }
}

TEST(FileUri, RefusesWhatIsNone) {
  for (const auto& [uri, message] : std::initializer_list<std::pair<const char*, const char*>>{
           {"/a", "`/a` is no file URI"},
           {"file:/a", "`file:/a` is no file URI"},
           {"s3://a", "`s3://a` is no file URI"},
           {"file://", "`file://` names a host"},
           {"file://a/b", "`file://a/b` names a host"},
           {"file://localhost", "`file://localhost` names a host"},
           {"file:///a%2", "`/a%2` has a `%` that encodes nothing"},
           {"file:///a%zz", "`/a%zz` has a `%` that encodes nothing"},
           {"file:///a%00b", "`/a%00b` has a `%` that encodes nothing"}}) {
    const auto read = path_of_file_uri(uri);
    ASSERT_FALSE(read) << uri;
    EXPECT_EQ(read.error().code, ErrorCode::InvalidArgument) << uri;
    EXPECT_EQ(read.error().message, message);
    EXPECT_FALSE(read.error().help.empty()) << uri;
  }
}

TEST(FileUri, IsKnownByItsScheme) {
  EXPECT_TRUE(is_file_uri("file:///a"));
  EXPECT_FALSE(is_file_uri("/file:///a"));
}

}  // namespace
}  // namespace slipway
