#include "slipway/objects/web_file.h"

#include <gtest/gtest.h>

#include <mutex>

#include "slipway/http/server.h"
#include "support/files.h"
#include "support/temp_folder.h"

namespace slipway::objects {
namespace {

using test::slurp;
using test::spill;

constexpr std::size_t kPiece = 1000;

// A web server in this process with one file.
class WebFileTest : public ::testing::Test {
 protected:
  WebFileTest() {
    auto started = http::Server::start(
        {}, [this](const http::Request& request) { return answer(request); }, Logger());
    EXPECT_TRUE(started);
    server_ = std::move(started).value();
    for (int i = 0; file_.size() < 3456; ++i) file_ += std::to_string(i) + ",";
  }

  Result<std::int64_t> get(const std::string& place, const std::string& name = "got") {
    return download_url(*transport_, url(place), path(name),
                        {.headers = {{"Authorization", "Bearer t"}},
                         .wait = [this](Duration) { ++waits_; },
                         .piece_bytes = kPiece,
                         .tries = 3});
  }
  [[nodiscard]] std::string url(const std::string& place) const {
    return "http://127.0.0.1:" + std::to_string(server_->port()) + place;
  }
  [[nodiscard]] std::filesystem::path path(const std::string& name) const { return folder_.path() / name; }

  http::Response answer(const http::Request& request) {
    const std::scoped_lock lock(mutex_);
    ++requests_;
    EXPECT_EQ(request.header("Authorization"), "Bearer t");
    if (failures_ > 0) return --failures_, http::Response{.status = 503, .body = "busy"};
    if (request.path == "/moved") return {.status = 302, .headers = {{"Location", url("/parts")}}};
    if (request.path == "/whole") return {.body = file_};
    if (request.path == "/empty") return {.status = 416, .headers = {{"Content-Range", "bytes */0"}}};
    if (request.path == "/wrong") return {.status = 206, .body = "x", .headers = {{"Content-Range", "bytes 7-7/9"}}};
    if (request.path != "/parts") return {.status = request.path == "/secret" ? 403 : 404, .body = "no"};
    // Between the second and the third piece there is another version.
    if (changes_ && requests_ == 3) file_ = "a new one", tag_ = "\"2\"";
    const std::string known = request.header("If-Range");
    if (!known.empty() && known != tag_) return {.body = file_, .headers = {{"ETag", tag_}}};
    const std::string range = request.header("Range");
    const auto first = std::stoul(range.substr(6));
    const auto last = std::min(std::stoul(range.substr(range.find('-') + 1)), file_.size() - 1);
    const std::string content = std::to_string(first) + "-" + std::to_string(last);
    return {.status = 206,
            .body = file_.substr(first, last - first + 1),
            .headers = {{"Content-Range", "bytes " + content + "/" + std::to_string(file_.size())}, {"ETag", tag_}}};
  }

  test::TempFolder folder_;
  std::mutex mutex_;
  std::string file_;
  std::string tag_ = "\"1\"";
  bool changes_ = false;
  int failures_ = 0;
  int requests_ = 0;
  int waits_ = 0;
  std::unique_ptr<http::Server> server_;
  std::unique_ptr<http::Transport> transport_ = http::make_curl_transport();
};

TEST_F(WebFileTest, ComesInPiecesOrWhole) {
  for (const char* place : {"/parts", "/whole", "/moved"}) {
    const auto bytes = get(place, "deep/er");
    ASSERT_TRUE(bytes) << place << ": " << bytes.error().message;
    EXPECT_EQ(*bytes, std::ssize(file_));
    EXPECT_EQ(slurp(path("deep/er")), file_) << place;
    EXPECT_FALSE(std::filesystem::exists(path("deep/er.partial")));
  }
  EXPECT_EQ(get("/empty").value(), 0);
  EXPECT_EQ(slurp(path("got")), "");
  EXPECT_EQ(waits_, 0);
}

TEST_F(WebFileTest, AnotherVersionBeginsAgain) {
  changes_ = true;
  ASSERT_TRUE(get("/parts"));
  EXPECT_EQ(slurp(path("got")), "a new one");
  EXPECT_EQ(requests_, 3);
}

TEST_F(WebFileTest, RepeatsWhatMayPass) {
  failures_ = 2;
  ASSERT_TRUE(get("/parts"));
  EXPECT_EQ(waits_, 2);
  failures_ = 3;
  const auto given_up = get("/parts");
  ASSERT_FALSE(given_up);
  EXPECT_EQ(given_up.error().code, ErrorCode::Unavailable);
  EXPECT_NE(given_up.error().message.find("503"), std::string::npos) << given_up.error().message;
}

TEST_F(WebFileTest, ErrorsLeaveWhatWasThere) {
  spill(path("got"), "old");
  struct Row {
    std::string place;
    ErrorCode code;
  };
  for (const Row& row :
       {Row{"/none", ErrorCode::NotFound}, Row{"/secret", ErrorCode::Forbidden}, Row{"/wrong", ErrorCode::Corrupt}}) {
    const auto failed = get(row.place);
    ASSERT_FALSE(failed) << row.place;
    EXPECT_EQ(failed.error().code, row.code) << row.place;
    EXPECT_NE(failed.error().message.find(url(row.place)), std::string::npos);
    EXPECT_EQ(slurp(path("got")), "old");
    EXPECT_FALSE(std::filesystem::exists(path("got.partial")));
  }
}

TEST(WebUrl, HasAFileName) {
  EXPECT_TRUE(is_web_url("https://a/b"));
  EXPECT_FALSE(is_web_url("gs://a/b"));
  EXPECT_EQ(web_file_name("https://a.org/x/some%20file.csv?token=1/2#top"), "some file.csv");
  for (const char* url : {"https://a.org", "https://a.org/", "https://a.org/..", "https://a.org/a%2Fb"})
    EXPECT_EQ(web_file_name(url), "download") << url;
}

}  // namespace
}  // namespace slipway::objects
