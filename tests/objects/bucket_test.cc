#include "slipway/objects/bucket.h"

#include "objects/fake_storage.h"
#include "support/files.h"
#include "support/temp_folder.h"

namespace slipway::objects {
namespace {

using test::slurp;
using test::spill;

class BucketTest : public ::testing::Test {
 protected:
  Buckets buckets(std::map<std::string, std::string> env = {}) {
    env.emplace("STORAGE_EMULATOR_HOST", storage_.host());
    return {*transport_, {.env = std::move(env), .wait = [this](Duration) { ++waits_; }, .piece_bytes = 1U << 18U}};
  }
  [[nodiscard]] std::filesystem::path path(const std::string& name) const { return folder_.path() / name; }

  test::TempFolder folder_;
  FakeStorage storage_;
  std::unique_ptr<http::Transport> transport_ = http::make_curl_transport();
  int waits_ = 0;
};

TEST(BucketUri, HasABucketAndAKey) {
  EXPECT_EQ(parse_bucket_uri("gs://b/a/c.txt").value(), (BucketPlace{"b", "a/c.txt"}));
  EXPECT_EQ(parse_bucket_uri("gs://b").value(), (BucketPlace{"b", ""}));
  EXPECT_EQ(parse_bucket_uri("gs://b/").value(), (BucketPlace{"b", ""}));
  for (const char* uri : {"gs://", "gs:///k", "s3://b/k", "b/k"})
    EXPECT_EQ(parse_bucket_uri(uri).error().code, ErrorCode::InvalidArgument) << uri;
}

TEST_F(BucketTest, LargeAndSmallFilesGoUpAndComeBack) {
  std::string large;
  for (int i = 0; large.size() < (9U << 20U) + 17; ++i) large += std::to_string(i);
  spill(path("up/large.bin"), large);
  spill(path("up/in/small one.txt"), "hello");
  spill(path("up/empty"), "");
  spill(path("up/status.txt"), "SUCCESS");
  spill(path("up/left/out"), "x");
  auto there = buckets();
  const auto sent = there.upload_folder(
      path("up"), {"b", "runs/1"}, [](const std::string& file) { return !file.starts_with("left/"); }, "status.txt");
  ASSERT_TRUE(sent) << sent.error().message;
  EXPECT_EQ(*sent, 4);
  EXPECT_EQ(storage_.order.back(), "b/runs/1/status.txt") << "what says how it ended comes last";
  EXPECT_EQ(storage_.objects.at("b/runs/1/large.bin"), large);
  EXPECT_FALSE(storage_.objects.contains("b/runs/1/left/out"));
  storage_.page_size = 2;
  const auto got = there.download_folder({"b", "runs/1"}, path("down"));
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(*got, 4);
  EXPECT_EQ(slurp(path("down/large.bin")), large);
  EXPECT_EQ(slurp(path("down/in/small one.txt")), "hello");
  EXPECT_EQ(slurp(path("down/empty")), "");
  EXPECT_EQ(waits_, 0);
}

TEST_F(BucketTest, ABusyServiceIsAskedAgainButNotForEver) {
  storage_.objects["b/k"] = "bytes";
  storage_.failures = 3;
  auto there = buckets();
  EXPECT_TRUE(there.download({"b", "k"}, path("k")));
  EXPECT_EQ(waits_, 3);
  storage_.failures = 100;
  const auto failed = there.download({"b", "k"}, path("other"));
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::Unavailable);
  EXPECT_NE(failed.error().message.find("gs://b/k: the storage service said 503"), std::string::npos);
  EXPECT_EQ(waits_, 3 + 4);
  EXPECT_FALSE(std::filesystem::exists(path("other")));
}

TEST_F(BucketTest, RefusalsNameTheObjectAndTheCure) {
  auto there = buckets();
  const auto missing = there.download({"b", "none"}, path("x"));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::NotFound);
  EXPECT_EQ(missing.error().message, "gs://b/none does not exist");
  EXPECT_EQ(there.download_folder({"b", "none"}, path("x")).error().code, ErrorCode::NotFound);
  storage_.status = 403;
  const auto forbidden = there.upload_folder(
      folder_.path(), {"b", ""}, [](const std::string&) { return true; }, "");
  EXPECT_TRUE(forbidden) << "an empty folder asks nothing";
  spill(path("file"), "x");
  const auto denied = there.upload(path("file"), {"b", "file"});
  ASSERT_FALSE(denied);
  EXPECT_EQ(denied.error().code, ErrorCode::Forbidden);
  EXPECT_NE(denied.error().help.find("roles/storage.objectUser"), std::string::npos);
}

TEST_F(BucketTest, AKeyCannotLeaveItsFolder) {
  storage_.objects["b/p/../../../evil"] = "x";
  auto there = buckets();
  const auto got = there.download_folder({"b", "p"}, path("down"));
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, ErrorCode::Corrupt);
  EXPECT_FALSE(std::filesystem::exists(path("evil")));
}

// Answers by a list of statuses and remembers what it was asked.
class ScriptedTransport final : public http::Transport {
 public:
  Result<http::Reply> send(const http::Call& call) override {
    calls.push_back(call);
    if (call.url.starts_with("http://metadata.google.internal/"))
      return metadata ? http::Reply{.status = 200, .body = R"({"access_token":"t)" + std::to_string(++tokens) + "\"}"}
                      : Result<http::Reply>(Error{ErrorCode::Unavailable, "no such host", {}});
    const bool expired = call.headers.at("Authorization") == "Bearer t1";
    return http::Reply{.status = expired ? 401 : 200, .body = R"({"items":[]})"};
  }
  std::vector<http::Call> calls;
  bool metadata = true;
  int tokens = 0;
};

TEST(BucketCredentials, ComeFromTheMetadataServerAndAreRenewed) {
  ScriptedTransport transport;
  Buckets buckets(transport, {.env = {}, .wait = [](Duration) {}});
  EXPECT_TRUE(buckets.list({"b", ""}));
  EXPECT_EQ(transport.tokens, 2) << "the first had expired";
  EXPECT_EQ(transport.calls[0].headers.at("Metadata-Flavor"), "Google");
  EXPECT_TRUE(transport.calls.back().url.starts_with("https://storage.googleapis.com/storage/v1/b/b/o?"));
}

TEST(BucketCredentials, OfTheEnvironmentWinAndNoneIsAnError) {
  ScriptedTransport transport;
  transport.metadata = false;
  Buckets given(transport, {.env = {{"GOOGLE_OAUTH_ACCESS_TOKEN", "mine"}}, .wait = [](Duration) {}});
  EXPECT_TRUE(given.list({"b", ""}));
  EXPECT_EQ(transport.calls.back().headers.at("Authorization"), "Bearer mine");
  Buckets none(transport, {.env = {}, .wait = [](Duration) {}});
  const auto listed = none.list({"b", ""});
  ASSERT_FALSE(listed);
  EXPECT_EQ(listed.error().code, ErrorCode::Unauthorized);
  EXPECT_NE(listed.error().help.find("GOOGLE_OAUTH_ACCESS_TOKEN"), std::string::npos);
}

}  // namespace
}  // namespace slipway::objects
